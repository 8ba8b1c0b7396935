package connectortest

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
)

// Run tests one variant of a connector. Each rule is a subtest whose name says what is broken when it
// fails. A harness with a hole fails as a whole, unless Absent says why: the parts that may be absent are
// Submit.Code, Submit.Status, Submit.Duplicate, Submit.Refusal, Submit.AmountEcho, Submit.OrderEcho,
// Lookup.Unknown and Lookup.OrderEcho.
func Run(t *testing.T, h Harness) {
	if problems := h.problems(); len(problems) > 0 {
		t.Fatalf("the harness is not complete:\n  %s", strings.Join(problems, "\n  "))
	}
	for _, r := range rules {
		if r.concerns == nil || r.concerns(h) {
			t.Run(r.name, func(t *testing.T) {
				s := newRuleTest(t, h, timeout)
				s.tampered = &tampered
				r.check(s)
			})
		}
	}
}

// tampered holds the webhooks that were tampered with for one variant of a connector. Variants share their
// webhooks, and thousands of changes of the same bytes need not be tried for each of them.
var tampered sync.Map

// timeout bounds what must happen; it is never what a rule measures.
const timeout = 30 * time.Second

// rule is one thing that a connector must do.
type rule struct {
	name     string
	concerns func(Harness) bool // nil: every connector
	check    func(s *ruleTest)
}

// ruleTest is one rule on one connector.
type ruleTest struct {
	testing.TB
	h        Harness
	timeout  time.Duration
	millis   atomic.Int64 // the clock
	tampered *sync.Map    // see the variable; nil: leave nothing out
}

func newRuleTest(t testing.TB, h Harness, timeout time.Duration) *ruleTest {
	s := &ruleTest{TB: t, h: h, timeout: timeout}
	s.millis.Store(h.Now.UnixMilli())
	return s
}

func (s *ruleTest) now() time.Time { return time.UnixMilli(s.millis.Load()).UTC() }

func (s *ruleTest) advance(d time.Duration) { s.millis.Add(d.Milliseconds()) }

// nowhere is an address where nothing listens.
const nowhere = "http://127.0.0.1:1"

// elsewhere is another one.
const elsewhere = "http://127.0.0.1:2"

// connect returns a connector of its own.
func (s *ruleTest) connect(url string, roots *x509.CertPool) connectors.Connector {
	s.Helper()
	client := httpcall.NewClient(httpcall.Options{RootCAs: roots})
	s.Cleanup(client.CloseIdleConnections)
	return s.h.New(s.TB, url, client, s.now)
}

// order returns an order number that any provider takes.
func order(n int) string { return fmt.Sprintf("D%04d", n) }

// amount returns the n-th of many different amounts that the provider takes.
func (s *ruleTest) amount(n int64) payment.Money {
	m := s.h.Command.Amount
	if m.Minor += n; s.h.Amounts.Max.IsZero() || m.Minor <= s.h.Amounts.Max.Minor {
		return m
	}
	m.Minor -= 2 * n
	return m
}

// command returns the command of the variant for another order and amount.
func (s *ruleTest) command(order string, amount payment.Money) payment.Command {
	cmd := s.h.Command
	cmd.Order, cmd.Amount = order, amount
	return cmd
}

// await runs a call that must return by itself.
func (s *ruleTest) await(what string, call func()) {
	s.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		call()
	}()
	timer := time.NewTimer(s.timeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		s.Fatalf("%s does not return: it does not respect the deadline", what)
	}
}

// submit calls Submit. The error, if there is one, is classified and holds what it must and nothing that
// it must not.
func (s *ruleTest) submit(ctx context.Context, c connectors.Connector, cmd payment.Command) (o payment.Observation, e *connectors.Error) {
	s.Helper()
	var err error
	s.await("Submit", func() { o, err = c.Submit(ctx, cmd) })
	return o, s.judged("Submit", cmd, o, err)
}

// lookup calls Lookup, likewise.
func (s *ruleTest) lookup(ctx context.Context, c connectors.Connector, cmd payment.Command) (o payment.Observation, e *connectors.Error) {
	s.Helper()
	var err error
	q := connectors.Query{Ref: cmd.Ref, Operation: cmd.Operation, Amount: cmd.Amount}
	s.await("Lookup", func() { o, err = c.Lookup(ctx, q) })
	return o, s.judged("Lookup", cmd, o, err)
}

