package config_test

import (
	"strings"
	"testing"

	"payonce/pkg/config"
	"payonce/pkg/secret"
)

// renamed is what a kind asks for whose keys had other names before.
type renamed struct {
	BaseURL  string         `yaml:"base_url" was:"gate_url"`
	Previous []secret.Value `yaml:"previous_secrets" was:"secrets_previous"`
}

func settings(t *testing.T, text string) (renamed, *config.Config, error) {
	t.Helper()
	c := load(t, "providers:\n  one:\n    kind: acme\n    settings:\n"+text, nil, map[string]string{"/etc/payonce/old": "0123456789abcdef"})
	var s renamed
	err := c.Providers["one"].Decode(&s)
	if err == nil {
		err = c.Providers["one"].Decode(&s) // as when it is read again; it warns once
	}
	return s, c, err
}

func TestAnOldNameIsTakenWithAWarning(t *testing.T) {
	s, c, err := settings(t, "      gate_url: https://a.example\n      secrets_previous_file: [/etc/payonce/old]\n")
	if err != nil || s.BaseURL != "https://a.example" || len(s.Previous) != 1 || s.Previous[0].Reveal() != "0123456789abcdef" {
		t.Fatalf("%+v, %v", s, err)
	}
	text := strings.Join(c.Warnings(), "\n")
	for _, want := range []string{
		":5: providers.one.settings.gate_url: is called base_url now; the old name is still accepted",
		":6: providers.one.settings.secrets_previous_file: is called previous_secrets_file now",
	} {
		if strings.Count(text, want) != 1 {
			t.Errorf("the warnings are\n%s\nwant once %s", text, want)
		}
	}
	if s, c, err := settings(t, "      base_url: https://a.example\n"); err != nil || s.BaseURL != "https://a.example" || len(c.Warnings()) != 0 {
		t.Errorf("the new name: %+v, %v, %v", s, c.Warnings(), err)
	}
}

func TestOldAndNewNameTogetherAreRefused(t *testing.T) {
	for _, text := range []string{
		"      gate_url: https://a.example\n      base_url: https://b.example\n",
		"      base_url: https://b.example\n      gate_url: https://a.example\n",
	} {
		if s, _, err := settings(t, text); err == nil || !strings.Contains(err.Error(), "is set under its old name and as base_url") {
			t.Errorf("%+v, %v", s, err)
		}
	}
	_, _, err := settings(t, "      secrets_previous: [0123456789abcdef]\n      previous_secrets_file: [/etc/payonce/old]\n")
	if err == nil || !strings.Contains(err.Error(), "set one of them") {
		t.Errorf("beside a file: %v", err)
	}
}
