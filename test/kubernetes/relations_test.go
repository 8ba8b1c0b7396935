package kubernetes

import (
	"fmt"
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
		"PodDisruptionBudget": "spec.selector.matchLabels", "Service": "spec.selector", "NetworkPolicy": "spec",
		"Deployment": "spec.selector.matchLabels", "ScaledObject": "spec.scaleTargetRef",
	} {
		worse := copied(t, object{"all": worse})["all"].([]any)
		var manifests []object
		for _, m := range worse {
			m := m.(object)
			if here, ok := at(m, strings.Split(path, ".")...).(object); ok && m["kind"] == kind {
				here["name"], here["app.kubernetes.io/name"] = "workers", "workers"
				if kind == "NetworkPolicy" {
					here["podSelector"] = object{"matchLabels": object{"app.kubernetes.io/name": "workers"}}
				}
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
	const database = "to namespace payonce/postgresql=allowed:5432/TCP"
	ingress := append([]string{worker[0], "from namespace payonce/requests=allowed:http/TCP", database}, programs...)
	archive := []string{worker[0], programs[1], programs[2], programs[3], programs[6], database} // it calls no provider
	console := append([]string{ingress[1]}, archive...)
	notifier := append([]string{worker[0], programs[6]}, programs[:4]...)
	testenv := []string{"from pod any:any", "to namespace kubernetes.io/metadata.name=kube-system:53/TCP",
		"to namespace kubernetes.io/metadata.name=kube-system:53/UDP", "to pod any:any"}
	for overlay, want := range map[string]map[string][]string{
		"overlays/production": {"worker": worker, "ingress": ingress, "archive": archive, "console": console, "notifier": notifier},
		"overlays/test": {
			"worker": slices.Concat(worker, testenv), "ingress": slices.Concat(ingress, testenv), "archive": slices.Concat(archive, testenv), "console": slices.Concat(console, testenv), "notifier": slices.Concat(notifier, testenv),
			"nats": testenv, "redis-1": testenv, "streams": testenv, "sandbox": testenv, "receiver": testenv,
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
