package payctl_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"payonce/internal/payctl"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/test/jetstreamtest"
)

// withEndpoint adds the endpoint "shop", which gets the payments of every upstream, and the ledger "accounting" to a configuration.
func withEndpoint(t testing.TB, config string) {
	t.Helper()
	text := strings.Replace(contentOf(t, config), "nats: {", "nats: {ledgers: [accounting], ", 1) +
		"endpoints:\n  shop: {url: \"https://shop.example/payonce?token=secret\", secrets_file: [absent], every_upstream: true}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func contentOf(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// answerTests answers tests of endpoints as a notifier does, until the test ends.
func answerTests(t *testing.T, url string) {
	t.Helper()
	conn := jetstreamtest.Reconnect(t, url, jetstreamtest.Config())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- conn.AnswerEndpointTests(ctx, func(_ context.Context, name string) (events.EndpointTest, bool) {
			return events.EndpointTest{ID: "id-1", Delivered: true, Status: 204, Seconds: 0.02}, name == "shop"
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	jetstreamtest.Eventually(t, "tests are answered", func() bool {
		_, err := conn.TestEndpoint(jetstreamtest.Context(t), "shop")
		return err == nil
	})
}

// toShop is a system with the endpoint and the ledger, and some payments of which two are settled.
func toShop(t *testing.T) (conn *admin.Conn, config, url string) {
	t.Helper()
	conn, url = streams(t)
	config = configuration(t, url, nowhere)
	withEndpoint(t, config)
	run(t, "", "streams", "apply", "--config", config).expect(t, payctl.ExitOK, "PAYMENTS consumer endpoint-shop: missing", "")
	for _, order := range []string{"P-1", "P-2"} {
		live(t, conn, payment.New(command(order)), submitting, settled)
	}
	live(t, conn, payment.New(command("P-3")), submitting, pending)
	return conn, config, url
}

var byKim = []string{"--by", "kim", "--reason", "ticket 4711"}

// What an operator does with an endpoint is in AUDIT, and takes effect; an event that is sent again has the id that it had.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	conn, config, url := toShop(t)
	do := func(args ...string) outcome {
		return run(t, "", append(append([]string{"endpoints"}, args...), append(byKim, "--config", config)...)...)
	}
	look := func(args ...string) outcome {
		return run(t, "", append(append([]string{"endpoints"}, args...), "--config", config)...)
	}
	look("list").expect(t, payctl.ExitOK, "shop shop.example (every) 2 0 0 0 enabled", "")
	look("show", "game").expect(t, payctl.ExitUsage, "", `endpoint "game" is not configured; configured: shop`)
	if shown := look("show", "shop").out; strings.Contains(shown, "token") || !strings.Contains(shown, "enabled") {
		t.Error(shown)
	}
	do("test", "shop").expect(t, payctl.ExitFailed, "", "no notifier answers")
	answerTests(t, url)
	do("test", "shop").expect(t, payctl.ExitOK, "took the test event: HTTP 204 after 20ms. webhook-id id-1", "")
	do("disable", "shop").expect(t, payctl.ExitUsage, "", "--yes")
	do("disable", "shop", "--dry-run").expect(t, payctl.ExitOK, "", "Nothing was done")
	look("show", "shop").expect(t, payctl.ExitOK, "enabled", "")
	do("disable", "shop", "--yes").expect(t, payctl.ExitOK, "The endpoint shop is disabled", "")
	look("show", "shop").expect(t, payctl.ExitOK, "disabled", "")
	do("replay", "shop", "--yes").expect(t, payctl.ExitUsage, "", "--order or --from is required")
	do("replay", "shop", "--order", "P-1", "--yes").expect(t, payctl.ExitUsage, "", "--order requires --provider")
	do("replay", "shop", "--from", "2026-01-01T00:00:00Z", "--dry-run").expect(t, payctl.ExitOK, "", "2 events would be sent")
	do("replay", "shop", "--provider", shop, "--order", "P-1", "--yes").expect(t, payctl.ExitOK, "1: sent again", "")
	do("replay", "shop", "--provider", shop, "--order", "P-3", "--yes").expect(t, payctl.ExitOK, "", "0 events would be sent")
	look("list", "--json").expect(t, payctl.ExitOK, `"due": 1`, "")
	do("enable", "shop", "--yes").expect(t, payctl.ExitOK, "The endpoint shop is enabled", "")
	if s, err := conn.EndpointState(jetstreamtest.Context(t), "shop"); err == nil && s.Disabled {
		t.Error("it is disabled")
	}
	for action, result := range map[string]string{"test": "1 delivered", "disable": "1 disabled", "replay": "1 sent again", "enable": "1 enabled"} {
		run(t, "", "audit", "list", "--action", action, "--config", config).expect(t, payctl.ExitOK, "kim ticket 4711 "+result, "")
	}
	run(t, "", "audit", "list", "--action", "test", "--config", config).expect(t, payctl.ExitOK, "1 not sent: no notifier answers", "")
}

// An endpoint whose consumers do not exist yet stops no command about payments, and says what to do.
func TestMissingEndpointStopsNoCommand(t *testing.T) {
	t.Parallel()
	conn, url := streams(t)
	live(t, conn, payment.New(command("P-1")), submitting, settled)
	config := configuration(t, url, nowhere)
	text := contentOf(t, config) + "endpoints:\n  shop: {url: \"https://shop.example/payonce\", every_upstream: true}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "", "payment", "show", shop, "P-1", "--config", config).expect(t, payctl.ExitOK, "settled", "")
	run(t, "", "endpoints", "list", "--config", config).expect(t, payctl.ExitOK, "its consumer does not exist: name it in the configuration, and run payctl streams apply", "")
}

// A ledger that has read all is rewound, and reads on from there. What would leave out outcomes is refused.
func TestLedgers(t *testing.T) {
	t.Parallel()
	_, config, url := toShop(t)
	do := func(args ...string) outcome {
		return run(t, "", append(append([]string{"ledgers"}, args...), append(byKim, "--config", config)...)...)
	}
	look := func(args ...string) outcome {
		return run(t, "", append(append([]string{"ledgers"}, args...), "--config", config)...)
	}
	look("list").expect(t, payctl.ExitOK, "accounting 0 2 0 no never", "")
	unnamed := filepath.Join(filepath.Dir(config), "without-ledgers.yaml")
	if err := os.WriteFile(unnamed, []byte(strings.Replace(contentOf(t, config), "ledgers: [accounting], ", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "", "ledgers", "list", "--config", unnamed).expect(t, payctl.ExitOK, "0 ledgers: nats.ledgers names none. A ledger that made its own consumer: payctl ledgers show NAME", "")
	run(t, "", "ledgers", "show", "accounting", "--config", unnamed).expect(t, payctl.ExitOK, "accounting 0 2 0 no never", "")
	do("rewind", "accounting", "--from", "3", "--yes").expect(t, payctl.ExitFailed, "", "would leave out what is between: nothing was done")
	_, js := jetstreamtest.Foreign(t, url)
	consumer, err := js.Consumer(t.Context(), events.StreamPayments, "ledger-accounting")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		m, err := consumer.Next()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	look("show", "accounting").expect(t, payctl.ExitOK, "accounting 4 0 0 no", "")
	do("rewind", "accounting", "--yes").expect(t, payctl.ExitUsage, "", "--from is required: start, a sequence number")
	do("rewind", "accounting", "--from", "start").expect(t, payctl.ExitUsage, "", "--yes")
	do("rewind", "accounting", "--from", "start", "--dry-run").expect(t, payctl.ExitOK, "", "read PAYMENTS again from sequence 1; it has read up to 4")
	look("show", "accounting").expect(t, payctl.ExitOK, "accounting 4 0 0 no", "")
	do("rewind", "accounting", "--from", "3", "--yes").expect(t, payctl.ExitOK, "from sequence 3: 1 outcome. It had read up to 4", "")
	do("rewind", "accounting", "--from", "start", "--yes").expect(t, payctl.ExitOK, "from sequence 1: 2 outcomes", "")
	do("rewind", "accounting", "--from", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "--yes").expect(t, payctl.ExitOK, "from sequence 1: 2 outcomes", "")
	do("rewind", "Accounting", "--from", "start", "--yes").expect(t, payctl.ExitUsage, "", "without the ledger- of its consumer")
	do("rewind", "other", "--from", "start", "--yes").expect(t, payctl.ExitFailed, "", "its consumer does not exist")
	run(t, "", "audit", "list", "--action", "rewind", "--json", "--config", config).expect(t, payctl.ExitOK, `"from": "start"`, "")
}
