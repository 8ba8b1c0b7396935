package app_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"payonce/internal/app"
)

// The shipped example is good once its secrets are made by the commands at its beginning.
func TestExamplePassesAfterItsSecretsAreMade(t *testing.T) {
	example, err := os.ReadFile("../../payonce.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "payonce.example.yaml")
	if err := os.WriteFile(path, example, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("REDIS_PASSWORD", "")
	if code, _, problems := call(app.Worker(), "--check-config", "--config", path); code != app.ExitUsage || strings.Count(problems, "cannot be read") != 6 {
		t.Errorf("without its secrets: code %d\n%s", code, problems)
	}
	steps := regexp.MustCompile(`(?m)^#   (.*)$`).FindAllStringSubmatch(string(example), -1)
	if len(steps) == 0 {
		t.Fatal("the example does not say how its secrets are made")
	}
	for _, step := range steps {
		password, checks := strings.CutSuffix(step[1], " worker --config payonce.example.yaml --check-config")
		if checks {
			step[1] = password + "; printf %s $REDIS_PASSWORD"
		}
		command := exec.Command("sh", "-c", step[1])
		command.Dir = folder
		out, err := command.Output()
		if err != nil {
			t.Fatalf("%s: %v", step[1], err)
		}
		if !checks {
			continue
		}
		t.Setenv("REDIS_PASSWORD", string(out))
		for _, service := range []app.Service{app.Worker(), app.Ingress()} {
			code, shown, problems := call(service, "--check-config", "--config", path)
			if code != app.ExitOK || !strings.Contains(shown, "The configuration is valid.") || strings.Contains(problems, "warning") {
				t.Errorf("%s: code %d\n%s", service.Name, code, problems)
			}
		}
		return
	}
	t.Error("the last step does not check the example")
}
