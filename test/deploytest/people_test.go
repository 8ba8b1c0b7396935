package deploytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/app"
	"payonce/internal/payctl"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

// payctl runs payctl with the key of a person and returns its exit code and what it printed.
func (s *system) payctl(t *testing.T, user string, args ...string) (int, string) {
	t.Helper()
	var out testenv.Logs // the connection logs while the command writes
	code := payctl.Run(t.Context(), append(args, "--config", filepath.Join(s.Dir, user+".yaml")), payctl.Env{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, LookupEnv: os.LookupEnv, Now: time.Now, Kinds: app.Kinds(),
	})
	return code, out.String()
}

func (s *system) wantPayctl(t *testing.T, user string, code int, says string, args ...string) {
	t.Helper()
	if have, out := s.payctl(t, user, args...); have != code || !strings.Contains(out, says) {
		t.Errorf("payctl %v of %s: exit %d, want %d with %q\n%s", args, user, have, code, says, out)
	}
}

// people tries what AUDIT holds about whom. The name is the key's: it cannot be typed, and no other key can write it.
func people(t *testing.T, s *system) {
	t.Helper()
	// A dead letter to drop: what is here is not JSON.
	js := s.jetStream(t, "worker")
	for range 2 {
		if _, err := js.Publish(bounded(t), "deadletter.commands.retired-kr", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	all := []string{"deadletters", "drop", "--all", "--reason", "a test", "--yes"}
	s.wantPayctl(t, "operator-kim", payctl.ExitUsage, "the NATS key belongs to kim", append(all, "--by", "lee")...)
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, " dropped", all...)
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, " kim ", "audit", "list", "--action", "drop")
	s.erase(t, "H-1")
	secondPerson(t, s)
	consoleActs(t, s)
	s.wantPayctl(t, "operator-lee", payctl.ExitOK, " copies", "audit", "verify")
	s.wantPayctl(t, "operator-lee", payctl.ExitOK, "All streams match their definition.", "streams", "diff")
	s.forgedByWorker(t)

	// lee says to be kim, past payctl.
	lee := s.jetStream(t, "operator-lee")
	forged, err := json.Marshal(events.AuditRecord{ID: "forged", Stage: events.Intended, Action: events.ActionSettle, Provider: "retired-kr", By: "kim", Reason: "not me", At: time.Now()})
	testenv.Must(t, err)
	if _, err := lee.Publish(bounded(t), "operator.settle.retired-kr.X-1", forged); err != nil {
		t.Fatal(err)
	}
	s.wantPayctl(t, "operator-kim", payctl.ExitFailed, `it names "kim", but was written by the account operator-lee`, "audit", "verify")
	forgedRequests(t, s)
	s.erased(t)
}

// erase erases, with an operator's key, what is kept of the customer of a payment that has settled. Until then the ingress
// shows what the customer was given, from ACTIONS.
func (s *system) erase(t *testing.T, order string) {
	t.Helper()
	ref := payment.Ref{Provider: testenv.TeemoPay, Order: order}
	if status, body := s.get(t, ref, "/events"); status != http.StatusOK || !strings.Contains(body, `"account_number"`) || strings.Contains(body, `"stored_action"`) {
		t.Errorf("before the erasure: %d %s", status, body)
	}
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, "settled", "payment", "show", testenv.TeemoPay, order, "--unmask", "--reason", "ticket 4711")
	erase := []string{"privacy", "erase", testenv.TeemoPay, order, "--reason", "ticket 4711"}
	s.wantPayctl(t, "operator-kim", payctl.ExitUsage, "the NATS key belongs to kim", append(erase, "--by", "lee", "--yes")...)
	for deadline := time.Now().Add(timeout); ; { // the worker judges the provider's last webhook
		code, out := s.payctl(t, "operator-kim", append(erase, "--dry-run")...)
		if code == payctl.ExitOK && strings.Contains(out, "ACTIONS 1") && strings.Contains(out, "WEBHOOKS") && !strings.Contains(out, "still needed") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("exit %d\n%s", code, out)
		}
	}
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, "1: erased", append(erase, "--yes")...)
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, " kim ", "audit", "list", "--action", "erase")
	if status, body := s.get(t, ref, "/events"); status != http.StatusOK || strings.Contains(body, `"account_number"`) || !strings.Contains(body, `"stored_action"`) {
		t.Errorf("after the erasure: %d %s", status, body)
	}
}

// erased lets a stolen administrator's key make AUDIT again, empty: the copy has what was there.
func (s *system) erased(t *testing.T) {
	t.Helper()
	nc := s.login(t, "administrator")
	js, err := njs.New(nc)
	testenv.Must(t, err)
	audit, err := js.Stream(bounded(t), events.StreamAudit)
	testenv.Must(t, err)
	testenv.Must(t, js.DeleteStream(bounded(t), events.StreamAudit))
	if _, err := js.CreateStream(bounded(t), audit.CachedInfo().Config); err != nil {
		t.Fatal(err)
	}
	for _, request := range []string{"STREAM.DELETE", "STREAM.PURGE", "STREAM.UPDATE", "STREAM.MSG.DELETE"} {
		if m, err := nc.Request(fmt.Sprintf("COPY.%s.%s", request, events.StreamAuditCopy), []byte("{}"), time.Second); err == nil {
			t.Errorf("%s of the copy: %s", request, m.Data)
		}
	}
	s.wantPayctl(t, "operator-kim", payctl.ExitFailed, "is not in AUDIT", "audit", "verify")
}

// foreignOrders tries what an ingress's key can do to outcomes and to the queue: nothing.
func foreignOrders(t *testing.T, s *system) {
	t.Helper()
	nc := s.login(t, "ingress")
	for _, subject := range []string{"payment.settled.teemopay-kr.X-1", "parked.teemopay-kr.X-1", "$JS.API.STREAM.MSG.GET.COMMANDS", "$JS.API.STREAM.PURGE.COMMANDS"} {
		if m, err := nc.RequestMsg(&nats.Msg{Subject: subject, Data: []byte(`{"last_by_subj":">"}`)}, time.Second); err == nil {
			t.Errorf("%s: %s", subject, m.Data)
		}
	}
}

// forgedByWorker lets a worker's key write the copy of a record of kim's: it lands under the worker's own name, and verify says so.
// The record itself it cannot write, see stolenWorker.
func (s *system) forgedByWorker(t *testing.T) {
	t.Helper()
	body, err := json.Marshal(events.AuditRecord{
		ID: "forged-by-worker", Stage: events.Finished, Action: events.ActionSettle, Provider: "retired-kr", Order: "W-1", By: "kim", Reason: "not me", At: time.Now(),
	})
	testenv.Must(t, err)
	worker := s.jetStream(t, "worker")
	if _, err := worker.PublishMsg(bounded(t), &nats.Msg{Subject: "copy.account.retired-kr.-", Data: body, Header: nats.Header{"Nats-Msg-Id": {"forged-finished"}}}); err != nil {
		t.Fatal(err)
	}
	s.wantPayctl(t, "operator-kim", payctl.ExitFailed, "(copy.worker.account.retired-kr.-) is not in AUDIT", "audit", "verify")
}
