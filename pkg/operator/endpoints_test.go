package operator_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// shop is an endpoint at the broker.
type shop struct {
	came  events.EndpointTest
	err   error
	did   []string
	again []uint64
}

func (s *shop) TestEndpoint(context.Context, string) (events.EndpointTest, error) {
	return s.came, s.err
}

func (s *shop) DisableEndpoint(_ context.Context, name string) error {
	s.did = append(s.did, "disable "+name)
	return s.err
}

func (s *shop) EnableEndpoint(_ context.Context, name string) error {
	s.did = append(s.did, "enable "+name)
	return s.err
}

func (s *shop) SendAgain(_ context.Context, _, _ string, m events.Message) error {
	s.again = append(s.again, m.Sequence)
	return nil
}

// What a person does with an endpoint stands in AUDIT before and after, with what came of it; without a name and a reason nothing is done.
func TestActionsOnEndpoints(t *testing.T) {
	_, service := at(t, intend)
	for name, test := range map[string]struct {
		to     shop
		act    func(a operator.Actions, s *shop, who operator.Person) error
		result string
		err    error
	}{
		"disable": {shop{}, func(a operator.Actions, s *shop, who operator.Person) error {
			return a.SwitchEndpoint(t.Context(), s, "shop", false, who)
		}, "disable disabled", nil},
		"enable": {shop{}, func(a operator.Actions, s *shop, who operator.Person) error {
			return a.SwitchEndpoint(t.Context(), s, "shop", true, who)
		}, "enable enabled", nil},
		"delivered":     {shop{came: events.EndpointTest{Delivered: true}}, testShop(t), "test delivered", nil},
		"not delivered": {shop{came: events.EndpointTest{Problem: "HTTP 500"}}, testShop(t), "test not delivered: HTTP 500", nil},
		"no notifier":   {shop{err: fmt.Errorf("test: %w", events.ErrNoNotifier)}, testShop(t), "test not sent: no notifier answers", events.ErrNoNotifier},
	} {
		t.Run(name, func(t *testing.T) {
			audit := &trail{}
			if err := test.act(actions(service, audit), &test.to, operator.Person{Name: "kim"}); err == nil || len(audit.records) > 0 || len(test.to.did) > 0 {
				t.Fatalf("without a reason: %v, %+v", err, audit.records)
			}
			if err := test.act(actions(service, audit), &test.to, kim); !errors.Is(err, test.err) || len(audit.records) != 2 {
				t.Fatalf("%v, %+v", err, audit.records)
			}
			last := audit.records[1]
			if got := fmt.Sprintf("%s %s", last.Action, last.Items[0].Result); got != test.result || last.Filter["endpoint"] != "shop" || last.Provider != events.NoProvider {
				t.Errorf("%s: %+v", got, last)
			}
		})
	}
}

func testShop(t *testing.T) func(operator.Actions, *shop, operator.Person) error {
	return func(a operator.Actions, s *shop, who operator.Person) error {
		_, err := a.TestEndpoint(t.Context(), s, "shop", who)
		return err
	}
}

// eventLog is a log of events, one a minute.
type eventLog []events.Message

func (l eventLog) ReadEvents(_ context.Context, _ string, from time.Time, each func(events.Message) (bool, error)) error {
	for _, m := range l {
		if m.StoredAt.Before(from) {
			continue
		}
		if more, err := each(m); !more || err != nil {
			return err
		}
	}
	return nil
}

// A filter chooses what an endpoint wants, within its time and up to its last event, and no more than is allowed.
func TestEventFilter(t *testing.T) {
	var log eventLog
	for i := range 10 {
		p := payment.Payment{Ref: payment.Ref{Provider: ref.Provider, Order: fmt.Sprintf("P-%d", i)}, Operation: payment.Payout, Status: payment.Settled, Revision: 1, Amount: payment.KRW(1000), SettledAmount: payment.KRW(1000), UpdatedAt: begin}
		if i%2 == 1 {
			p.Status, p.SettledAmount = payment.Submitting, payment.Money{}
		}
		out, err := events.EncodePayment(p, fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data, Sequence: uint64(i + 1), StoredAt: begin.Add(time.Duration(i) * time.Minute)})
	}
	log = append(log, events.Message{Subject: "payment.settled." + ref.Provider + ".P-99", Data: []byte("{"), Sequence: 11, StoredAt: begin.Add(time.Hour)})
	wants := func(p payment.Payment) bool { return p.Status == payment.Settled }
	for name, test := range map[string]struct {
		f    operator.EventFilter
		want string
	}{
		"from":  {operator.EventFilter{From: begin.Add(4 * time.Minute)}, "[5 7 9]"},
		"to":    {operator.EventFilter{From: begin, To: begin.Add(4 * time.Minute)}, "[1 3]"},
		"up to": {operator.EventFilter{From: begin, Last: 6}, "[1 3 5]"},
	} {
		found, err := test.f.Read(t.Context(), log, wants, 10)
		var have []uint64
		for _, m := range found {
			have = append(have, m.Sequence)
		}
		if fmt.Sprint(have) != test.want || err != nil || !test.f.Valid() {
			t.Errorf("%s: %v, %v, want %s", name, have, err, test.want)
		}
	}
	var tooMany *operator.TooManyError
	if _, err := (operator.EventFilter{From: begin}).Read(t.Context(), log, wants, 4); !errors.As(err, &tooMany) {
		t.Errorf("five of at most four: %v", err)
	}
	for _, bad := range []operator.EventFilter{{}, {Provider: "acme"}, {Order: "P-1"}, {To: begin}, {Provider: "A", From: begin}} {
		if bad.Valid() {
			t.Errorf("%+v chooses too much, or nothing", bad)
		}
	}
	again, to, audit := operator.ResendOf("shop", operator.EventFilter{Provider: ref.Provider}, log[:1]), &shop{}, &trail{}
	_, service := at(t, intend)
	results, err := actions(service, audit).SendAgain(t.Context(), to, again, kim)
	if err != nil || results[operator.SentAgain] != 1 || fmt.Sprint(to.again) != "[1]" || again.Items[0].Result != operator.SentAgain || audit.records[0].Provider != ref.Provider {
		t.Errorf("%v, %v, %v, %+v", results, err, to.again, audit.records)
	}
}
