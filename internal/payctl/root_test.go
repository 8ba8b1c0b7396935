package payctl_test

import (
	"strings"
	"testing"

	"payonce/internal/payctl"
)

func TestMisspeltCommandsAreSuggested(t *testing.T) {
	for line, want := range map[string]string{
		"statos":                    "did you mean status?",
		"deadletter list":           "did you mean deadletters?",
		"payment shwo":              "did you mean show?",
		"streams dif":               "did you mean diff?",
		"paymnts list --config x":   `payctl has no command "paymnts"; did you mean payment or payments`,
		"payments lst --status x":   `payctl payments has no command "lst"; did you mean list?`,
		"payments --status settled": "unknown flag: --status; see payctl payments --help",
		"quux":                      `no command "quux"; see payctl --help`,
	} {
		if r := run(t, "", strings.Fields(line)...); r.code != payctl.ExitUsage || !strings.Contains(r.errors, want) {
			t.Errorf("payctl %s: code %d, %s", line, r.code, r.errors)
		}
	}
}

// A person whose alias gives --config gets the version as well, whatever the file is.
func TestVersionTakesConfig(t *testing.T) {
	if r := run(t, "", "version", "--config", "/none/payonce.yaml"); r.code != payctl.ExitOK || !strings.HasPrefix(r.out, "payctl ") {
		t.Errorf("code %d, %s%s", r.code, r.out, r.errors)
	}
}

func TestShellsCompleteCommands(t *testing.T) {
	if r := run(t, "", "completion", "bash"); r.code != payctl.ExitOK || !strings.Contains(r.out, "complete -o default") {
		t.Errorf("code %d, %s", r.code, r.errors)
	}
	if r := run(t, "", "__complete", "payment", "s"); r.code != payctl.ExitOK || !strings.HasPrefix(r.out, "show\t") {
		t.Errorf("code %d, %s%s", r.code, r.out, r.errors)
	}
}
