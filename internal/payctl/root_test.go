package payctl_test

import (
	"strings"
	"testing"

	"payonce/internal/payctl"
)

func TestMisspeltCommandsAreSuggested(t *testing.T) {
	for line, want := range map[string]string{
		"statos":          "did you mean status?",
		"deadletter list": "did you mean deadletters?",
		"payment shwo":    "did you mean show?",
		"streams dif":     "did you mean diff?",
		"quux":            `no command "quux"; see payctl --help`,
	} {
		if r := run(t, "", strings.Fields(line)...); r.code != payctl.ExitUsage || !strings.Contains(r.errors, want) {
			t.Errorf("payctl %s: code %d, %s", line, r.code, r.errors)
		}
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
