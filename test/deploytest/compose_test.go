package deploytest

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/test/testenv"
)

const (
	composeFile  = "docker-compose.yml"
	overrideFile = "docker-compose.override.yml"
)

// composeServices returns the services of a file, and fails if they are fewer than there should be.
func composeServices(t *testing.T, file string, least int) map[string]any {
	t.Helper()
	services, _ := at(documents(t, file)[0], "services").(node)
	if len(services) < least {
		t.Fatalf("%s has %d services", file, len(services))
	}
	return services
}

// allServices returns those of both files. A service that both files have is as the first one says.
func allServices(t *testing.T) map[string]any {
	t.Helper()
	all := composeServices(t, overrideFile, 4)
	maps.Copy(all, composeServices(t, composeFile, 15))
	return all
}

// TestComposeIsHardened looks at every service of every profile.
func TestComposeIsHardened(t *testing.T) {
	for name, service := range allServices(t) {
		for _, problem := range composeProblems(name, service) {
			t.Errorf("%s: %s", name, problem)
		}
	}
	for _, name := range []string{"worker", "ingress", "archive", "console", "notifier"} {
		text, _ := at(documents(t, composeFile)[0], "services", name, "stop_grace_period").(string)
		if grace, err := time.ParseDuration(text); err != nil || grace < drain() {
			t.Errorf("%s has %q to stop, and may need %s", name, text, drain())
		}
	}
}

// asRoot are the services that run once, to give files to the user of the others.
var asRoot = map[string]bool{"volumes": true, "secrets": true}

// exactVersion is what a tag of an image must begin with; local is what is built here.
var exactVersion = regexp.MustCompile(`^[a-z./-]+:(local|v?\d+\.\d+\.\d+(-[a-z]+)?(@sha256:[0-9a-f]{64})?)$`)

// tools are the programs that health checks may call: what the image has. Ours has no shell.
var tools = map[string]string{
	"nats": "wget", "redis": "/bin/sh", "prom/prometheus": "wget", "grafana/grafana": "wget", "jaegertracing/jaeger": "wget",
	"payonce": "/usr/local/bin/payctl", "payonce-test": "/usr/local/bin/payctl",
}

func composeProblems(name string, service any) (found []string) {
	check := func(ok bool, problem string) {
		if !ok {
			found = append(found, problem)
		}
	}
	image, _ := at(service, "image").(string)
	check(exactVersion.MatchString(image), "its image has no exact version")
	user, _ := at(service, "user").(string)
	check(user == "65532:65532" || asRoot[name] && at(service, "network_mode") == "none", "it is root, and has a network")
	check(at(service, "read_only") == true, "its file system can be written")
	check(at(service, "cap_drop", "0") == "ALL", "it has capabilities")
	check(at(service, "cap_add") == nil || asRoot[name], "it gets capabilities back")
	check(at(service, "security_opt", "0") == "no-new-privileges:true", "it can get privileges")
	for _, limit := range []string{"mem_limit", "cpus", "pids_limit"} {
		check(at(service, limit) != nil, "it has no "+limit)
	}
	check(at(service, "privileged") == nil, "it is privileged")
	repository, _, _ := strings.Cut(image, ":")
	tool, _ := at(service, "healthcheck", "test", "1").(string)
	check(at(service, "restart") != "unless-stopped" || tool != "" && tool == tools[repository], "its health is not checked with what its image has")
	return append(found, reachable(service)...)
}

// reachable says what a service offers to, or takes from, other than its own network.
func reachable(service any) (found []string) {
	ports, _ := at(service, "ports").([]any)
	for _, port := range ports {
		if text, _ := port.(string); !strings.HasPrefix(text, "127.0.0.1:") {
			found = append(found, "it is reached from other machines")
		}
	}
	volumes, _ := at(service, "volumes").([]any)
	for _, volume := range volumes {
		text, bind := volume.(string)
		if bind && strings.HasPrefix(text, "./") && !strings.HasSuffix(text, ":ro") || strings.Contains(text, "docker.sock") {
			found = append(found, "it can write to this machine")
		}
	}
	if mode, _ := at(service, "network_mode").(string); mode != "" && mode != "none" {
		found = append(found, "it has the network of something else")
	}
	return found
}

