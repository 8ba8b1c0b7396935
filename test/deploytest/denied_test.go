package deploytest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"payonce/internal/app"
	"payonce/internal/credentials"
	"payonce/internal/payctl"
	"payonce/test/testenv"
)

// deniedWithin is how soon a program says which permission it lacks: on a slow machine, too, and before a start that waits for an
// answer of NATS is given up.
const deniedWithin = 20 * time.Second

// TestADeniedPermissionIsToldAtOnce starts each program with the seed of another one, and with its own while a permission is missing
// on the server. It says what is not permitted, who needs it and what to do.
func TestADeniedPermissionIsToldAtOnce(t *testing.T) {
	s := newSystem(t, startBroker(t, "node.conf", "nats-1"))
	configs := map[string]string{}
	for _, user := range []string{"administrator", "worker", "ingress", "archive", "viewer", "console", "notifier"} {
		configs[user] = s.config(t, s.Config, user, 1)
		s.receiver.configure(t, configs[user])
	}
	section := "console: {listen: \"127.0.0.1:0\", base_url: \"http://127.0.0.1:1\", links: true"
	rewrite(t, configs["viewer"], func(text string) string { return section + "}\n" + text })
	rewrite(t, configs["console"], func(text string) string { return section + ", actions: true}\n" + text })
	s.wantPayctl(t, "administrator", payctl.ExitOK, "INTAKE-shop: missing", "streams", "apply")
	for _, c := range []struct {
		user, others string
		service      app.Service
		permission   string // in accounts.conf
		subject      string // that the program then names
	}{
		{"worker", "archive", app.Worker(), `"$JS.API.STREAM.INFO.*",`, "$JS.API.STREAM.INFO."},
		{"worker", "ingress", app.Worker(), `"$JS.API.CONSUMER.CREATE.COMMANDS.>", `, "$JS.API.CONSUMER.CREATE.COMMANDS."},
		{"ingress", "worker", app.Ingress(), `"$JS.API.INFO", "$JS.API.STREAM.INFO.*", `, "$JS.API.INFO"},
		{"ingress", "notifier", app.Ingress(), `"$KV.HEARTBEATS.ingress.*", `, "$KV.HEARTBEATS.ingress."},
		{"archive", "ingress", app.Archive(), `"$JS.API.CONSUMER.INFO.PAYMENTS.archive", `, "$JS.API.CONSUMER.INFO.PAYMENTS.archive"},
		{"notifier", "archive", app.Notifier(), `"$JS.API.INFO", `, "$JS.API.INFO"},
		{"viewer", "worker", app.Console(), `"$JS.API.INFO", "$JS.API.STREAM.INFO.PAYMENTS", "$JS.API.STREAM.INFO.COMMANDS", "$JS.API.STREAM.INFO.DEADLETTERS",`, "$JS.API.INFO"},
		{"console", "ingress", app.Console(), `"$JS.API.INFO", "$JS.API.STREAM.INFO.*", "$JS.API.CONSUMER.LIST.PAYMENTS", "$JS.API.CONSUMER.LIST.ENDPOINTS", "$JS.API.STREAM.MSG.GET.*",`, "$JS.API.INFO"},
	} {
		t.Run(c.user+" with the seed of "+c.others, func(t *testing.T) {
			config := filepath.Join(filepath.Dir(s.Config), "wrong.yaml")
			text, err := os.ReadFile(configs[c.user])
			testenv.Must(t, err)
			testenv.Must(t, os.WriteFile(config, []byte(strings.ReplaceAll(string(text), s.seedFile(c.user), s.seedFile(c.others))), 0o600))
			says := s.denied(t, c.service, config, true, "action=subscribe subject=_INBOX."+c.service.Name)
			if !strings.Contains(says, "log in with the seed of "+c.user) {
				t.Errorf("the user that is needed is not named:\n%s", says)
			}
		})
		t.Run(c.user+" without "+c.subject, func(t *testing.T) {
			s.without(t, c.user, c.permission)
			s.denied(t, c.service, configs[c.user], false, c.subject)
		})
	}
}

// denied starts a service and wants it to say soon that NATS denies what the line has, and to end by itself then if ends is true. It
// returns what was logged.
func (s *system) denied(t *testing.T, service app.Service, config string, ends bool, line string) string {
	t.Helper()
	logs := testenv.NewLogs(t)
	rt, err := app.Load(service, config, logs)
	testenv.Must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx, rt, func(string) {}) }()
	waiting, stop := context.WithTimeout(t.Context(), deniedWithin)
	defer stop()
	testenv.Await(waiting, t, service.Name+" says what is denied: "+line, func() bool {
		for said := range strings.Lines(logs.String()) {
			if strings.Contains(said, "permission denied by NATS") && strings.Contains(said, line) && strings.Contains(said, "accounts.conf") {
				return true
			}
		}
		return false
	})
	late := time.After(timeout)
	if ends {
		late = time.After(deniedWithin)
	} else {
		cancel()
	}
	select {
	case err := <-ended:
		if refused := err != nil && strings.Contains(err.Error(), "NATS does not permit this user to "); ends && !refused || !ends && err != nil && !refused && !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with: %v", err)
		}
	case <-late:
		t.Errorf("%s does not end", service.Name)
		cancel()
		<-ended
	}
	return logs.String()
}

// without takes a permission of a user out of the server's file for the length of the test.
func (s *system) without(t *testing.T, user, permission string) {
	t.Helper()
	file, anchor := "accounts.conf", "$"+strings.ToUpper(user)+"_NKEY"
	if user == "notifier" {
		file, anchor = "third-parties.conf", "\nnotifier: {"
	}
	path := filepath.Join(s.dir, credentials.ServerDir, file)
	text, err := os.ReadFile(path)
	testenv.Must(t, err)
	before, after, found := strings.Cut(string(text), anchor)
	if !found || !strings.Contains(after, permission) {
		t.Fatalf("%s has no %s of %s", file, permission, user)
	}
	t.Cleanup(func() {
		testenv.Must(t, os.WriteFile(path, text, 0o600))
		s.reload(t)
	})
	testenv.Must(t, os.WriteFile(path, []byte(before+anchor+strings.Replace(after, permission, "", 1)), 0o600))
	s.reload(t)
}
