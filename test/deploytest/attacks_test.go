package deploytest

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/test/testenv"
)

// victims are messages that wait and that no upstream may be able to remove, hold back or forge. No
// worker serves the provider, so they stay.
var victims = []string{"deposit.requested.retired-kr.V-1", "deposit.requested.retired-kr.V-2", "payout.requested.retired-kr.V-3"}

// attack tries, with the rights of an upstream and of a ledger, what headers and reply subjects can do
// although permissions do not see them. Each of these worked in an account that was shared.
func attack(t *testing.T, s *system) {
	t.Helper()
	s.stopWorker() // nothing but the attacks shall change what is compared
	operator := s.jetStream(t, "operator-kim")
	for _, subject := range victims {
		if _, err := operator.Publish(bounded(t), subject, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	worker := s.jetStream(t, "worker")
	for i := range 2 * len(targets) { // events that the ledger has not read yet
		if _, err := worker.Publish(bounded(t), fmt.Sprintf("payment.settled.retired-kr.L-%d", i), []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	before := s.state(t, operator)
	headers(t, s, "upstream-shop")
	headers(t, s, "ingress")
	replies(t, s)
	if after := s.state(t, operator); after != before {
		t.Errorf("the streams were %+v and are %+v", before, after)
	}
	for _, subject := range victims {
		stream, err := operator.Stream(bounded(t), events.StreamCommands)
		testenv.Must(t, err)
		if _, err := stream.GetLastMsgForSubject(bounded(t), subject); err != nil {
			t.Errorf("%s is lost: %v", subject, err)
		}
	}
	stolenID(t, s)
}

// state is how much is in the streams, and up to where they went.
type state struct {
	commands, webhooks, log, audit, lastInLog uint64
}

func (s *system) state(t *testing.T, js njs.JetStream) state {
	t.Helper()
	var all []njs.StreamState
	for _, name := range []string{events.StreamCommands, events.StreamWebhooks, events.StreamPayments, events.StreamAudit} {
		stream, err := js.Stream(bounded(t), name)
		testenv.Must(t, err)
		all = append(all, stream.CachedInfo().State)
	}
	return state{all[0].Msgs, all[1].Msgs, all[2].Msgs, all[3].LastSeq, all[2].LastSeq}
}

// orders are headers that order the broker about.
var orders = [][]string{
	{"Nats-Rollup", "all"}, {"Nats-Rollup", "sub"}, {"Nats-TTL", "1s"}, {"Nats-Incr", "+1"},
	{"Nats-Schedule", "@every 1s", "Nats-Schedule-Target", victims[0]},
	{"Nats-Schedule", "@every 1s", "Nats-Schedule-Target", "intake.game.deposit.requested.diamondpay-tw.F"},
	{"Nats-Schedule", "@at 2026-01-01T00:00:00Z", "Nats-Schedule-Target", "audit.operator-kim.settle.retired-kr.V-1"},
	{"Nats-Batch-Id", "b", "Nats-Batch-Sequence", "1"},
	{"Nats-Expected-Last-Sequence", "999999"}, {"Nats-Expected-Stream", events.StreamPayments},
}

// headers sends every header that orders the broker about. All are refused.
func headers(t *testing.T, s *system, user string) {
	t.Helper()
	js := s.jetStream(t, user)
	for i, header := range orders {
		msg := &nats.Msg{Subject: fmt.Sprintf("deposit.requested.ecommpay-kr.A-%d", i), Header: nats.Header{}, Data: []byte("{}")}
		for j := 0; j < len(header); j += 2 {
			msg.Header.Set(header[j], header[j+1])
		}
		if ack, err := js.PublishMsg(bounded(t), msg, njs.WithRetryAttempts(0)); err == nil {
			t.Errorf("%v of %s was taken: %+v", header, user, ack)
		}
	}
}

// targets are subjects that a third party can name as where the server's answer goes.
var targets = append([]string{
	"payment.settled.teemopay-kr.N-1", "payment.failed.retired-kr.V-1", "parked.retired-kr.V-1", "webhook.received.teemopay-kr.N-1",
	"operator.settle.retired-kr.V-1", "audit.operator-kim.settle.retired-kr.V-1",
	"$JS.API.STREAM.PURGE.COMMANDS", "$JS.API.STREAM.DELETE.COMMANDS", "$JS.API.STREAM.MSG.DELETE.COMMANDS",
}, victims...)

// replies names subjects of others as where the server's answers go. An upstream gets acknowledgements, a
// ledger and the archive get events of the log, an ingress and an operator get what they read; none may land there.
func replies(t *testing.T, s *system) {
	t.Helper()
	upstream, ledger := s.login(t, "upstream-shop"), s.login(t, "ledger-"+accounting)
	ingress, lee, archive, console, viewer := s.login(t, "ingress"), s.login(t, "operator-lee"), s.login(t, "archive"), s.login(t, "console"), s.login(t, "viewer")
	for _, target := range targets {
		// An answer to a bad command would be a dead letter; an expected sequence makes the answer an error.
		msg := &nats.Msg{Subject: "deposit.requested.ecommpay-kr.A-0", Reply: target, Header: nats.Header{"Nats-Expected-Last-Sequence": {"999999"}}}
		testenv.Must(t, upstream.PublishMsg(msg))
		next := "PAYONCE.CONSUMER.MSG.NEXT.PAYMENTS." + admin.LedgerConsumer(accounting)
		testenv.Must(t, ledger.PublishRequest(next, target, []byte(`{"batch":1,"no_wait":true}`)))
		testenv.Must(t, archive.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.PAYMENTS.archive", target, []byte(`{"batch":1,"no_wait":true}`)))
		for subject, body := range map[string]string{
			"$JS.API.DIRECT.GET.PAYMENTS": `{"last_by_subj":"payment.settled.retired-kr.L-0"}`, "$JS.API.STREAM.INFO.PAYMENTS": "",
		} {
			for _, nc := range []*nats.Conn{ingress, lee, archive, console, viewer} {
				testenv.Must(t, nc.PublishRequest(subject, target, []byte(body)))
			}
		}
		// A bad webhook would be a dead letter; an expected sequence makes the answer an error.
		msg = &nats.Msg{Subject: "webhook.received.ecommpay-kr.A-0", Reply: target, Header: nats.Header{"Nats-Expected-Last-Sequence": {"999999"}}}
		testenv.Must(t, ingress.PublishMsg(msg))
	}
	for _, nc := range []*nats.Conn{upstream, ledger, ingress, lee, archive, console, viewer} {
		testenv.Must(t, nc.FlushTimeout(timeout))
	}
	// What the server still does for these requests is done before it answers later ones of the same users.
	js, err := njs.New(upstream)
	testenv.Must(t, err)
	msg := &nats.Msg{Subject: "deposit.requested.ecommpay-kr.A-0", Header: nats.Header{"Nats-Expected-Last-Sequence": {"999999"}}}
	if _, err := js.PublishMsg(bounded(t), msg, njs.WithRetryAttempts(0)); err == nil {
		t.Error("an impossible sequence was expected and found")
	}
}

// stolenID publishes under the message id that another upstream is about to use.
func stolenID(t *testing.T, s *system) {
	t.Helper()
	for i, publish := range []struct{ user, subject string }{
		{"upstream-shop", "deposit.requested.ecommpay-kr.I-1"}, {"upstream-game", "deposit.requested.diamondpay-tw.I-1"},
	} {
		js := s.jetStream(t, publish.user)
		ack, err := js.Publish(bounded(t), publish.subject, []byte("{}"), njs.WithMsgID("guessed"))
		if err != nil || ack.Duplicate {
			t.Errorf("publish %d: %+v: %v", i, ack, err)
		}
	}
}