func TestComposeRulesBite(t *testing.T) {
	for key, bad := range map[string]any{
		"image": "nats:2-alpine", "user": "0:0", "read_only": false, "cap_drop": nil, "cap_add": []any{"SYS_ADMIN"}, "security_opt": nil,
		"mem_limit": nil, "cpus": nil, "pids_limit": nil, "privileged": true, "ports": []any{"8080:8080"}, "network_mode": "host",
		"healthcheck": nil, "volumes": []any{"/var/run/docker.sock:/var/run/docker.sock:ro"},
	} {
		worse := maps.Clone(composeServices(t, composeFile, 15)["nats-1"].(node))
		worse[key] = bad
		if found := composeProblems("nats-1", worse); len(found) != 1 {
			t.Errorf("%s: %v finds %v", key, bad, found)
		}
	}
}

// TestProgramsHaveOnlyTheirOwnSeed: a program that can read another's seed has the other's rights.
func TestProgramsHaveOnlyTheirOwnSeed(t *testing.T) {
	seed := map[string]string{"worker": "nats_worker_seed", "ingress": "nats_ingress_seed", "archive": "nats_archive_seed", "console": "nats_console_seed", "notifier": "nats_notifier_seed", "streams": "nats_administrator_seed"}
	for service, parts := range composeServices(t, composeFile, 15) {
		secrets, _ := at(parts, "secrets").([]any)
		seeds := 0
		for _, one := range secrets {
			source, _ := at(one, "source").(string)
			if strings.HasSuffix(source, "_seed") {
				seeds++
			}
			ofServer := source == "nats_server_key" || source == "nats_env"
			if strings.HasSuffix(source, "_seed") && source != seed[service] || ofServer && !strings.HasPrefix(service, "nats-") {
				t.Errorf("%s has %s", service, source)
			}
		}
		if _, needs := seed[service]; needs != (seeds == 1) {
			t.Errorf("%s has %d seeds", service, seeds)
		}
	}
}

// TestProgramsHaveOnlyTheSecretsThatTheyRead: providers' secrets are for those who pay or show, and what webhooks to endpoints are signed
// with is for the notifier.
func TestProgramsHaveOnlyTheSecretsThatTheyRead(t *testing.T) {
	want := map[string]string{"worker": "providers", "ingress": "providers", "console": "providers", "streams": "providers", "archive": "", "notifier": "endpoints"}
	for service, folder := range want {
		var found []string
		for _, file := range []string{composeFile, overrideFile} {
			volumes, _ := at(composeServices(t, file, 4)[service], "volumes").([]any)
			for _, volume := range volumes {
				if text, _ := volume.(string); strings.HasPrefix(text, "${PAYONCE_SECRETS:-./secrets}/") {
					_, target, _ := strings.Cut(text, ":/run/secrets/")
					found = append(found, strings.TrimSuffix(target, ":ro"))
				}
			}
		}
		if got := strings.Join(slices.Compact(found), ","); got != folder {
			t.Errorf("%s has the secrets of %q, want %q", service, got, folder)
		}
	}
}

var variable = regexp.MustCompile(`\$\{([A-Z_]+)(:-[^}]*)?\}`)

