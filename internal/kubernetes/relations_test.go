package kubernetes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var overlays = []string{"overlays/production", "overlays/test"}

// everywhere runs a check on both overlays.
func everywhere(t *testing.T, check func(t *testing.T, manifests []object)) {
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) { check(t, built(t, overlay)) })
	}
}

// TestSelectorsMatchTheirPods: of workloads, Services, PodDisruptionBudgets, NetworkPolicies and spreads.
func TestSelectorsMatchTheirPods(t *testing.T) {
	everywhere(t, func(t *testing.T, manifests []object) {
		for _, problem := range loose(manifests) {
			t.Error(problem)
		}
	})
	worse := built(t, "overlays/production")
	for kind, path := range map[string]string{
		"PodDisruptionBudget": "spec.selector.matchLabels", "Service": "spec.selector", "NetworkPolicy": "spec.podSelector.matchLabels",
		"Deployment": "spec.selector.matchLabels", "ScaledObject": "spec.scaleTargetRef",
	} {
		worse := copied(t, object{"all": worse})["all"].([]any)
		var manifests []object
		for _, m := range worse {
			m := m.(object)
			if here, ok := at(m, strings.Split(path, ".")...).(object); ok && m["kind"] == kind {
				here["name"], here["app.kubernetes.io/name"] = "workers", "workers"
			}
			manifests = append(manifests, m)
		}
		if len(loose(manifests)) == 0 {
			t.Errorf("%s with a wrong selector is not found", kind)
		}
	}
}

// loose returns selectors that match no pod, and workloads whose own does not match.
func loose(manifests []object) (found []string) {
	all := workloads(manifests)
	for _, w := range all {
		if selector := at(w.manifest, "spec", "selector"); w.kind != "Job" && (selector == nil || !selects(selector, w.labels)) {
			found = append(found, fmt.Sprintf("%s does not select its pods", w))
		}
		spreads, _ := w.pod["topologySpreadConstraints"].([]any)
		for _, spread := range spreads {
			if !selects(at(spread, "labelSelector"), w.labels) || at(spread, "topologyKey") != "kubernetes.io/hostname" {
				found = append(found, fmt.Sprintf("%s does not spread its pods over nodes", w))
			}
		}
		if len(spreads) == 0 && w.kind == "Deployment" {
			found = append(found, fmt.Sprintf("%s may be on one node", w))
		}
	}
	matches := func(selector any) bool {
		return slices.ContainsFunc(all, func(w workload) bool { return selects(selector, w.labels) })
	}
	for kind, path := range map[string][]string{"PodDisruptionBudget": {"spec", "selector"}, "NetworkPolicy": {"spec", "podSelector"}} {
		for _, m := range ofKind(manifests, kind) {
			if !matches(at(m, path...)) {
				found = append(found, fmt.Sprintf("%s %v selects no pod", kind, at(m, "metadata", "name")))
			}
		}
	}
	for _, service := range ofKind(manifests, "Service") {
		if !matches(object{"matchLabels": at(service, "spec", "selector")}) {
			found = append(found, fmt.Sprintf("Service %v selects no pod", at(service, "metadata", "name")))
		}
	}
	for _, scaled := range ofKind(manifests, "ScaledObject") {
		if !slices.ContainsFunc(all, func(w workload) bool {
			return w.kind == "Deployment" && w.name == at(scaled, "spec", "scaleTargetRef", "name")
		}) {
			found = append(found, "the ScaledObject scales nothing")
		}
	}
	return found
}

// TestNetworkPermitsWhatIsNeeded: this is the whole list, for every workload.
func TestNetworkPermitsWhatIsNeeded(t *testing.T) {
	programs := []string{
		"to 0.0.0.0/0 except [10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16]:443/TCP",
		"to namespace kubernetes.io/metadata.name=kube-system:53/TCP",
		"to namespace kubernetes.io/metadata.name=kube-system:53/UDP",
		"to namespace payonce/nats=allowed:4222/TCP",
		"to namespace payonce/redis=allowed:26379/TCP",
		"to namespace payonce/redis=allowed:6379/TCP",
		"to namespace payonce/telemetry=allowed:4318/TCP",
	}
	worker := append([]string{"from namespace payonce/metrics=allowed:admin/TCP"}, programs...)
	ingress := append([]string{worker[0], "from namespace payonce/requests=allowed:http/TCP"}, programs...)
	testenv := []string{"from pod any:any", "to namespace kubernetes.io/metadata.name=kube-system:53/TCP",
		"to namespace kubernetes.io/metadata.name=kube-system:53/UDP", "to pod any:any"}
	for overlay, want := range map[string]map[string][]string{
		"overlays/production": {"worker": worker, "ingress": ingress},
		"overlays/test": {
			"worker": slices.Concat(worker, testenv), "ingress": slices.Concat(ingress, testenv),
			"nats": testenv, "redis-1": testenv, "streams": testenv, "sandbox": testenv,
		},
	} {
		all := workloads(built(t, overlay))
		if len(all) != len(want) {
			t.Errorf("%s has %v", overlay, all)
		}
		for _, w := range all {
			expected := slices.Compact(slices.Sorted(slices.Values(want[w.name])))
			if got := permitted(built(t, overlay), w); !slices.Equal(got, expected) {
				t.Errorf("%s: %s may\n%s\nwant\n%s", overlay, w.name, strings.Join(got, "\n"), strings.Join(expected, "\n"))
			}
		}
	}
}

