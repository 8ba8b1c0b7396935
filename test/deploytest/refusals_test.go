package deploytest

import (
	"strings"
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

// An upstream, and no other, hears why commands of its own were refused: as it happens, and later from the stream.
func TestRefusalsOnOneServer(t *testing.T) {
	s := startSystem(t, startBroker(t, "node.conf", "nats-1"), 1)
	own, other := s.login(t, "upstream-shop"), s.login(t, "upstream-game")
	heard, err := own.SubscribeSync("command.refused.*.*")
	testenv.Must(t, err)
	foreign, err := other.SubscribeSync("command.refused.*.*")
	testenv.Must(t, err)
	testenv.Must(t, own.Flush())
	testenv.Must(t, other.Flush())
	ref := payment.Ref{Provider: testenv.TeemoPay, Order: "R-1"}
	for _, body := range []string{`{"provider":"teemopay-kr","order":"R-1","amount":{"value":10000},"customer":{"fullname":"Kim"}}`, `{"provider":"teemopay-kr","order":"other"}`} {
		if _, err := s.jetStream(t, "upstream-shop").Publish(bounded(t), events.CommandSubject(payment.Deposit, ref), []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		m, err := heard.NextMsg(timeout)
		if err != nil {
			t.Fatalf("nothing is heard: %v\n%s", err, s.logs)
		}
		r, err := events.DecodeRefusal(m.Data)
		if err != nil || m.Subject != "command.refused.teemopay-kr.R-1" || r.Upstream != "shop" || r.Stream != events.IntakeStream("shop") || r.Reason == events.DeadInvalid && len(r.Errors) < 3 {
			t.Errorf("heard %s %+v: %v", m.Subject, r, err)
		}
	}
	js, err := njs.NewWithAPIPrefix(own, "PAYONCE")
	testenv.Must(t, err)
	consumer, err := js.Consumer(bounded(t), events.StreamRefusals, "refusals-shop")
	testenv.Must(t, err)
	reasons := map[events.DeadReason]bool{}
	for range 2 {
		kept, err := consumer.Next(njs.FetchMaxWait(timeout))
		if err != nil {
			t.Fatalf("nothing is kept: %v", err)
		}
		r, err := events.DecodeRefusal(kept.Data())
		testenv.Must(t, err)
		reasons[r.Reason] = true
		testenv.Must(t, kept.DoubleAck(bounded(t)))
	}
	if !reasons[events.DeadInvalid] || !reasons[events.DeadMismatch] {
		t.Errorf("kept are %v", reasons)
	}
	if m, err := foreign.NextMsg(100 * time.Millisecond); err == nil {
		t.Errorf("another upstream hears %s", m.Subject)
	}
	s.wantPayctl(t, "operator-kim", 0, "customer.fullname", "refusals", "list", "--upstream", "shop")
	if status, body := s.get(t, ref, ""); status != 404 || strings.Contains(body, "refused") {
		t.Errorf("another upstream's status: %d %s", status, body)
	}
}
