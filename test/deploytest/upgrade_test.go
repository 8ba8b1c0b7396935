package deploytest

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events/jetstream/admin"

	"github.com/nats-io/nats-server/v2/server"

	"payonce/internal/app"
	"payonce/internal/credentials"
	"payonce/internal/payctl"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

var storeKey = regexp.MustCompile(`(?m)^NATS_STORE_KEY=.*$`)

// newerPrograms are the keys of programs that had no account before.
var newerPrograms = regexp.MustCompile(`(?m)^(?:ARCHIVE|CONSOLE|VIEWER)_NKEY: .*\n`)

// started makes credentials and starts a server on a store that outlives it. change can change the
// server's files before.
func started(t *testing.T, store string, operators []string, change func(dir string)) broker {
	t.Helper()
	b := broker{dir: t.TempDir()}
	if err := credentials.Make(credentials.Options{
		Dir: b.dir, Upstreams: []credentials.Upstream{shop, game}, Ledgers: []string{accounting}, Operators: operators, Hosts: []string{"localhost", "127.0.0.1"}, Now: time.Now(),
	}); err != nil {
		t.Fatal(err)
	}
	change(filepath.Join(b.dir, credentials.ServerDir))
	environ(t, filepath.Join(b.dir, credentials.ServerDir, "nats.env"))
	t.Setenv("NATS_NAME", "one")
	t.Setenv("NATS_STORE", store)
	b.servers = []*server.Server{startServer(t, filepath.Join(b.dir, credentials.ServerDir, "node.conf"), "", nil)}
	return b
}

// rewrite changes a file by a function.
func rewrite(t *testing.T, path string, change func(text string) string) {
	t.Helper()
	text, err := os.ReadFile(path)
	testenv.Must(t, err)
	testenv.Must(t, os.WriteFile(path, []byte(change(string(text))), 0o600))
}

// TestUpgradeToAccounts takes the steps of CHANGELOG.md from a system without nats.accounts to one with them: new credentials with the key of
// the store kept, nats.accounts for all programs, payctl streams apply --update as administrator. What was stored before is read and worked.
func TestUpgradeToAccounts(t *testing.T) {
	store := t.TempDir()
	var kept string
	old := started(t, store, nil, func(dir string) {
		shared, err := os.ReadFile("testdata/accounts-before.conf")
		testenv.Must(t, err)
		rewrite(t, filepath.Join(dir, "accounts.conf"), func(string) string { // with what this version needs in any case
			text := strings.Replace(string(shared), `"deadletter.*.*", `, `"deadletter.*.*", "command.refused.*.*.*", `, 1)
			return strings.Replace(text, `"$JS.API.CONSUMER.INFO.COMMANDS.*", `, `"$JS.API.CONSUMER.INFO.COMMANDS.*", "$JS.API.CONSUMER.INFO.REFUSALS.*", "$JS.API.CONSUMER.INFO.BALANCES.*", `, 1)
		})
		rewrite(t, filepath.Join(dir, "keys.conf"), func(text string) string { // one operator for all, who also makes the streams
			return strings.Replace(newerPrograms.ReplaceAllString(text, ""), "ADMINISTRATOR_NKEY", "OPERATOR_NKEY", 1)
		})
		rewrite(t, filepath.Join(dir, "third-parties.conf"), func(text string) string { // there were no streams REFUSALS and BALANCES
			return regexp.MustCompile(`(?m)^.*(?:REFUSALS|BALANCES|command\.refused).*\n`).ReplaceAllStringFunc(text, func(line string) string {
				if strings.Contains(line, "subscribe") {
					return strings.Replace(line, `, "command.refused.*.*"`, "", 1)
				}
				return ""
			})
		})
		rewrite(t, filepath.Join(dir, "nats.env"), func(text string) string { kept = storeKey.FindString(text); return text })
	})
	s := newSystem(t, old)
	configure := func(user string, accounts bool) string {
		own := s.config(t, s.Config, user, 1)
		rewrite(t, own, func(text string) string {
			if !accounts {
				text = strings.Replace(text, "  accounts: true\n", "", 1)
			}
			return strings.Replace(text, s.At.NATS[0], s.urls()[0], 1)
		})
		return own
	}
	configure("administrator", false)
	maker := s.connect(t, "administrator")
	testenv.Must(t, admin.New(maker).EnsureStreams(bounded(t)))
	testenv.Must(t, maker.Close())
	stopWorker, stopIngress := s.run(t, app.Worker(), configure("worker", false)), s.run(t, app.Ingress(), configure("ingress", false))
	first := s.payByHTTP(t, "OLD-1")
	s.wantShown(t, "administrator", first, "settled")
	stopWorker()
	second := payment.Ref{Provider: testenv.TeemoPay, Order: "OLD-2"} // waits in COMMANDS
	if status := s.deposit(t, second); status != http.StatusAccepted {
		t.Fatalf("POST /v1/deposits: %d", status)
	}
	third := s.payAsUpstream(t, "S-OLD-3") // and one in the stream of an upstream
	stopIngress()
	old.servers[0].Shutdown()
	old.servers[0].WaitForShutdown()

	s.broker = started(t, store, []string{"kim", "lee"}, func(dir string) {
		rewrite(t, filepath.Join(dir, "nats.env"), func(text string) string { return storeKey.ReplaceAllString(text, kept) })
	})
	configure("administrator", true)
	s.wantPayctl(t, "administrator", payctl.ExitFailed, "use --update", "streams", "apply")
	s.wantPayctl(t, "administrator", payctl.ExitOK, "All streams match their definition.", "streams", "apply", "--update", "--reason", "accounts, ticket 4711")
	configure("operator-kim", true)
	s.run(t, app.Worker(), configure("worker", true))
	s.run(t, app.Ingress(), configure("ingress", true))
	for _, ref := range []payment.Ref{first, second, third, s.payByHTTP(t, "NEW-1")} {
		s.wantShown(t, "operator-kim", ref, "settled")
	}
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, "All streams match their definition.", "streams", "diff")
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, " copies", "audit", "verify")
	foreignOrders(t, s)
}

// wantShown waits until a person sees a payment in a status.
func (s *system) wantShown(t *testing.T, user string, ref payment.Ref, status string) {
	t.Helper()
	var out string
	eventually(t, ref.String()+" is "+status, func() bool {
		_, out = s.payctl(t, user, "payment", "show", ref.Provider, ref.Order)
		return strings.Contains(out, status)
	})
}
