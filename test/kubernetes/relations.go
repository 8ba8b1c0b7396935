package kubernetes

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// workload is something that makes pods.
type workload struct {
	kind, name string
	manifest   object
	labels     object // of its pods
	pod        object // their spec
}

func (w workload) String() string { return w.kind + " " + w.name }

func (w workload) container() object {
	list, _ := w.pod["containers"].([]any)
	if len(list) != 1 {
		return nil
	}
	return list[0].(object)
}

func workloads(manifests []object) (all []workload) {
	for _, m := range manifests {
		if pod, ok := at(m, "spec", "template", "spec").(object); ok {
			labels, _ := at(m, "spec", "template", "metadata", "labels").(object)
			all = append(all, workload{fmt.Sprint(m["kind"]), fmt.Sprint(at(m, "metadata", "name")), m, labels, pod})
		}
	}
	return all
}

func ofKind(manifests []object, kind string) (all []object) {
	for _, m := range manifests {
		if m["kind"] == kind {
			all = append(all, m)
		}
	}
	return all
}

// selects reports whether a label selector matches labels. Operators other than In match nothing.
func selects(selector any, labels object) bool {
	exact, _ := at(selector, "matchLabels").(object)
	for name, value := range exact {
		if labels[name] != value {
			return false
		}
	}
	expressions, _ := at(selector, "matchExpressions").([]any)
	for _, e := range expressions {
		values, _ := at(e, "values").([]any)
		if at(e, "operator") != "In" || !slices.Contains(values, labels[fmt.Sprint(at(e, "key"))]) {
			return false
		}
	}
	return true
}

// permitted returns what the NetworkPolicies let the pods of a workload do, sorted: "to PEER:PORT/PROTOCOL" and
// "from …"; "anything" for a direction that no policy is about.
func permitted(manifests []object, w workload) []string {
	allowed, limited := map[string]bool{}, map[string]bool{}
	for _, policy := range ofKind(manifests, "NetworkPolicy") {
		if !selects(at(policy, "spec", "podSelector"), w.labels) {
			continue
		}
		kinds, _ := at(policy, "spec", "policyTypes").([]any)
		for _, kind := range kinds {
			limited[fmt.Sprint(kind)] = true
		}
		for _, way := range []struct{ rules, peers, word string }{{"egress", "to", "to"}, {"ingress", "from", "from"}} {
			rules, _ := at(policy, "spec", way.rules).([]any)
			for _, rule := range rules {
				for _, peer := range peersOf(at(rule, way.peers)) {
					for _, port := range portsOf(at(rule, "ports")) {
						allowed[way.word+" "+peer+port] = true
					}
				}
			}
		}
	}
	for kind, word := range map[string]string{"Egress": "to", "Ingress": "from"} {
		if !limited[kind] {
			allowed[word+" anything"] = true
		}
	}
	return slices.Sorted(maps.Keys(allowed))
}

func peersOf(list any) []string {
	peers, _ := list.([]any)
	if len(peers) == 0 {
		return []string{"everybody"}
	}
	var all []string
	for _, peer := range peers {
		var parts []string
		for _, kind := range []string{"namespaceSelector", "podSelector"} {
			if selector, ok := at(peer, kind).(object); ok {
				parts = append(parts, strings.TrimSuffix(kind, "Selector")+" "+labelsOf(selector))
			}
		}
		if cidr := at(peer, "ipBlock", "cidr"); cidr != nil {
			parts = append(parts, fmt.Sprintf("%v except %v", cidr, at(peer, "ipBlock", "except")))
		}
		all = append(all, strings.Join(parts, " "))
	}
	return all
}

func labelsOf(selector object) string {
	if len(selector) == 0 {
		return "any"
	}
	exact, _ := selector["matchLabels"].(object)
	var all []string
	for _, name := range slices.Sorted(maps.Keys(exact)) {
		all = append(all, fmt.Sprintf("%s=%v", name, exact[name]))
	}
	return strings.Join(all, ",")
}

func portsOf(list any) []string {
	ports, _ := list.([]any)
	if len(ports) == 0 {
		return []string{":any"}
	}
	var all []string
	for _, port := range ports {
		all = append(all, fmt.Sprintf(":%v/%v", at(port, "port"), at(port, "protocol")))
	}
	return all
}
