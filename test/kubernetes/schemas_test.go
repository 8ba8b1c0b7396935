package kubernetes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/yannh/kubeconform/pkg/validator"
	"sigs.k8s.io/yaml"
)

var kubeconform validator.Validator

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "payonce-schemas-")
	if err == nil {
		kubeconform, err = newValidator(folder)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

func TestEveryManifestIsValid(t *testing.T) {
	for overlay, kinds := range map[string][]string{
		"overlays/production": {"Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "Namespace", "ServiceAccount", "ScaledObject", "ConfigMap", "Stream"},
		"overlays/test":       {"Deployment", "StatefulSet", "Job", "Secret", "ConfigMap"},
	} {
		manifests := built(t, overlay)
		if overlay == "overlays/production" {
			manifests = append(manifests, streams(t)...)
		}
		for _, manifest := range manifests {
			if found := problem(kubeconform, manifest); found != "" {
				t.Errorf("%s: %s", overlay, found)
			}
		}
		for _, kind := range kinds {
			if len(ofKind(manifests, kind)) == 0 {
				t.Errorf("%s has no %s: its schema checks nothing", overlay, kind)
			}
		}
	}
}

// streams are those for NACK, which are beside the kustomization.
func streams(t *testing.T) (manifests []object) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(shipped, "overlays/production/streams.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range strings.Split(string(text), "\n---\n") {
		var manifest object
		if err := yaml.Unmarshal([]byte(document), &manifest); err != nil {
			t.Fatal(err)
		}
		manifests = append(manifests, manifest)
	}
	return manifests
}

// TestMistakesAreRefused makes one mistake of each sort in a manifest that is built: in what each schema comes from,
// and against each of our own rules.
func TestMistakesAreRefused(t *testing.T) {
	manifests := slices.Concat(built(t, "overlays/production"), built(t, "overlays/test"), streams(t))
	for _, mistake := range mistakes {
		i := slices.IndexFunc(manifests, func(m object) bool {
			return fmt.Sprintf("%v/%v", m["kind"], at(m, "metadata", "name")) == mistake.of
		})
		if i < 0 {
			t.Fatalf("there is no %s", mistake.of)
		}
		worse := copied(t, manifests[i])
		mistake.make(t, worse)
		if found := problem(kubeconform, worse); !strings.Contains(found, mistake.want) || found == "" {
			t.Errorf("%s: %s = %v finds %q, want %q", mistake.of, mistake.at, mistake.to, found, mistake.want)
		}
	}
}

// mistake changes one field; to is its new value, or nil where it is removed.
type mistake struct {
	of, at string
	to     any
	want   string
}

const (
	pod       = "spec.template.spec."
	container = pod + "containers.0."
	unknown   = "additional properties"
	choice    = "must be one of"
	missing   = "missing propert"
	never     = "'not' failed"
)

var mistakes = []mistake{
	// Fields that there are not.
	{"Deployment/worker", "spec.replica", 2, unknown},
	{"Deployment/worker", "metadata.label", object{}, unknown},
	{"Deployment/worker", container + "livenessProbe.httpGet.uri", "/", unknown},
	{"StatefulSet/nats", "spec.volumeClaimTemplate", []any{}, unknown},
	{"Job/streams", "spec.backOffLimit", 3, unknown},
	{"PodDisruptionBudget/worker", "spec.minAvailables", 1, unknown},
	{"NetworkPolicy/programs", "spec.egress.0.port", 4222, unknown},
	{"Service/ingress", "spec.ports.0.target", "http", unknown},
	{"ScaledObject/worker", "spec.triggers.0.treshold", "1", unknown},
	{"ScaledObject/worker", "metadata.label", object{}, unknown},
	{"Stream/payments", "spec.denyPurges", true, unknown},
	// Types.
	{"Deployment/worker", container + "ports.0.containerPort", "9091", "want integer"},
	{"PodDisruptionBudget/worker", "spec.minAvailable", true, "want"},
	{"ScaledObject/worker", "spec.triggers.0.metadata", object{"threshold": 10}, "want string"},
	{"Stream/payments", "spec.maxAge", 9600, "want string"},
	// Values.
	{"Deployment/worker", container + "imagePullPolicy", "IfNotThere", choice},
	{"Deployment/worker", "spec.strategy.type", "Rolling", choice},
	{"NetworkPolicy/nothing", "spec.policyTypes", []any{"Ingress", "Outgress"}, choice},
	{"StatefulSet/nats", "spec.volumeClaimTemplates.0.spec.accessModes", []any{"ReadWrite"}, choice},
	{"Stream/payments", "spec.retention", "limit", choice},
	// What is left out.
	{"Deployment/worker", "spec", nil, missing},
	{"Deployment/worker", "spec.selector", nil, missing},
	{"Deployment/worker", container + "readinessProbe.httpGet.port", nil, missing},
	{"Deployment/worker", "metadata.name", nil, missing},
	{"Deployment/worker", "kind", nil, "missing"},
	{"ScaledObject/worker", "spec.scaleTargetRef", nil, missing},
	{"Stream/payments", "spec.preventDelete", nil, missing},
	{"Deployment/worker", "apiVersion", "apps/v1beta1", "could not find schema"},
	// Our own rules.
	{"Namespace/payonce", "metadata.labels", object{"pod-security.kubernetes.io/enforce": "baseline"}, "must be 'restricted'"},
	{"Deployment/worker", pod + "automountServiceAccountToken", nil, missing},
	{"Deployment/worker", pod + "hostNetwork", true, never},
	{"Deployment/worker", pod + "initContainers", []any{}, never},
	{"Deployment/worker", pod + "securityContext.runAsUser", 0, "must be 65532"},
	{"Deployment/worker", pod + "volumes", []any{object{"name": "config", "hostPath": object{"path": "/"}}}, missing},
	{"Deployment/worker", container + "image", "payonce:latest", "does not match pattern"},
	{"Deployment/worker", container + "env", []any{object{"name": "A", "valueFrom": object{"secretKeyRef": object{"key": "a"}}}}, missing},
	{"Deployment/worker", container + "securityContext.readOnlyRootFilesystem", false, "must be true"},
	{"Deployment/worker", container + "securityContext.capabilities", object{"drop": []any{"ALL"}, "add": []any{"NET_RAW"}}, "'enum' failed"},
	{"Deployment/worker", container + "resources.limits.memory", nil, missing},
	{"StatefulSet/nats", container + "readinessProbe", nil, missing},
	{"Job/streams", container + "securityContext.privileged", true, never},
}

func (m mistake) make(t *testing.T, manifest object) {
	t.Helper()
	path := strings.Split(m.at, ".")
	var here any = manifest
	for _, key := range path[:len(path)-1] {
		if list, ok := here.([]any); ok && key == "0" && len(list) > 0 {
			here = list[0]
			continue
		}
		here = at(here, key)
	}
	parent, ok := here.(object)
	last := path[len(path)-1]
	if _, there := parent[last]; !ok || m.to == nil && !there {
		t.Fatalf("%s has no %s", m.of, m.at)
	}
	if parent[last] = m.to; m.to == nil {
		delete(parent, last)
	}
}

func copied(t *testing.T, from object) (to object) {
	t.Helper()
	text, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(text, &to)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}
