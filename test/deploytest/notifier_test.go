package deploytest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"payonce/internal/payctl"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

const receiverSecret = "whsec_c2hvcCBzZWNyZXQgb2YgdGhlIGRlcGxveSB0ZXN0LCAzMiBieXRlcw=="

// receiver is an upstream's endpoint.
type receiver struct {
	url string
	got chan string // "test", or the order and its status
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	verify, err := standardwebhooks.NewWebhook(receiverSecret)
	testenv.Must(t, err)
	r := &receiver{got: make(chan string, 1000)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err == nil {
			err = verify.Verify(body, request.Header)
		}
		var data struct {
			Test          bool
			Order, Status string
		}
		if err != nil || json.Unmarshal(body, &data) != nil {
			t.Errorf("the endpoint got %s: %v", body, err)
			return
		}
		if data.Test {
			data.Order = "test"
		}
		r.got <- strings.TrimSpace(data.Order + " " + data.Status)
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// configure adds the endpoint to a configuration.
func (r *receiver) configure(t *testing.T, config string) {
	t.Helper()
	text, err := os.ReadFile(config)
	testenv.Must(t, err)
	secret := filepath.Join(filepath.Dir(config), "endpoint.secret")
	testenv.Must(t, os.WriteFile(secret, []byte(receiverSecret), 0o600))
	text = append(text, "\nendpoints:\n  shop: {url: \""+r.url+"\", secrets_file: ["+secret+"], api_key: testenv, allow_networks: [127.0.0.0/8]}\nnotifier: {retry_min: 1s}\n"...)
	testenv.Must(t, os.WriteFile(config, text, 0o600))
}

// until waits for one of the things that the endpoint gets.
func (r *receiver) until(t *testing.T, want string) {
	t.Helper()
	for ctx := bounded(t); ; {
		select {
		case got := <-r.got:
			if got == want {
				return
			}
		case <-ctx.Done():
			t.Fatalf("the endpoint did not get %q", want)
		}
	}
}

// toldByNotifier pays and wants the upstream's endpoint to be told by a notifier with a key of its own, which has what it needs and
// no more. Operators look at the endpoint, test it, disable it and have events sent again with theirs.
func toldByNotifier(t *testing.T, s *system) {
	t.Helper()
	ref := s.payByHTTP(t, "H-9")
	s.receiver.until(t, "H-9 settled")
	reason := []string{"--reason", "a test", "--yes"}
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, "took the test event: HTTP 200", append([]string{"endpoints", "test", "shop"}, reason...)...)
	s.receiver.until(t, "test")
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, "is disabled", append([]string{"endpoints", "disable", "shop"}, reason...)...)
	again := append([]string{"endpoints", "replay", "shop", "--provider", ref.Provider, "--order", ref.Order}, reason...)
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, "1: sent again", again...)
	s.wantPayctl(t, "operator-lee", payctl.ExitOK, `"due": 1`, "endpoints", "show", "shop", "--json")
	s.wantPayctl(t, "operator-lee", payctl.ExitOK, "disabled", "endpoints", "list")
	s.wantPayctl(t, "operator-lee", payctl.ExitOK, `"breaker": "closed"`, "endpoints", "show", "shop", "--json") // from its heartbeat
	s.wantPayctl(t, "operator-lee", payctl.ExitOK, "All streams match their definition.", "streams", "diff")
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, "is enabled", append([]string{"endpoints", "enable", "shop"}, reason...)...)
	s.receiver.until(t, "H-9 settled")
	for _, action := range []string{"test", "disable", "replay", "enable"} {
		s.wantPayctl(t, "operator-lee", payctl.ExitOK, " kim ", "audit", "list", "--action", action)
	}
	if logs := s.logs.String(); strings.Contains(logs, "permission denied by NATS") {
		t.Errorf("a program lacks a right:\n%s", logs)
	}
}

// bookedAs is one line of the example's journal.
type bookedAs struct {
	Order, Status string
	Revision      int
}

// journalOf returns what the journal booked last of each order.
func journalOf(t *testing.T, journal string) map[string]bookedAs {
	t.Helper()
	text, err := os.ReadFile(journal)
	testenv.Must(t, err)
	last := map[string]bookedAs{}
	for line := range bytes.Lines(text[:bytes.LastIndexByte(text, '\n')+1]) {
		var b bookedAs
		testenv.Must(t, json.Unmarshal(line, &b))
		last[b.Order] = b
	}
	return last
}

// recordsLost deletes the journal of the example ledger. By the commands of docs/ledger.md alone its records are whole again, and equal to
// the log; until then the ledger says what is wrong and what to do.
func recordsLost(t *testing.T, s *system) {
	t.Helper()
	binary, journal := exampleLedger(t), filepath.Join(t.TempDir(), "journal")
	start := s.here(documented(t, "ledger.md", "commands", "go")[1][2:])
	ledger := func(more ...string) (says *testenv.Logs, stop func()) {
		says = testenv.NewLogs(t)
		cmd := exec.CommandContext(t.Context(), binary, append(append(slices.Clone(start), "--journal", journal), more...)...)
		cmd.Stderr = says
		testenv.Must(t, cmd.Start())
		return says, func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	}
	inLog := func() map[string]bookedAs {
		last := map[string]bookedAs{}
		reader := s.jetStream(t, "worker")
		stream, err := reader.Stream(bounded(t), events.StreamPayments)
		testenv.Must(t, err)
		for sequence := uint64(1); sequence <= stream.CachedInfo().State.LastSeq; sequence++ {
			raw, err := stream.GetMsg(bounded(t), sequence)
			testenv.Must(t, err)
			if status, _ := events.SubjectStatus(raw.Subject); status.Ended() || status == payment.Conflict {
				p, err := events.DecodePayment(raw.Data)
				testenv.Must(t, err)
				last[p.Order] = bookedAs{p.Order, string(p.Status), p.Revision}
			}
		}
		return last
	}
	equal := func() bool {
		have, want := journalOf(t, journal), inLog()
		for order, b := range want {
			if have[order] != b {
				return false
			}
		}
		return len(have) == len(want) && len(want) > 0
	}
	says, stop := ledger()
	eventually(t, "the ledger says what it waits for", func() bool { return strings.Contains(says.String(), "waiting for payments that are settled") })
	stop()
	testenv.Must(t, os.RemoveAll(journal))
	says, stop = ledger()
	eventually(t, "the ledger says that its records are lost", func() bool {
		return strings.Contains(says.String(), "is empty, but ledger-accounting has read the log up to sequence") && strings.Contains(says.String(), "payctl ledgers rewind accounting --from start")
	})
	if equal() {
		t.Error("the records are whole although they are lost")
	}
	s.wantPayctl(t, "operator-kim", payctl.ExitFailed, "take the administrator's key", "ledgers", "rewind", accounting, "--from", "start", "--reason", "a test", "--yes")
	for _, command := range documented(t, "ledger.md", "lost records", "payctl") {
		at := slices.Index(command, "--config")
		user := strings.TrimSuffix(command[at+1], ".yaml")
		s.wantPayctl(t, user, payctl.ExitOK, "", slices.Delete(command, at, at+2)...)
	}
	eventually(t, "the records are whole and equal to the log", equal)
	stop()
	s.wantPayctl(t, "operator-lee", payctl.ExitOK, "1 rewound", "audit", "list", "--action", "rewind")
	says, stop = ledger("--create")
	defer stop()
	eventually(t, "--create is refused with a sentence", func() bool {
		return strings.Contains(says.String(), "--create is refused: this user may not make consumers")
	})
}
