package kubernetes

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// files returns the files that a pod sees, by path, with their names in ConfigMap or Secret. A Secret that is not
// part of the overlay is made by the operator: it has what docs/deploy-kubernetes.md says.
func files(t *testing.T, manifests []object, w workload) map[string]bool {
	t.Helper()
	seen := map[string]bool{}
	mounts, _ := w.container()["volumeMounts"].([]any)
	volumes, _ := w.pod["volumes"].([]any)
	claims, _ := at(w.manifest, "spec", "volumeClaimTemplates").([]any)
	for _, mount := range mounts {
		name := at(mount, "name")
		if slices.ContainsFunc(claims, func(c any) bool { return at(c, "metadata", "name") == name }) {
			continue
		}
		i := slices.IndexFunc(volumes, func(v any) bool { return at(v, "name") == name })
		if i >= 0 && claimed(manifests, volumes[i]) {
			continue
		}
		if i < 0 || at(mount, "readOnly") != true {
			t.Errorf("%s: the mount %v has no volume, or can be written", w, name)
			continue
		}
		for _, key := range keysOf(t, manifests, volumes[i]) {
			seen[path.Join(fmt.Sprint(at(mount, "mountPath")), key)] = true
		}
	}
	if len(mounts) != len(volumes)+len(claims) {
		t.Errorf("%s: %d mounts of %d volumes", w, len(mounts), len(volumes)+len(claims))
	}
	return seen
}

// claimed reports whether a volume is a PersistentVolumeClaim of the overlay, which is there to be written.
func claimed(manifests []object, volume any) bool {
	name := at(volume, "persistentVolumeClaim", "claimName")
	return name != nil && slices.ContainsFunc(ofKind(manifests, "PersistentVolumeClaim"), func(m object) bool { return at(m, "metadata", "name") == name })
}

// documented are the files of the Secrets that production's operator makes.
var documented = map[string][]string{
	"payonce-ingress":   {"nats.seed", "nats-ca.pem", "redis-ca.pem", "redis.password", "sentinel.password", "api.sha256", "archive.url"},
	"payonce-worker":    {"nats.seed", "nats-ca.pem", "redis-ca.pem", "redis.password", "sentinel.password", "api.sha256", "archive.url"},
	"payonce-archive":   {"nats.seed", "nats-ca.pem", "redis-ca.pem", "redis.password", "sentinel.password", "api.sha256", "archive.url"},
	"payonce-console":   {"nats.seed", "nats-ca.pem", "redis-ca.pem", "redis.password", "sentinel.password", "api.sha256", "archive.url"},
	"payonce-notifier":  {"nats.seed", "nats-ca.pem", "redis-ca.pem", "redis.password", "sentinel.password", "api.sha256", "archive.url"},
	"payonce-endpoints": {"shop-endpoint.secret"},
	"payonce-providers": {"teemopay-kr.pem", "teemopay-platform.pem"},
}

func keysOf(t *testing.T, manifests []object, volume any) (keys []string) {
	t.Helper()
	for kind, name := range map[string]any{"ConfigMap": at(volume, "configMap", "name"), "Secret": at(volume, "secret", "secretName")} {
		if name == nil {
			continue
		}
		all := ofKind(manifests, kind)
		i := slices.IndexFunc(all, func(m object) bool { return at(m, "metadata", "name") == name })
		if i < 0 && kind == "Secret" && documented[name.(string)] != nil {
			return documented[name.(string)]
		}
		if i < 0 {
			t.Errorf("there is no %s %v", kind, name)
			return nil
		}
		if kind == "Secret" && fmt.Sprint(at(volume, "secret", "defaultMode")) != "288" {
			t.Errorf("Secret %v can be read by others than the program: %v", name, at(volume, "secret", "defaultMode"))
		}
		data, _ := all[i]["data"].(object)
		for key := range data {
			keys = append(keys, key)
		}
	}
	return keys
}

var (
	aFile   = regexp.MustCompile(`/(?:run/secrets|etc)/[A-Za-z0-9_./-]+`)
	aURL    = regexp.MustCompile(`https?://[a-z0-9.:-]+`)
	aServer = regexp.MustCompile(`(?m)(?:tls://|addresses: \["|REDIS_ADDRESS=)([a-z0-9-]+:\d+)`)
	aFolder = "/run/secrets/providers"
)

// TestFilesThatAreNamedAreThere: in commands, environments and configurations of every pod.
func TestFilesThatAreNamedAreThere(t *testing.T) {
	everywhere(t, func(t *testing.T, manifests []object) {
		named := 0
		for _, w := range workloads(manifests) {
			seen := files(t, manifests, w)
			for _, file := range aFile.FindAllString(said(manifests, w), -1) {
				named++
				if reads := reads(w, file); seen[file] != reads && file != aFolder {
					t.Errorf("%s: %s is there: %t, and it reads it: %t", w, file, seen[file], reads)
				}
			}
		}
		if named < 15 {
			t.Errorf("only %d files are named: nothing would be checked", named)
		}
	})
}

// reads reports whether a program reads a file that the common configuration names: secrets of providers and of endpoints are only for
// those who need them.
func reads(w workload, file string) bool {
	switch path.Dir(file) {
	case aFolder:
		return w.name != "archive" && w.name != "notifier"
	case "/run/secrets/endpoints":
		return w.name == "notifier" || w.name == "receiver"
	}
	return true
}

