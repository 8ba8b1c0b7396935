package deploytest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"payonce/internal/payctl"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

// steppedOver lets a worker's key write what no process can read after a parked payment, and an operator step over it. The
// worker holds the payment until then and goes on by itself afterwards: one payment at the provider.
func steppedOver(t *testing.T, s *system) {
	t.Helper()
	ref := payment.Ref{Provider: testenv.TeemoPay, Order: "U-1"}
	body := fmt.Sprintf(`{"provider":%q,"order":%q,"requested_at":%q,"amount":{"value":"10000","currency":"KRW"},"customer":{"name":"홍길동"}}`,
		ref.Provider, ref.Order, time.Now().UTC().Format(time.RFC3339))
	cmd, err := events.DecodeCommand(events.Message{Subject: events.CommandSubject(payment.Deposit, ref), Data: []byte(body)})
	testenv.Must(t, err)
	p := payment.New(cmd)
	p.Status, p.Revision, p.ResumeAt, p.Reason = payment.Parked, 1, time.Now().UTC(), &payment.Reason{Code: payment.ReasonClosed}
	out, err := events.EncodePayment(p, "parked")
	testenv.Must(t, err)
	worker := s.jetStream(t, "worker")
	if _, err := worker.PublishMsg(bounded(t), &nats.Msg{Subject: out.Subject, Header: nats.Header{jetstream.HeaderPrevious: {"0"}}, Data: out.Data}); err != nil {
		t.Fatal(err)
	}
	bad, err := worker.Publish(bounded(t), events.PaymentSubject(payment.Submitting, ref), []byte(`{"seq":`))
	testenv.Must(t, err)
	upstream := s.jetStream(t, "upstream-shop")
	if _, err := upstream.Publish(bounded(t), events.CommandSubject(payment.Deposit, ref), []byte(body)); err != nil {
		t.Fatal(err)
	}
	commands, err := worker.Stream(bounded(t), events.StreamCommands)
	testenv.Must(t, err)
	eventually(t, "the payment's command is held", func() bool {
		_, err := commands.GetLastMsgForSubject(bounded(t), events.ParkedSubject(ref))
		return err == nil
	})
	if o, err := s.Sandbox.Order(ref.Provider, ref.Order); err == nil && o.Creates+o.Queries != 0 {
		t.Errorf("the provider was called: %+v", o)
	}
	if status, text := s.get(t, ref, ""); status != http.StatusOK || !strings.Contains(text, `"status":"in_doubt"`) {
		t.Errorf("the status API: %d %s", status, text)
	}
	sequence := fmt.Sprint(bad.Sequence)
	if status, text := s.get(t, ref, "/events"); status != http.StatusOK || !strings.Contains(text, `"unreadable":[{"sequence":`+sequence) {
		t.Errorf("the timeline: %d %s", status, text)
	}
	skip := []string{"log", "skip", ref.Provider, ref.Order, "--sequence", sequence, "--reason", "a test"}
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, "Nothing was done: this is a dry run.", append(skip, "--dry-run")...)
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, "in_doubt", append(skip, "--yes")...)
	s.settled(t, ref)
	if o, err := s.Sandbox.Order(ref.Provider, ref.Order); err != nil || len(o.Charges) != 1 || o.Creates != 1 {
		t.Errorf("%d charges, %d creates, %v", len(o.Charges), o.Creates, err)
	}
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, "stepped over", "audit", "list", "--action", "skip", "--json")
	s.wantPayctl(t, "operator-lee", payctl.ExitOK, "unreadable", "payment", "show", ref.Provider, ref.Order)
}
