package jetstream_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

const marked = "https://pay.example/?token=t0ken&customer_email=hong"

func withPage(order, url string) payment.Payment {
	p := paymentOf(ref(order), payment.Pending)
	p.Action = &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: url}}
	return p
}

// holding returns the streams in which a text occurs in a message's subject, header or data.
func holding(t *testing.T, url, text string) (found []string) {
	t.Helper()
	_, js := foreign(t, url)
	for _, name := range []string{events.StreamPayments, events.StreamActions, events.StreamCommands, events.StreamWebhooks, events.StreamDeadLetters, events.StreamAudit} {
		stream, err := js.Stream(testContext(t), name)
		if err != nil {
			t.Fatal(err)
		}
		for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
			raw, err := stream.GetMsg(testContext(t), seq)
			if err != nil {
				continue // deleted
			}
			if bytes.Contains(raw.Data, []byte(text)) || strings.Contains(raw.Subject, text) {
				found = append(found, name)
			}
		}
	}
	return found
}

// What the customer must do is stored beside the log, once, whatever follows. A service that shows payments reads it;
// after an erasure, no service does.
func TestActionsStandBesideTheLog(t *testing.T) {
	server, c := start(t)
	ctx := testContext(t)
	seq, err := c.Append(ctx, withPage("D-1", marked), 0)
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := c.Last(ctx, ref("D-1"))
	if err != nil || !p.Action.Missing() || p.Action.Type != payment.ActionRedirect {
		t.Fatalf("%+v, %v", p.Action, err)
	}
	p.Revision, p.OverdueAt = 2, time.Now() // names the same action
	if seq, err = c.Append(ctx, p, seq); err != nil {
		t.Fatal(err)
	}
	p.Revision, p.Status, p.WithheldAction, p.Action = 3, payment.InDoubt, p.Action, nil
	p.Reason = &payment.Reason{Code: payment.ReasonAmountMismatch}
	if seq, err = c.Append(ctx, p, seq); err != nil {
		t.Fatal(err)
	}
	if found := holding(t, server.URL(), "t0ken"); len(found) != 1 || found[0] != events.StreamActions {
		t.Errorf("the link stands in %v", found)
	}
	shown := jetstream.WithActions{Conn: c.Conn}
	history, err := c.History(ctx, ref("D-1"))
	if err != nil || len(history) != 3 {
		t.Fatalf("%d events, %v", len(history), err)
	}
	for i := range history {
		if history[i].Payment, err = c.Actions(ctx, history[i].Payment); err != nil {
			t.Fatal(err)
		}
	}
	for i, a := range []*payment.Action{history[0].Payment.Action, history[1].Payment.Action, history[2].Payment.WithheldAction} {
		if a.Missing() || a.Redirect.URL != marked {
			t.Errorf("event %d shows %+v", i+1, a)
		}
	}
	p.Revision, p.Status, p.WithheldAction, p.Reason = 4, payment.Settled, nil, nil
	p.SettledAmount = p.Amount
	if _, err = c.Append(ctx, p, seq); err != nil {
		t.Fatal(err)
	}
	erase(t, c, payment.Payment{Ref: ref("D-1")}, 1, 0)
	if found := holding(t, server.URL(), "t0ken"); len(found) != 0 {
		t.Errorf("after the erasure the link stands in %v", found)
	}
	history, err = c.History(ctx, ref("D-1"))
	if err != nil {
		t.Fatal(err)
	}
	first, err := c.Actions(ctx, history[0].Payment)
	if err != nil || len(history) != 4 || !first.Action.Missing() || history[3].Payment.SettledAmount != p.SettledAmount {
		t.Errorf("%+v, %v", history, err)
	}
	last, _, err := shown.Last(ctx, ref("D-1"))
	if err != nil || last.Status != payment.Settled {
		t.Errorf("%+v, %v", last, err)
	}
}

// An event that a version before ACTIONS wrote has the link in itself: it is shown as ever, and the next event names it.
func TestActionsOfOlderVersions(t *testing.T) {
	server, c := start(t)
	ctx := testContext(t)
	out, err := events.EncodePayment(withPage("D-1", marked), "old")
	if err != nil {
		t.Fatal(err)
	}
	_, js := foreign(t, server.URL())
	if _, err := js.PublishMsg(ctx, &nats.Msg{Subject: out.Subject, Header: nats.Header(out.Header), Data: out.Data}); err != nil {
		t.Fatal(err)
	}
	shown := jetstream.WithActions{Conn: c.Conn}
	p, seq, err := shown.Last(ctx, ref("D-1"))
	if err != nil || p.Action == nil || p.Action.Redirect == nil || p.Action.Redirect.URL != marked {
		t.Fatalf("%+v, %v", p.Action, err)
	}
	p.Revision, p.OverdueAt = 2, time.Now()
	if _, err := c.Append(ctx, p, seq); err != nil {
		t.Fatal(err)
	}
	if found := holding(t, server.URL(), "t0ken"); !slices.Equal(found, []string{events.StreamPayments, events.StreamActions}) {
		t.Errorf("the link stands in %v, want the old event and ACTIONS", found)
	}
	if p, _, err = shown.Last(ctx, ref("D-1")); err != nil || p.Action.Stored == "" || p.Action.Missing() || p.Action.Redirect.URL != marked {
		t.Errorf("%+v, %v", p.Action, err)
	}
}

