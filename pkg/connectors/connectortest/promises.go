package connectortest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.uber.org/goleak"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// traits proves each promise by what the connector does.
func traits(s *ruleTest) {
	c := s.connect(nowhere, nil)
	t, cmd := c.Traits(), s.h.Command
	documented := s.h.Traits
	// They hold the address, which the harness does not know.
	documented.Account, documented.Merchant, documented.Endpoints = t.Account, t.Merchant, t.Endpoints
	if !reflect.DeepEqual(t, documented) || !reflect.DeepEqual(c.Traits(), t) {
		s.Errorf("the traits are %+v, the documents promise %+v", t, documented)
	}
	if other := s.connect(elsewhere, nil).Traits().Account; t.Account == "" || t.Account == other {
		s.Errorf("the account is %q at one address and %q at another: it must name the provider's host", t.Account, other)
	}
	if t.Merchant == "" || len(t.Endpoints) == 0 || slices.Equal(t.Endpoints, s.connect(elsewhere, nil).Traits().Endpoints) {
		s.Errorf("the merchant is %q at %q: two providers that are one account must be seen", t.Merchant, t.Endpoints)
	}
	taken := func(what string, cmd payment.Command, want bool) {
		s.Helper()
		if err := connectors.Check(c, cmd); (err == nil) != want {
			s.Errorf("%s: refused is %v, want %v (%v)", what, err != nil, !want, err)
		}
	}
	taken("the command of the harness", cmd, true)
	for _, operation := range payment.Operations() {
		if !slices.Contains(t.Operations, operation) {
			other := cmd
			other.Operation, other.Method = operation, ""
			taken("the operation "+string(operation), other, false)
		}
	}
	for _, currency := range []string{"KRW", "TWD"} {
		if !slices.Contains(t.Currencies, currency) {
			other := cmd
			other.Amount.Currency = currency
			taken("the currency "+currency, other, false)
		}
	}
	longest := cmd
	longest.Order = strings.Repeat("x", t.MaxOrderLength)
	taken("the longest order number", longest, true)
	longest.Order += "x"
	taken("a longer order number", longest, false)
	other := cmd
	other.Method = "no-such-method"
	taken("another method", other, false)
}

func longestOrder(s *ruleTest) {
	cmd := s.command(strings.Repeat("x", s.h.Traits.MaxOrderLength), s.h.Command.Amount)
	if r, ok := s.made(cmd); ok {
		s.carries(r, cmd)
	}
}

// secrets prints the connector in every way. Errors, observations and notices are read in all rules.
func secrets(s *ruleTest) {
	c := s.connect(nowhere, nil)
	s.shows("the connector", c, s.h.Secrets)
	if v := reflect.ValueOf(c); v.Kind() == reflect.Pointer {
		s.shows("the connector", v.Elem().Interface(), s.h.Secrets)
	}
	s.shows("the traits", c.Traits(), s.h.Secrets)
	_, e := s.lookup(s.Context(), c, s.command(order(1), s.h.Command.Amount))
	if e == nil {
		s.Errorf("a lookup where nobody listens gives no error")
	}
}

// goroutines plays the whole life of a connector and looks for what is left of it.
func goroutines(s *ruleTest) {
	before := goleak.IgnoreCurrent()
	cmd := s.command(order(1), s.h.Command.Amount)
	p := s.serve(always(send(s.accepted(1))))
	broken := s.serve(always(reset))
	late := s.deadline()
	slow := s.serve(always(silence(late.expire)))
	for _, url := range []string{p.url(), broken.url(), nowhere} {
		c := s.connect(url, nil)
		_, _ = s.submit(s.Context(), c, cmd)
		_, _ = s.lookup(s.Context(), c, cmd)
	}
	_, _ = s.lookup(late, s.connect(slow.url(), nil), cmd)
	if w, ok := s.connect(nowhere, nil).(connectors.Webhooks); ok {
		_, _ = s.hear(w, s.h.Webhooks.Make(s.TB, s.event()))
	}
	p.close()
	broken.close()
	slow.close()
	if err := goleak.Find(before); err != nil {
		s.Errorf("%v", err)
	}
}

// environment compares what is sent under an environment that means harm.
func environment(s *ruleTest) {
	fixed := func() string {
		r, _ := s.made(s.h.Command)
		fields, err := r.Fields()
		if err != nil {
			s.Errorf("%v", err)
		}
		for _, name := range slices.Concat(s.h.Submit.Example.Fresh, s.h.Submit.Unique) {
			delete(fields, name)
		}
		return fmt.Sprint(r.Method, r.Target != "", fields)
	}
	before := fixed()
	for _, name := range []string{
		"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "HOSTNAME", "USER", "LANG", "TZ",
	} {
		s.Setenv(name, nowhere)
	}
	if after := fixed(); after != before {
		s.Errorf("the environment changes the request from\n%s to\n%s", before, after)
	}
	for _, problem := range s.h.sourceProblems() {
		s.Errorf("%s", problem)
	}
}

// silent submits make no request, and still respect the caller's time.
func silent(s *ruleTest) {
	p := s.serve(always(hangUp))
	cmd := s.command(order(1), s.h.Command.Amount)
	o, e := s.submit(s.Context(), s.connect(p.url(), nil), cmd)
	s.taken(cmd, o, e)
	if n := p.dialed(); n != 0 {
		s.Errorf("%d connections were made", n)
	}
	d := s.deadline()
	d.expire()
	if o, e = s.submit(d, s.connect(nowhere, nil), cmd); e != nil && e.Class != connectors.NotSent {
		s.Errorf("after its deadline it gives %+v, %v", o, e)
	}
}
