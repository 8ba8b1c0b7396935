package testenv

import (
	"os"
	"strings"
	"testing"
)

// All times that a machine exceeds which stands still are longer then, and a configuration without them is refused.
func TestUnhurried(t *testing.T) {
	keys, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	path, _, err := keys.WriteConfig(t.TempDir(), Addresses{NATS: []string{"nats://127.0.0.1:1"}, Redis: "127.0.0.1:1", Listen: "127.0.0.1:1", Sandbox: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	longer, err := Unhurried(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(longer)
	if err != nil || strings.Contains(string(text), "submit_timeout: 1s\n") || strings.Contains(string(text), "settling_delay: 5s\n") {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := Unhurried(longer); err == nil {
		t.Error("a configuration of which nothing was changed is taken")
	}
}