// erase erases what is erasable of an order and compares how many messages that were, and how many are needed.
func erase(t *testing.T, c *admin.Conn, p payment.Payment, erasable, needed int) {
	t.Helper()
	found, err := c.PersonalData(testContext(t), p)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range found {
		if m.Needed != "" {
			needed--
			continue
		}
		erasable--
		for range 2 { // again is no error
			if err := c.Erase(testContext(t), m); err != nil {
				t.Error(err)
			}
		}
	}
	if erasable != 0 || needed != 0 {
		t.Errorf("%+v: %d fewer to erase, %d fewer needed than expected", found, erasable, needed)
	}
}

// No event names what is not there: while ACTIONS cannot be written, nothing is written, and it is not taken for another's
// append. What needs no action goes on.
func TestNoEventWithoutItsAction(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	if err := js.DeleteStream(testContext(t), events.StreamActions); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(testContext(t), time.Second)
	defer cancel()
	if _, err := c.Append(short, withPage("D-1", marked), 0); err == nil || errors.Is(err, events.ErrStale) {
		t.Errorf("without the stream: %v", err)
	}
	if _, _, err := c.Last(testContext(t), ref("D-1")); !errors.Is(err, events.ErrNoPayment) {
		t.Errorf("the log has the event: %v", err)
	}
	if err := c.Ready(); err == nil || !strings.Contains(err.Error(), events.StreamActions) {
		t.Errorf("it is ready: %v", err)
	}
	if _, err := c.Append(testContext(t), paymentOf(ref("D-2"), payment.Submitting), 0); err != nil {
		t.Error(err)
	}
	if err := c.EnsureStreams(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Append(testContext(t), withPage("D-1", marked), 0); err != nil {
		t.Error(err)
	}
	if err := c.Ready(); err != nil {
		t.Error(err)
	}
}

// An append that another wins leaves nothing in the log; a payment whose action is of another order shows nothing of it.
func TestActionsOfOthersAreNotShown(t *testing.T) {
	_, c := start(t)
	ctx := testContext(t)
	if _, err := c.Append(ctx, withPage("D-1", marked), 0); err != nil {
		t.Fatal(err)
	}
	mine, _, err := c.Last(ctx, ref("D-1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{mine.Action.Stored, "*", ">", "", "a.b"} {
		foreign := paymentOf(ref("D-2"), payment.Pending)
		foreign.Action = &payment.Action{Type: payment.ActionRedirect, Stored: id}
		if shown, err := c.Actions(ctx, foreign); err != nil || shown.Action.Redirect != nil {
			t.Errorf("%q shows %+v, %v", id, shown.Action, err)
		}
	}
}

// Commands of an ended payment, webhooks that were judged and dead letters can be erased; what still speaks cannot, nor the
// same command of another upstream.
func TestPersonalDataOfAnOrder(t *testing.T) {
	server, c := start(t)
	ctx, r := testContext(t), ref("D-1")
	cmd := payment.Command{Ref: r, Operation: payment.Deposit, Amount: payment.KRW(1), Customer: payment.Customer{Name: "홍길동-mark"}, Upstream: "shop"}
	send := func(cmd payment.Command) {
		t.Helper()
		out, err := events.EncodeCommand(cmd, "c-"+cmd.Customer.Name)
		if err == nil {
			err = c.PublishCommand(ctx, out)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	hook := func(id string) {
		t.Helper()
		out, err := events.EncodeWebhook(events.Webhook{Ref: r, Body: []byte("홍길동-mark " + id), ReceivedAt: time.Now()}, id)
		if err == nil {
			err = c.PublishWebhook(ctx, out, id)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	send(cmd)
	hook("judged")
	erase(t, c, payment.Payment{Ref: r, Fingerprint: "another command's"}, 0, 2) // no consumer has judged anything
	erase(t, c, payment.Payment{Ref: r, Fingerprint: cmd.Fingerprint(), Upstream: "game"}, 0, 2)
	judged := make(chan struct{})
	stop := consumingWebhooks(t, c, func(_ events.Message) queue.Verdict {
		defer close(judged)
		return queue.DeadLetter(events.DeadUnexplained, "")
	})
	<-judged
	stop() // waits for its acknowledgement
	hook("not judged")
	erase(t, c, payment.Payment{Ref: r, Fingerprint: cmd.Fingerprint(), Upstream: "shop"}, 2, 2) // not the webhook's dead letter
	if found := holding(t, server.URL(), "홍길동-mark"); !slices.Equal(found, []string{events.StreamWebhooks, events.StreamDeadLetters}) {
		t.Errorf("left in %v", found)
	}
	deadLetters, err := c.DeadLettersOf(ctx, r)
	if err != nil || len(deadLetters) != 1 {
		t.Fatal(deadLetters, err)
	}
	if err := c.DropDeadLetter(ctx, deadLetters[0].Sequence); err != nil {
		t.Fatal(err)
	}
	if found := holding(t, server.URL(), "홍길동-mark"); !slices.Equal(found, []string{events.StreamWebhooks}) {
		t.Errorf("left in %v after a person decided about the dead letter", found)
	}
	erase(t, c, payment.Payment{Ref: ref("D-2")}, 0, 0)
}

func consumingWebhooks(t *testing.T, c *admin.Conn, handler func(events.Message) queue.Verdict) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- c.ConsumeWebhooks(ctx, "acme", 1, func(_ context.Context, m events.Message) queue.Verdict { return handler(m) })
	}()
	return func() {
		cancel()
		if err := receive(t, done, "the end of ConsumeWebhooks"); err != nil {
			t.Error(err)
		}
	}
}
