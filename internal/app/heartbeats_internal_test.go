package app

import (
	"testing"

	"payonce/pkg/config"
)

// Processes of one service that only listen on other addresses have the same digest, and do not look as if one had an old configuration.
func TestDigestOfAConfiguration(t *testing.T) {
	ours := config.Defaults()
	other := ours
	other.Worker.AdminListen, other.Ingress.Listen, other.Ingress.AdminListen, other.Archive.AdminListen = "a:1", "a:2", "a:3", "a:4"
	other.Notifier.AdminListen, other.Console.Listen, other.Console.AdminListen = "a:5", "a:6", "a:7"
	if a, b := digest(Runtime{Config: ours}), digest(Runtime{Config: other}); a != b {
		t.Errorf("%s and %s", a, b)
	}
	other.Worker.Lease *= 2
	if a, b := digest(Runtime{Config: ours}), digest(Runtime{Config: other}); a == b {
		t.Errorf("another lease has the same digest %s", a)
	}
	if other.Worker.AdminListen != "a:1" {
		t.Error("the digest changed the configuration")
	}
}
