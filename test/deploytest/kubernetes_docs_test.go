package deploytest

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"payonce/internal/credentials"
	"payonce/pkg/config"
)

const kubernetesPage = "docs/deploy-kubernetes.md"

func shippedText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// commands returns the lines of a page's shell blocks.
func commands(t *testing.T, page string) (lines []string) {
	t.Helper()
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(shippedText(t, page), -1) {
		lines = append(lines, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	return lines
}

// all returns the first group of every match, sorted and once each.
func all(text, pattern string) (found []string) {
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// TestKubernetesPageAppliesWhatIsThere: folders, files, objects and labels of the commands.
func TestKubernetesPageAppliesWhatIsThere(t *testing.T) {
	typed := strings.Join(commands(t, kubernetesPage), "\n")
	for _, folder := range all(typed, `kubectl apply -k (\S+)`) {
		shippedText(t, filepath.Join(folder, "kustomization.yaml"))
	}
	for _, file := range all(typed, `kubectl apply -f (\S+)`) {
		shippedText(t, file)
	}
	manifests := ""
	files, err := filepath.Glob("../../deploy/kubernetes/*/*.yaml")
	more, err2 := filepath.Glob("../../deploy/kubernetes/*/*/*.yaml")
	if err != nil || err2 != nil || len(more) < 10 {
		t.Fatal(err, err2, more)
	}
	for _, file := range append(files, more...) {
		manifests += shippedText(t, strings.TrimPrefix(file, "../../"))
	}
	labels := all(typed, `(payonce/[a-z]+)=allowed`)
	if want := all(manifests, `(payonce/[a-z]+): allowed`); !slices.Equal(labels, want) || len(want) != 6 {
		t.Errorf("the page labels %v, the policies have %v", labels, want)
	}
	for _, image := range all(typed, `docker build --target (testenv -t \S+)`) {
		if name, tag, _ := strings.Cut(strings.TrimPrefix(image, "testenv -t "), ":"); !strings.Contains(manifests, "newName: "+name+", newTag: "+tag) {
			t.Errorf("no overlay has the image %s", image)
		}
	}
	for _, service := range all(typed, `service/([a-z]+ [0-9]+:[0-9]+)`) {
		name, ports, _ := strings.Cut(service, " ")
		_, port, _ := strings.Cut(ports, ":")
		if !regexp.MustCompile(`metadata: \{name: `+name+`[,}]`).MatchString(manifests) || !regexp.MustCompile(`(port: |/port, value: )`+port+`\b`).MatchString(manifests) {
			t.Errorf("there is no Service %s with port %s", name, port)
		}
	}
}

// TestKubernetesPageMakesTheSecrets: those that the pods mount, with the files that production's configuration
// names, from files that "payctl credentials make" writes or that the page names.
func TestKubernetesPageMakesTheSecrets(t *testing.T) {
	dir := t.TempDir()
	if err := credentials.Make(credentials.Options{Dir: filepath.Join(dir, "nats"), Hosts: []string{"nats.nats"}, Endpoints: []string{"shop"}, RedisHosts: []string{"redis.redis"}, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	made := map[string][]string{}
	for _, line := range commands(t, kubernetesPage) {
		fields := strings.Fields(line)
		i := slices.Index(fields, "generic")
		if i < 0 {
			continue
		}
		for _, flag := range fields[i+2:] {
			file, ok := strings.CutPrefix(flag, "--from-file=")
			if !ok {
				t.Fatalf("what is %s?", flag)
			}
			key, path, renamed := strings.Cut(file, "=")
			if _, err := os.Stat(filepath.Join(dir, path)); renamed && err != nil {
				t.Errorf("payctl credentials make writes no %s", path)
			}
			made[fields[i+1]] = append(made[fields[i+1]], key)
		}
		if own := strings.TrimPrefix(fields[i+1], "payonce-"); own != "providers" && own != "endpoints" && !strings.Contains(line, "clients/"+cmp.Or(map[string]string{"console": "viewer"}[own], own)+".seed") {
			t.Errorf("%s has another's seed", own)
		}
	}
	named := shippedText(t, "deploy/kubernetes/overlays/production/payonce.yaml")
	folders := map[string][]string{
		"worker": {"payonce", "providers"}, "ingress": {"payonce", "providers"}, "console": {"payonce", "providers"},
		"archive": {"payonce"}, "notifier": {"payonce", "endpoints"}, // which have no secret of a provider
	}
	for name, deployment := range workloads(t) {
		if volumes, _ := at(deployment, "spec", "template", "spec", "volumes").([]any); folders[name] != nil && len(volumes) != 1+len(folders[name]) {
			t.Errorf("%s has %d volumes", name, len(volumes))
		}
		for i, folder := range folders[name] {
			volume := strconv.Itoa(i + 1)
			secret := fmt.Sprint(at(deployment, "spec", "template", "spec", "volumes", volume, "secret", "secretName"))
			want := all(named, `/run/secrets/`+folder+`/([a-z0-9.-]+)`)
			if got := slices.Sorted(slices.Values(made[secret])); !slices.Equal(got, want) || len(want) == 0 {
				t.Errorf("%s: the page makes %s of %v, the configuration wants %v", name, secret, got, want)
			}
		}
	}
}

// TestKubernetesPageSaysTheNumbers of the code and the manifests.
func TestKubernetesPageSaysTheNumbers(t *testing.T) {
	text := strings.Join(strings.Fields(shippedText(t, kubernetesPage)), " ")
	w := config.Defaults().Worker
	scaling := documents(t, "deploy/kubernetes/overlays/production/scaling.yaml")[0]
	for _, want := range []string{
		fmt.Sprintf("A stopping pod has %v s: `worker.lease` + `worker.submit_timeout` is %v s.",
			at(workloads(t)["worker"], "spec", "template", "spec", "terminationGracePeriodSeconds"), (w.Lease + w.SubmitTimeout).Seconds()),
		fmt.Sprintf("older than %v s, or when more than %v of them wait for each worker, and keeps at least %v",
			at(scaling, "spec", "triggers", "0", "metadata", "threshold"), at(scaling, "spec", "triggers", "1", "metadata", "threshold"), at(scaling, "spec", "minReplicaCount")),
		fmt.Sprintf("there are %v workers", at(scaling, "spec", "fallback", "replicas")),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// TestKubernetesHasTheTestEnvironmentOfCompose: the same accounts, Redis and payments; secrets lie in a folder more.
func TestKubernetesHasTheTestEnvironmentOfCompose(t *testing.T) {
	const overlay = "deploy/kubernetes/overlays/test/"
	for here, there := range map[string]string{"accounts.yaml": "sandbox.yaml", "redis.conf": "redis.conf"} {
		if shippedText(t, overlay+here) != shippedText(t, "deploy/docker/"+there) {
			t.Errorf("%s is not deploy/docker/%s", here, there)
		}
	}
	have := strings.ReplaceAll(shippedText(t, overlay+"payonce.yaml"), "/run/secrets/payonce/", "/run/secrets/")
	if have != shippedText(t, "deploy/docker/test.yaml") {
		t.Error("payonce.yaml is not deploy/docker/test.yaml with /run/secrets/payonce")
	}
}
