package app_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"payonce/internal/app"
)

// call runs a service's main function as a shell would.
func call(service app.Service, args ...string) (code int, stdout, stderr string) {
	var out, problems bytes.Buffer
	code = app.Main(service, args, &out, &problems)
	return code, out.String(), problems.String()
}

func TestHelpShowsExamples(t *testing.T) {
	for _, service := range []app.Service{app.Worker(), app.Ingress(), app.Archive(), app.Console()} {
		code, out, _ := call(service, "--help")
		if code != app.ExitOK || !strings.Contains(out, "Examples:") || !strings.Contains(out, service.Name+" --config") || !strings.Contains(out, "-check-config") {
			t.Errorf("%s --help: code %d, %s", service.Name, code, out)
		}
		if code, out, _ := call(service, "--version"); code != app.ExitOK || !strings.HasPrefix(out, service.Name) {
			t.Errorf("%s --version: code %d, %s", service.Name, code, out)
		}
	}
}

// The file of the environment is read where the command line names none.
func TestConfigurationNamedByTheEnvironment(t *testing.T) {
	t.Setenv("PAYONCE_CONFIG", "/nowhere/of-the-environment.yaml")
	if code, _, problems := call(app.Worker(), "--check-config"); code != app.ExitUsage || !strings.Contains(problems, "/nowhere/of-the-environment.yaml") {
		t.Errorf("code %d, %q", code, problems)
	}
	if code, _, problems := call(app.Worker(), "--check-config", "--config", "/nowhere/of-the-line.yaml"); code != app.ExitUsage || !strings.Contains(problems, "/nowhere/of-the-line.yaml") {
		t.Errorf("code %d, %q", code, problems)
	}
}

func TestWrongUsageExitsTwo(t *testing.T) {
	for _, args := range [][]string{{"--nonsense"}, {"start"}, {"--config", "/nowhere/payonce.yaml"}} {
		if code, _, problems := call(app.Worker(), args...); code != app.ExitUsage || problems == "" {
			t.Errorf("%v: code %d, %q", args, code, problems)
		}
	}
}

func TestBadConfigurationListsEveryProblem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.yaml")
	text := "nats:\n  replicas: 2\nworker:\n  lease: 1s\n  colour: red\nproviders:\n  Teemo:\n    kind: unheard-of\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, problems := call(app.Worker(), "--check-config", "--config", path)
	if code != app.ExitUsage {
		t.Errorf("code %d", code)
	}
	for _, want := range []string{"nats.replicas", "worker.lease", "worker.colour", "Teemo", "--check-config"} {
		if !strings.Contains(problems, want) {
			t.Errorf("%q is not named in:\n%s", want, problems)
		}
	}
}

func TestGoodConfiguration(t *testing.T) {
	s := configured(t, "nats://127.0.0.1:1")
	testenvIsAlwaysOpen(t, s.Config)
	for _, service := range []app.Service{app.Worker(), app.Ingress()} {
		code, out, problems := call(service, "--check-config", "--config", s.Config)
		if code != app.ExitOK || !strings.Contains(out, "The configuration is valid.") {
			t.Errorf("%s: code %d, %s%s", service.Name, code, out, problems)
		}
		if strings.Contains(out+problems, s.APIKey) || strings.Contains(out+problems, "PRIVATE KEY") {
			t.Errorf("%s: a secret shows in %s%s", service.Name, out, problems)
		}
	}
}
