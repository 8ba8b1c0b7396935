// Package contracts holds what goes over the wire against its documents in docs/contracts: OpenAPI against every
// answer of the ingress, AsyncAPI against every message, and both against what was released. Only tests use it.
package contracts