// TestComposeNamesWhatExists: files in the repository, services, secrets, volumes and networks, and a value for
// every variable, so that a fresh clone starts as it is.
func TestComposeNamesWhatExists(t *testing.T) {
	file, services, mounts := documents(t, composeFile)[0], allServices(t), 0
	declared := func(kind, name string) bool {
		return at(file, kind, name) != nil || at(documents(t, overrideFile)[0], kind, name) != nil
	}
	for name, service := range services {
		for _, other := range keysOf(at(service, "depends_on")) {
			if services[other] == nil {
				t.Errorf("%s waits for %s, which is no service", name, other)
			}
		}
		secrets, _ := at(service, "secrets").([]any)
		sources := map[string]bool{}
		for _, secret := range secrets {
			source, _ := at(secret, "source").(string)
			if !declared("secrets", source) {
				t.Errorf("%s wants the secret %s, which there is not", name, source)
			}
			if sources[source] { // Compose 1 merges two files by the source, and leaves out the first target
				t.Errorf("%s has the secret %s twice", name, source)
			}
			sources[source] = true
		}
		volumes, _ := at(service, "volumes").([]any)
		for _, volume := range volumes {
			text, _ := volume.(string)
			if source, _ := at(volume, "source").(string); source != "" && !declared("volumes", source) {
				t.Errorf("%s wants the volume %s, which there is not", name, source)
			}
			if path, _, _ := strings.Cut(text, ":"); strings.HasPrefix(path, "./") {
				mounts++
				if _, err := os.Stat(filepath.Join("../..", path)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
	if mounts < 10 {
		t.Errorf("only %d files are mounted", mounts)
	}
	for _, path := range []string{composeFile, overrideFile} {
		for _, found := range variable.FindAllStringSubmatch(read(t, path), -1) {
			if found[2] == "" {
				t.Errorf("%s: %s has no value of its own", path, found[1])
			}
		}
	}
}

func keysOf(v any) []string {
	m, _ := v.(node)
	return slices.Sorted(maps.Keys(m))
}

// profilesOf returns the profiles that services have.
func profilesOf(services map[string]any) map[string]bool {
	all := map[string]bool{}
	for _, service := range services {
		profiles, _ := at(service, "profiles").([]any)
		for _, profile := range profiles {
			name, _ := profile.(string)
			all[name] = true
		}
	}
	return all
}

// TestProfilesHaveTheirServices: what each profile adds to the services that are always there.
func TestProfilesHaveTheirServices(t *testing.T) {
	want := map[string][]string{
		"":              {"archive", "console", "ingress", "nats-1", "notifier", "receiver", "redis-1", "sandbox", "streams", "volumes", "worker"},
		"ha":            {"nats-2", "nats-3", "redis-2", "sentinel-1", "sentinel-2", "sentinel-3"},
		"observability": {"grafana", "jaeger", "prometheus"},
		"secrets":       {"secrets"}, "shop": {"shop"},
	}
	services := allServices(t)
	for profile, names := range want {
		var found []string
		for name, service := range services {
			first, _ := at(service, "profiles", "0").(string)
			if first == profile {
				found = append(found, name)
			}
		}
		if slices.Sort(found); !slices.Equal(found, names) {
			t.Errorf("profile %q has %v, want %v", profile, found, names)
		}
	}
	for _, name := range []string{"ha", "observability"} { // what turns them on
		if env := read(t, "deploy/docker/"+name+".env"); !strings.Contains(env, "\nCOMPOSE_PROFILES="+name+"\n") || !profilesOf(services)[name] {
			t.Errorf("deploy/docker/%s.env does not turn the profile on", name)
		}
	}
}

// TestEnvironmentFilesSetWhatIsRead: a variable that no program reads changes nothing.
func TestEnvironmentFilesSetWhatIsRead(t *testing.T) {
	files, err := filepath.Glob("../../deploy/docker/*.env")
	if err != nil || len(files) != 2 {
		t.Fatalf("files are %v: %v", files, err)
	}
	for _, path := range files {
		for line := range strings.Lines(read(t, strings.TrimPrefix(path, "../../"))) {
			name, _, set := strings.Cut(line, "=")
			ofCompose := strings.HasPrefix(name, "COMPOSE_")
			if set && !strings.HasPrefix(line, "#") && !ofCompose && !strings.Contains(read(t, composeFile), "${"+name+":-") {
				t.Errorf("%s: nobody reads %s", path, name)
			}
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", path))
	testenv.Must(t, err)
	return string(text)
}