var pinned = regexp.MustCompile(`^[a-z0-9./-]+:([0-9]+\.[0-9]+\.[0-9]+[a-z0-9.-]*|local)$`)

// TestPodsAreRestricted asks more than the Pod Security Standard "restricted", which the namespace enforces.
func TestPodsAreRestricted(t *testing.T) {
	everywhere(t, func(t *testing.T, manifests []object) {
		for _, w := range workloads(manifests) {
			for _, problem := range openings(w) {
				t.Errorf("%s: %s", w, problem)
			}
		}
		if at(ofKind(manifests, "Namespace")[0], "metadata", "labels", "pod-security.kubernetes.io/enforce") != "restricted" {
			t.Error("the namespace takes any pod")
		}
	})
	for path, bad := range map[string]any{
		"pod securityContext runAsNonRoot": false, "pod securityContext runAsUser": 0, "pod securityContext seccompProfile": nil, "pod hostNetwork": true,
		"pod hostPID": true, "pod automountServiceAccountToken": nil, "pod initContainers": []any{object{}}, "pod enableServiceLinks": nil,
		"container image": "payonce:latest", "container securityContext allowPrivilegeEscalation": nil,
		"container securityContext readOnlyRootFilesystem": false, "container securityContext capabilities": object{"drop": []any{"ALL"}, "add": []any{"NET_RAW"}},
		"container securityContext runAsUser": 0, "container securityContext privileged": true, "container resources limits memory": nil, "container resources limits cpu": nil,
		"container resources requests memory": nil, "container readinessProbe": nil, "container livenessProbe": nil,
		"container env": []any{object{"name": "A", "valueFrom": object{"secretKeyRef": object{}}}}, "container envFrom": []any{object{}},
	} {
		w := workloads(built(t, "overlays/production"))[1]
		keys := strings.Fields(path)
		parent := at(object{"pod": w.pod, "container": w.container()}, keys[:len(keys)-1]...).(object)
		parent[keys[len(keys)-1]] = bad
		if found := openings(w); len(found) != 1 {
			t.Errorf("%s: %v finds %v", path, bad, found)
		}
	}
	w := workloads(built(t, "overlays/production"))[1]
	w.pod["volumes"].([]any)[0] = object{"name": "config", "hostPath": object{"path": "/"}}
	if found := openings(w); len(found) != 1 {
		t.Errorf("a folder of the node finds %v", found)
	}
}

// openings returns what a pod has that it does not need, and what it lacks.
func openings(w workload) (found []string) {
	check := func(ok bool, problem string) {
		if !ok {
			found = append(found, problem)
		}
	}
	c := w.container()
	if c == nil {
		return []string{"it has not one container"}
	}
	check(at(w.pod, "securityContext", "runAsNonRoot") == true, "it may be root")
	check(fmt.Sprint(at(w.pod, "securityContext", "runAsUser")) == "65532", "it is not the user of the image")
	check(at(w.pod, "securityContext", "seccompProfile", "type") == "RuntimeDefault", "it may make any system call")
	check(w.pod["automountServiceAccountToken"] == false, "it can talk to Kubernetes")
	check(w.pod["enableServiceLinks"] == false, "its environment is full of Services")
	for _, field := range []string{"hostNetwork", "hostPID", "hostIPC", "initContainers", "shareProcessNamespace"} {
		check(w.pod[field] == nil, "it has "+field)
	}
	image, _ := c["image"].(string)
	check(pinned.MatchString(image), "its image has no version: "+image)
	check(at(c, "securityContext", "allowPrivilegeEscalation") == false, "it can get privileges")
	check(at(c, "securityContext", "readOnlyRootFilesystem") == true, "its file system can be written")
	check(fmt.Sprint(at(c, "securityContext", "capabilities")) == "map[drop:[ALL]]", "it has capabilities")
	check(at(c, "securityContext", "privileged") == nil && at(c, "securityContext", "runAsUser") == nil, "its container is above its pod")
	for _, kind := range []string{"limits", "requests"} {
		check(at(c, "resources", kind, "memory") != nil && at(c, "resources", kind, "cpu") != nil, "it lacks "+kind)
	}
	check(w.kind == "Job" || c["readinessProbe"] != nil && c["livenessProbe"] != nil && c["startupProbe"] != nil, "nobody asks how it is")
	env, _ := c["env"].([]any)
	for _, one := range env {
		check(at(one, "value") != nil, fmt.Sprintf("%v does not stand in the manifest: secrets are files", at(one, "name")))
	}
	check(c["envFrom"] == nil, "its environment is of elsewhere")
	volumes, _ := w.pod["volumes"].([]any)
	for _, volume := range volumes {
		check(at(volume, "configMap") != nil || at(volume, "secret") != nil, fmt.Sprintf("its volume %v is no configuration and no secret", at(volume, "name")))
	}
	return found
}
