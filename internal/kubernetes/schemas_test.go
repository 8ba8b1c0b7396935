package kubernetes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/yaml"
)

// all are the schemas; they are read once.
var all = sync.OnceValues(load)

func loaded(t *testing.T) schemas {
	t.Helper()
	s, err := all()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryManifestIsValid(t *testing.T) {
	for overlay, kinds := range map[string][]string{
		"base":                {"Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "Namespace", "ServiceAccount"},
		"overlays/production": {"Deployment", "ScaledObject", "ConfigMap"},
		"overlays/test":       {"Deployment", "StatefulSet", "Job", "Secret", "ConfigMap"},
	} {
		manifests := built(t, overlay)
		for _, manifest := range manifests {
			for _, problem := range loaded(t).problems(manifest) {
				t.Errorf("%s: %s", overlay, problem)
			}
		}
		for _, kind := range kinds {
			if !slices.ContainsFunc(manifests, func(m object) bool { return m["kind"] == kind }) {
				t.Errorf("%s has no %s: its schema checks nothing", overlay, kind)
			}
		}
		t.Logf("%s: %d manifests", overlay, len(manifests))
	}
}

// streams are those for NACK, which stand beside the kustomization.
func streams(t *testing.T) []object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(shipped, "overlays/production/streams.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var manifests []object
	for _, document := range strings.Split(string(text), "\n---\n") {
		var manifest object
		if err := yaml.Unmarshal([]byte(document), &manifest); err != nil {
			t.Fatal(err)
		}
		manifests = append(manifests, manifest)
	}
	return manifests
}

func TestStreamsAreValid(t *testing.T) {
	for _, manifest := range streams(t) {
		for _, problem := range loaded(t).problems(manifest) {
			t.Error(problem)
		}
	}
}

// TestMistakesAreRefused makes each mistake in a manifest that is built, and each must be found at its place.
func TestMistakesAreRefused(t *testing.T) {
	manifests := slices.Concat(built(t, "overlays/production"), built(t, "overlays/test"), streams(t))
	for _, mistake := range mistakes {
		t.Run(mistake.of+" "+mistake.at, func(t *testing.T) {
			i := slices.IndexFunc(manifests, func(m object) bool {
				return fmt.Sprintf("%v/%v", m["kind"], at(m, "metadata", "name")) == mistake.of
			})
			if i < 0 {
				t.Fatal("there is no such manifest")
			}
			worse := copied(t, manifests[i])
			mistake.make(t, worse)
			found := loaded(t).problems(worse)
			if len(found) == 0 || !strings.Contains(strings.Join(found, "\n"), mistake.want) {
				t.Errorf("%v finds %q, want %q", mistake.to, found, mistake.want)
			}
		})
	}
	if found := loaded(t).problems(object{"apiVersion": "apps/v1beta1", "kind": "Deployment"}); len(found) != 1 {
		t.Errorf("a version that is no more finds %v", found)
	}
}

// mistake changes one field; to is its new value, or says that it is removed.
type mistake struct {
	of, at string
	to     any
	want   string
}

type removed struct{}

const (
	pod       = "spec.template.spec."
	container = pod + "containers.0."
	unknown   = "additional properties"
	choice    = "must be one of"
	missing   = "missing propert"
)

var mistakes = []mistake{
	// Typing errors.
	{"Deployment/worker", "specs", object{}, unknown},
	{"Deployment/worker", "spec.replica", 2, unknown},
	{"Deployment/worker", "metadata.label", object{}, unknown},
	{"Deployment/worker", pod + "terminationGracePeriod", 60, unknown},
	{"Deployment/worker", pod + "securityContext.runAsNonroot", true, unknown},
	{"Deployment/worker", container + "readynessProbe", object{}, unknown},
	{"Deployment/worker", container + "resources.limit", object{}, unknown},
	{"Deployment/worker", container + "volumeMounts.0.path", "/", unknown},
	{"Deployment/worker", container + "livenessProbe.httpGet.uri", "/", unknown},
	{"Deployment/worker", pod + "topologySpreadConstraints.0.topology", "x", unknown},
	{"StatefulSet/nats", "spec.volumeClaimTemplate", []any{}, unknown},
	{"Job/streams", "spec.backOffLimit", 3, unknown},
	{"PodDisruptionBudget/worker", "spec.minAvailables", 1, unknown},
	{"NetworkPolicy/programs", "spec.egress.0.port", 4222, unknown},
	{"NetworkPolicy/programs", "spec.egres", []any{}, unknown},
	{"Service/ingress", "spec.ports.0.target", "http", unknown},
	{"ScaledObject/worker", "spec.minReplicas", 2, unknown},
	{"ScaledObject/worker", "spec.triggers.0.treshold", "1", unknown},
	{"Stream/payments", "spec.denyPurges", true, unknown},
	// Types.
	{"Deployment/worker", pod + "terminationGracePeriodSeconds", "60s", "want integer"},
	{"Deployment/worker", pod + "automountServiceAccountToken", "false", "want boolean"},
	{"Deployment/worker", container + "command", "/usr/local/bin/worker", "want array"},
	{"Deployment/worker", container + "env", []any{object{"name": "N", "value": 1}}, "want string"},
	{"Deployment/worker", container + "ports.0.containerPort", "9091", "want integer"},
	{"Deployment/worker", "metadata.labels", object{"a": true}, "want string"},
	{"PodDisruptionBudget/worker", "spec.minAvailable", true, "want"},
	{"NetworkPolicy/programs", "spec.egress.0.ports.0.port", true, "want"},
	{"ScaledObject/worker", "spec.minReplicaCount", "2", "want integer"},
	{"ScaledObject/worker", "spec.triggers.0.metadata", object{"threshold": 10}, "want string"},
	{"Stream/payments", "spec.replicas", "3", "want integer"},
	{"Stream/payments", "spec.maxAge", 9600, "want string"},
	{"Stream/payments", "spec.subjects", "payment.*.*.*", "want array"},
	// Values.
	{"Deployment/worker", pod + "topologySpreadConstraints.0.whenUnsatisfiable", "Schedule", choice},
	{"Deployment/worker", pod + "securityContext.seccompProfile.type", "Default", choice},
	{"Deployment/worker", container + "imagePullPolicy", "IfNotThere", choice},
	{"Deployment/worker", "spec.strategy.type", "Rolling", choice},
	{"Deployment/sandbox", container + "livenessProbe.httpGet.scheme", "https", choice},
	{"NetworkPolicy/nothing", "spec.policyTypes", []any{"Ingress", "Outgress"}, choice},
	{"NetworkPolicy/programs", "spec.egress.0.ports.0.protocol", "udp", choice},
	{"NetworkPolicy/programs", "spec.podSelector.matchExpressions.0.operator", "OneOf", choice},
	{"StatefulSet/nats", "spec.volumeClaimTemplates.0.spec.accessModes", []any{"ReadWrite"}, choice},
	{"Job/streams", pod + "restartPolicy", "OnError", choice},
	{"Stream/payments", "spec.storage", "disk", choice},
	{"Stream/payments", "spec.retention", "limit", choice},
	{"Stream/payments", "spec.discard", "none", choice},
	{"Stream/payments", "spec.replicas", 0, "minimum"},
	// What is left out.
	{"Deployment/worker", "spec", removed{}, missing},
	{"Deployment/worker", "spec.selector", removed{}, missing},
	{"Deployment/worker", "spec.template", removed{}, missing},
	{"Deployment/worker", pod + "containers", removed{}, missing},
	{"Deployment/worker", container + "name", removed{}, missing},
	{"Deployment/worker", container + "volumeMounts.0.mountPath", removed{}, missing},
	{"Deployment/worker", container + "readinessProbe.httpGet.port", removed{}, missing},
	{"Deployment/worker", pod + "topologySpreadConstraints.0.maxSkew", removed{}, missing},
	{"Deployment/worker", "metadata.name", removed{}, "no name"},
	{"Deployment/worker", "kind", removed{}, "no schema"},
	{"Service/ingress", "spec.ports.0.port", removed{}, missing},
	{"ScaledObject/worker", "spec.scaleTargetRef", removed{}, missing},
	{"ScaledObject/worker", "spec.triggers", removed{}, missing},
	{"ScaledObject/worker", "spec.triggers.0.type", removed{}, missing},
	{"Stream/payments", "spec.storage", removed{}, missing},
	{"Stream/payments", "spec.preventDelete", removed{}, missing},
}

func (m mistake) make(t *testing.T, manifest object) {
	t.Helper()
	path := strings.Split(m.at, ".")
	var here any = manifest
	for _, key := range path[:len(path)-1] {
		here = child(here, key)
	}
	parent, ok := here.(object)
	_, gone := m.to.(removed)
	last := path[len(path)-1]
	if _, there := parent[last]; !ok || gone && !there {
		t.Fatalf("there is no %s", m.at)
	}
	if gone {
		delete(parent, last)
		return
	}
	parent[last] = m.to
}

// child is a field of an object, or the first of a list.
func child(v any, key string) any {
	if list, ok := v.([]any); ok && key == "0" && len(list) > 0 {
		return list[0]
	}
	return at(v, key)
}

func copied(t *testing.T, from object) object {
	t.Helper()
	text, err := json.Marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	var to object
	if err := json.Unmarshal(text, &to); err != nil {
		t.Fatal(err)
	}
	return to
}
