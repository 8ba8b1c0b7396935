package payctl_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"payonce/internal/payctl"
	"payonce/pkg/operator"
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

// Sending events again is continued from the first that is left; other actions leave alone what they have done.
func TestHowToGoOn(t *testing.T) {
	for want, err := range map[string]error{
		"": errors.New("no answer"),
		"\nRun the same command again to continue":                                             fmt.Errorf("release: %w", &operator.UnfinishedError{Left: 3}),
		"\nRun the same command again to continue, with --from 2026-01-02T03:04:05.000000006Z": &operator.UnfinishedError{Left: 3, From: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)},
	} {
		if have := payctl.HowToGoOn(err); have != want {
			t.Errorf("%q, want %q", have, want)
		}
	}
}