// said is all text that a pod acts on: its command, its probes, its environment and its configuration.
func said(manifests []object, w workload) string {
	c := w.container()
	text := fmt.Sprintln(c["command"], c["args"], c["livenessProbe"], c["readinessProbe"], c["startupProbe"])
	env, _ := c["env"].([]any)
	for _, one := range env {
		text += fmt.Sprintf("%v=%v\n", at(one, "name"), at(one, "value"))
	}
	volumes, _ := w.pod["volumes"].([]any)
	for _, m := range ofKind(manifests, "ConfigMap") {
		if slices.ContainsFunc(volumes, func(v any) bool { return at(v, "configMap", "name") == at(m, "metadata", "name") }) {
			data, _ := m["data"].(object)
			for _, file := range data {
				text += fmt.Sprintln(file)
			}
		}
	}
	return text
}

// TestNamesThatAreCalledAreServices: with their ports, and behind them a container that has the port.
func TestNamesThatAreCalledAreServices(t *testing.T) {
	manifests := built(t, "overlays/test")
	reached := map[string]bool{}
	for _, service := range ofKind(manifests, "Service") {
		ports, _ := at(service, "spec", "ports").([]any)
		for _, port := range ports {
			reached[fmt.Sprintf("%v:%v", at(service, "metadata", "name"), at(port, "port"))] = true
			if !hasPort(manifests, at(service, "spec", "selector"), at(port, "targetPort")) {
				t.Errorf("Service %v: no container has the port %v", at(service, "metadata", "name"), at(port, "targetPort"))
			}
		}
	}
	called := map[string]bool{}
	for _, w := range workloads(manifests) {
		for _, found := range aURL.FindAllString(said(manifests, w), -1) {
			if u, err := url.Parse(found); err != nil || u.Hostname() != "127.0.0.1" && u.Hostname() != "shop.example" {
				called[u.Host] = true
			}
		}
		for _, found := range aServer.FindAllStringSubmatch(said(manifests, w), -1) {
			called[found[1]] = true
		}
	}
	for host := range called {
		if !reached[host] {
			t.Errorf("%s is called, and no Service has it; there are %v", host, reached)
		}
	}
	if len(called) != 5 {
		t.Errorf("called are %v", called)
	}
}

func hasPort(manifests []object, selector, port any) bool {
	return slices.ContainsFunc(workloads(manifests), func(w workload) bool {
		ports, _ := w.container()["ports"].([]any)
		return selects(object{"matchLabels": selector}, w.labels) && slices.ContainsFunc(ports, func(p any) bool { return at(p, "name") == port })
	})
}

// TestProbesAskPortsThatListen: the port of a probe is one of the container, with the number that the
// configuration listens on.
func TestProbesAskPortsThatListen(t *testing.T) {
	everywhere(t, func(t *testing.T, manifests []object) {
		asked := 0
		for _, w := range workloads(manifests) {
			c, text := w.container(), said(manifests, w)
			ports, _ := c["ports"].([]any)
			numbers := map[any]string{}
			for _, port := range ports {
				numbers[at(port, "name")] = fmt.Sprint(at(port, "containerPort"))
			}
			for _, probe := range []string{"livenessProbe", "readinessProbe", "startupProbe"} {
				get := at(c, probe, "httpGet")
				if get == nil {
					continue
				}
				asked++
				section := text
				if w.name == "worker" || w.name == "ingress" {
					_, section, _ = strings.Cut(text, "\n"+w.name+":\n")
					section, _, _ = strings.Cut(section, "\nproviders:")
					if w.name == "ingress" {
						section, _, _ = strings.Cut(section, "\nworker:")
					}
				}
				number := numbers[at(get, "port")]
				if number == "" || !regexp.MustCompile(`listen:? :`+number+`\b`).MatchString(section) {
					t.Errorf("%s: its %s asks %v (%s), on which nobody listens", w, probe, at(get, "port"), number)
				}
			}
		}
		if asked < 6 {
			t.Errorf("%d probes are looked at", asked)
		}
	})
}

// TestScaling: production has two of everything that payments wait for, and KEDA alone counts the workers.
func TestScaling(t *testing.T) {
	manifests := built(t, "overlays/production")
	scaled := ofKind(manifests, "ScaledObject")[0]
	least, _ := at(scaled, "spec", "minReplicaCount").(int)
	most, _ := at(scaled, "spec", "maxReplicaCount").(int)
	fallback, _ := at(scaled, "spec", "fallback", "replicas").(int)
	if least < 2 || most < least || fallback < least {
		t.Errorf("KEDA keeps %d to %d workers, %d while it knows nothing", least, most, fallback)
	}
	if at(scaled, "metadata", "annotations", "autoscaling.keda.sh/paused") != nil {
		t.Error("KEDA does nothing")
	}
	for _, w := range workloads(manifests) {
		replicas, given := at(w.manifest, "spec", "replicas").(int)
		if w.name == "worker" && given || w.name == "ingress" && replicas < 2 {
			t.Errorf("%s has %d replicas", w, replicas)
		}
		budgets := slices.ContainsFunc(ofKind(manifests, "PodDisruptionBudget"), func(m object) bool {
			return selects(at(m, "spec", "selector"), w.labels) && at(m, "spec", "minAvailable") == 1
		})
		if !budgets && !slices.Contains([]string{"archive", "console", "notifier"}, w.name) { // payments do not wait for them
			t.Errorf("%s may lose all its pods at once", w)
		}
	}
}