func (s *ruleTest) judged(call string, cmd payment.Command, o payment.Observation, err error) *connectors.Error {
	s.Helper()
	if err == nil {
		s.shows(call+"'s observation", o, s.h.Secrets)
		return nil
	}
	if !reflect.ValueOf(o).IsZero() {
		s.Errorf("%s returns an error and an observation: %+v", call, o)
	}
	s.shows(call+"'s error", err, append(private(cmd), s.h.Secrets...))
	var e *connectors.Error
	if !errors.As(err, &e) {
		s.Errorf("%s returns an error that is not classified: %T", call, err)
		return connectors.Classify(err)
	}
	s.shows(call+"'s error", *e, append(private(cmd), s.h.Secrets...))
	if e.Evidence == "" || e.Code == "" {
		s.Errorf("%s returns an error without evidence or code: %+v", call, *e)
	}
	return e
}

// shows looks for texts that must not be seen in anything that fmt prints of a value.
func (s *ruleTest) shows(what string, v any, hidden []string) {
	s.Helper()
	for _, format := range []string{"%v", "%+v", "%#v"} {
		text := fmt.Sprintf(format, v)
		for i, secret := range hidden {
			if strings.Contains(text, secret) {
				s.Errorf("%s shows a secret or personal data with %s (text %d of %d)", what, format, i+1, len(hidden))
			}
		}
	}
}

// private returns the personal data of a command that is long enough to be distinguished from other text.
func private(cmd payment.Command) []string {
	var texts []string
	for _, text := range []string{
		cmd.Customer.ID, cmd.Customer.Name, cmd.Customer.FirstName, cmd.Customer.LastName, cmd.Customer.Email,
		cmd.Customer.Phone, cmd.Customer.IPAddress, cmd.Customer.IDNumber, cmd.Account.Number, cmd.Account.Holder,
	} {
		if len(text) > 3 {
			texts = append(texts, text)
		}
	}
	return texts
}

// only returns the one request that arrived.
func (s *ruleTest) only(p *provider) (r Received, ok bool) {
	s.Helper()
	all := p.requests()
	if len(all) != 1 {
		s.Errorf("%d requests arrived, want exactly 1", len(all))
		return Received{}, false
	}
	return all[0], true
}

// signed tests that the provider would take a request's signature.
func (s *ruleTest) signed(r Received) {
	s.Helper()
	if err := s.h.Submit.Verify(r, s.now()); err != nil {
		s.Errorf("the provider would not take the signature of %s %s: %v", r.Method, r.Target, err)
	}
}

// mean tests an observation or error against what the documents say.
func (s *ruleTest) mean(m Meaning, o payment.Observation, e *connectors.Error) {
	s.Helper()
	reason, known, code := o.Reason, o.Known, m.Reason
	switch {
	case m.Kind != "" && (e != nil || o.Kind != m.Kind):
		s.Errorf("%q is documented as %s, got %q, %v", m.Text, m.Kind, o.Kind, e)
		return
	case m.Kind == "" && e == nil:
		s.Errorf("%q is documented as %s, got the observation %s", m.Text, m.Class, o.Kind)
		return
	case m.Kind == "" && e.Class != m.Class:
		s.Errorf("%q is documented as %s, got %v", m.Text, m.Class, e)
		return
	case e != nil:
		reason, known = e.Reason(), e.Known
		if m.Text != "" && e.ProviderCode != m.Text {
			s.Errorf("the provider's code %q is reported as %q", m.Text, e.ProviderCode)
		}
	}
	if m.Known != known && (e != nil || m.Known) {
		s.Errorf("%q: whether the provider has the order is %v, want %v", m.Text, known, m.Known)
	}
	if code != "" && (reason == nil || reason.Code != code) {
		s.Errorf("%q: the reason is %+v, want %s", m.Text, reason, code)
	}
}

// submitting returns the payment of a command whose request was just made.
func (s *ruleTest) submitting(cmd payment.Command) payment.Payment {
	return s.decide(payment.New(cmd), payment.Observation{Kind: payment.Intend, Source: payment.FromWorker})
}

// pending returns the payment of a command that the provider has accepted.
func (s *ruleTest) pending(cmd payment.Command) payment.Payment {
	return s.decide(s.submitting(cmd), payment.Observation{Kind: payment.Accepted, Source: payment.FromSubmit, Attempt: 1})
}

// decide applies an observation as the worker does.
func (s *ruleTest) decide(p payment.Payment, o payment.Observation) payment.Payment {
	s.Helper()
	if o.Source == payment.FromSubmit {
		o.Attempt = p.Attempts
	}
	next, _, err := payment.Decide(p, o, s.now())
	if err != nil {
		s.Errorf("the payment cannot take %s: %v", o.Kind, err)
	}
	return next
}
