package deploytest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"payonce/pkg/config"
)

// node is a part of a YAML document.
type node = map[string]any

// at walks down a document by keys, and by numbers in lists; nil where there is nothing.
func at(v any, path ...string) any {
	for _, key := range path {
		switch here := v.(type) {
		case node:
			v = here[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(here) {
				return nil
			}
			v = here[i]
		default:
			return nil
		}
	}
	return v
}

func documents(t *testing.T, path string) (all []node) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", path))
	if err != nil {
		t.Fatal(err)
	}
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for {
		var one node
		if err := loader.Load(&one); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, one)
	}
}

// drain is how long a stopping worker may need, with the times that a configuration has.
func drain() time.Duration {
	w := config.Defaults().Worker
	return max(w.ShutdownTimeout, w.Lease+w.SubmitTimeout)
}

// TestComposeIsHardened looks at every service of both files.
func TestComposeIsHardened(t *testing.T) {
	for _, file := range []string{"docker-compose.yml", "docker-compose.override.yml"} {
		services, _ := at(documents(t, file)[0], "services").(node)
		if len(services) < 4 {
			t.Fatalf("%s has %d services", file, len(services))
		}
		for name, service := range services {
			if at(service, "image") == nil {
				continue // only adds to a service of the other file
			}
			for _, problem := range composeProblems(name, service) {
				t.Errorf("%s: %s: %s", file, name, problem)
			}
		}
	}
	for _, name := range []string{"worker", "ingress"} {
		text, _ := at(documents(t, "docker-compose.yml")[0], "services", name, "stop_grace_period").(string)
		if grace, err := time.ParseDuration(text); err != nil || grace < drain() {
			t.Errorf("%s has %q to stop, and may need %s", name, text, drain())
		}
	}
}

// asRoot are the services that run once, to give files to the user of the others.
var asRoot = map[string]bool{"volumes": true, "secrets": true}

func composeProblems(name string, service any) (found []string) {
	check := func(ok bool, problem string) {
		if !ok {
			found = append(found, problem)
		}
	}
	image, _ := at(service, "image").(string)
	_, tag, tagged := strings.Cut(image, ":")
	check(tagged && tag != "latest", "its image has no version")
	user, _ := at(service, "user").(string)
	check(user == "65532:65532" || asRoot[name] && at(service, "network_mode") == "none", "it is root, and has a network")
	check(at(service, "read_only") == true, "its file system can be written")
	check(at(service, "cap_drop", "0") == "ALL", "it has capabilities")
	check(at(service, "security_opt", "0") == "no-new-privileges:true", "it can get privileges")
	check(at(service, "mem_limit") != nil, "its memory has no limit")
	check(at(service, "privileged") == nil, "it is privileged")
	ports, _ := at(service, "ports").([]any)
	for _, port := range ports {
		text, _ := port.(string)
		check(strings.HasPrefix(text, "127.0.0.1:"), "it is reached from other machines")
	}
	return found
}

func TestComposeRulesBite(t *testing.T) {
	services, _ := at(documents(t, "docker-compose.yml")[0], "services").(node)
	for key, bad := range map[string]any{
		"image": "nats:latest", "user": "0:0", "read_only": false, "cap_drop": nil, "security_opt": nil, "mem_limit": nil,
		"privileged": true, "ports": []any{"8080:8080"},
	} {
		worse := node{}
		for k, v := range services["worker"].(node) {
			worse[k] = v
		}
		worse[key] = bad
		if found := composeProblems("worker", worse); len(found) != 1 {
			t.Errorf("%s: %v finds %v", key, bad, found)
		}
	}
}

// TestProgramsHaveOnlyTheirOwnSeed: a program that can read another's seed has the other's rights.
func TestProgramsHaveOnlyTheirOwnSeed(t *testing.T) {
	for service, seed := range map[string]string{"worker": "nats_worker_seed", "ingress": "nats_ingress_seed", "streams": "nats_operator_seed"} {
		secrets, _ := at(documents(t, "docker-compose.yml")[0], "services", service, "secrets").([]any)
		seeds := 0
		for _, one := range secrets {
			source, _ := at(one, "source").(string)
			if strings.HasSuffix(source, "_seed") {
				seeds++
			}
			if strings.HasSuffix(source, "_seed") && source != seed || source == "nats_server_key" || source == "nats_env" {
				t.Errorf("%s has %s", service, source)
			}
		}
		if seeds != 1 {
			t.Errorf("%s has %d seeds", service, seeds)
		}
	}
}
