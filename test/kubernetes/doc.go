// Package kubernetes checks the manifests under deploy/kubernetes as kustomize builds them: against the schemas of
// Kubernetes, KEDA and NACK, where an unknown field is refused, and against each other. It is a module of its
// own (docs/decisions/0006) and needs no cluster: make kubernetes.
package kubernetes
