package ingress_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/ingress"
	"payonce/pkg/payment"
)

const gameKey = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

// asGame sends a request with the key of another upstream.
var asGame = []string{"Authorization", "Bearer " + gameKey}

// withGame adds another upstream that may use the same providers.
func withGame(o *ingress.Options) {
	hash, _ := ingress.HashKey(gameKey)
	o.Keys = append(o.Keys, ingress.APIKey{Name: "game", SHA256: hash})
}

// by is the payment of an upstream.
func by(upstream string, p payment.Payment) payment.Payment {
	p.Upstream = upstream
	return p
}

// told is everything about an answer that a client can compare, without what is another in each request.
func told(a answer) string {
	id := a.header.Get("X-Request-Id")
	text := http.StatusText(a.status) + strings.ReplaceAll(a.body, id, "ID")
	for _, name := range slices.Sorted(headerNames(a.header)) {
		if name != "Date" && name != "Content-Length" { // the id's, as the body shows
			text += "\n" + name + ": " + strings.ReplaceAll(a.header.Get(name), id, "ID")
		}
	}
	return text
}

func headerNames(h http.Header) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range h {
			if !yield(name) {
				return
			}
		}
	}
}

// reads are all requests about one payment, for an order.
func reads(order string) map[string][]string {
	at := "/v1/payments/fake-kr/" + order
	return map[string][]string{
		"payment":            {"GET", at, ""},
		"payment, unchanged": {"GET", at, "", "If-None-Match", `"1", "0", *`},
		"payment, waiting":   {"GET", at, "", "Prefer", "wait=5"},
		"events":             {"GET", at + "/events", ""},
		"clarification":      {"POST", at + "/clarification", answerBody},
		"wrong answer":       {"POST", at + "/clarification", `{"fields":{"a":{"b":"c"}}}`},
		"named answer":       {"POST", at + "/clarification", `{"order":"` + order + `",` + answerBody[1:]},
	}
}

// looks counts what is read for one request.
type looks struct {
	ingress.Log
	actions ingress.Actions
	ingress.Commands
	done []string
}

func (l *looks) Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	l.done = append(l.done, "last")
	return l.Log.Last(ctx, ref)
}

func (l *looks) Actions(ctx context.Context, p payment.Payment) (payment.Payment, error) {
	l.done = append(l.done, "actions")
	return l.actions.Actions(ctx, p)
}

func (l *looks) History(ctx context.Context, ref payment.Ref) ([]events.Record, error) {
	l.done = append(l.done, "history")
	return l.Log.History(ctx, ref)
}

func (l *looks) Queued(ctx context.Context, ref payment.Ref) (events.Queued, error) {
	l.done = append(l.done, "queued")
	return l.Commands.Queued(ctx, ref)
}

// Wherever another upstream's payment is, and whatever is asked about it, the answer is that of an order that does not
// exist, after the same reads.
func TestAnotherUpstreamsPaymentDoesNotExist(t *testing.T) {
	for place, put := range map[string]func(b *border){
		"asks": func(b *border) {
			b.log.append(by("shop", asks(paymentOf(t, payment.Deposit, depositBody, payment.Pending))))
		},
		"settled": func(b *border) { b.log.append(by("shop", paymentOf(t, payment.Deposit, depositBody, payment.Settled))) },
		"parked":  func(b *border) { b.log.append(by("shop", paymentOf(t, payment.Deposit, depositBody, payment.Parked))) },
		"of a NATS upstream": func(b *border) {
			b.log.append(by("lottery", paymentOf(t, payment.Payout, depositBody, payment.InDoubt)))
		},
		"queued": func(b *border) { b.queue.put(of("shop", queuedMessage(t, payment.Deposit, depositBody, "x"))) },
		"queued, not readable": func(b *border) {
			m := of("shop", queuedMessage(t, payment.Deposit, depositBody, "x"))
			m.Data = []byte("{")
			b.queue.put(m)
		},
		"both": func(b *border) {
			b.queue.put(of("shop", queuedMessage(t, payment.Deposit, depositBody, "x")))
			b.log.append(by("shop", paymentOf(t, payment.Deposit, depositBody, payment.Submitting)))
		},
	} {
		for what, request := range reads("D-1") {
			t.Run(place+"/"+what, func(t *testing.T) {
				counting := &looks{}
				b := newBorder(t, withAsking, withGame, func(o *ingress.Options) {
					counting.Log, counting.Commands, counting.actions = o.Log, o.Commands, o.Actions
					o.Log, o.Commands, o.Actions = counting, counting, counting
				})
				put(b)
				ask := func(order string) (string, []string) {
					counting.done = nil
					r := reads(order)[what]
					a := b.do(r[0], r[1], r[2], append(r[3:], asGame...)...)
					a.mustRefuse(t, 404, "not_found", "")
					return told(a), counting.done
				}
				foreign, read := ask("D-1")
				unknown, want := ask("D-2")
				if foreign != unknown {
					t.Errorf("another upstream's:\n%s\nunknown:\n%s", foreign, unknown)
				}
				if !slices.Equal(read, want) {
					t.Errorf("another upstream's took %v, unknown %v", read, want)
				}
				if len(b.queue.answers) != 0 {
					t.Error("an answer was queued")
				}
				if request[0] == "GET" && !strings.Contains(place, "NATS") && place != "queued, not readable" {
					if a := b.do(request[0], request[1], request[2]); a.status != 200 {
						t.Errorf("its own upstream got %d", a.status)
					}
				}
			})
		}
	}
}

// of is the queued message of an upstream.
func of(upstream string, m events.Message) events.Message {
	m.Header.Set(events.HeaderUpstream, upstream)
	return m
}

// A number that another upstream uses is refused, with nothing said of how it is used; also the same command is.
func TestAnotherUpstreamsOrderNumberIsRefused(t *testing.T) {
	for place, put := range map[string]func(b *border){
		"in the log": func(b *border) { b.log.append(by("shop", paymentOf(t, payment.Deposit, depositBody, payment.Settled))) },
		"parked":     func(b *border) { b.log.append(by("shop", paymentOf(t, payment.Deposit, depositBody, payment.Parked))) },
		"queued":     func(b *border) { b.queue.put(of("shop", queuedMessage(t, payment.Deposit, depositBody, "x"))) },
		"queued, not readable": func(b *border) {
			m := of("shop", queuedMessage(t, payment.Deposit, depositBody, "x"))
			m.Data = []byte("{")
			b.queue.put(m)
		},
	} {
		t.Run(place, func(t *testing.T) {
			b := newBorder(t, withGame)
			put(b)
			b.log.actions = errors.New("what customers must do is not read before it is known who asks")
			first := ""
			for _, path := range []string{"/v1/deposits", "/v1/payouts"} {
				for _, body := range []string{depositBody, rewritten, different} {
					a := b.do("POST", path, body, asGame...)
					a.mustRefuse(t, 409, "order_reused", "")
					if strings.Contains(a.body, "detail") || a.header.Get("Location") != "" {
						t.Errorf("it tells more than that: %s %v", a.body, a.header)
					}
					if first == "" {
						first = told(a)
					}
					if told(a) != first {
						t.Errorf("it depends on the command:\n%s\n%s", told(a), first)
					}
				}
			}
			// What is refused for a field is refused as under an unused number.
			bad := strings.Replace(depositBody, `"name":"HongGilDong"`, `"name":""`, 1)
			taken, free := b.do("POST", "/v1/deposits", bad, asGame...), b.do("POST", "/v1/deposits", strings.Replace(bad, "D-1", "D-2", 1), asGame...)
			if taken.mustRefuse(t, 422, "invalid_field", "customer.name"); told(taken) != told(free) {
				t.Errorf("%s\n%s", told(taken), told(free))
			}
			if n := b.queue.publishes(); strings.HasPrefix(place, "queued") == (n == 0) {
				t.Errorf("%d were published", n)
			}
		})
	}
}

// The owner's own answers are as before, and a payment without an upstream belongs to every upstream with its provider.
func TestOwnPaymentsAndThoseOfNobody(t *testing.T) {
	b := newBorder(t, withAsking, withGame)
	b.do("POST", "/v1/deposits", depositBody).mustBeDuplicate(t, false, payment.Requested)
	b.do("POST", "/v1/deposits", rewritten).mustBeDuplicate(t, true, payment.Requested)
	b.do("POST", "/v1/deposits", different).mustRefuse(t, 409, "order_reused", "order")
	if view := b.do("GET", "/v1/payments/fake-kr/D-1", "").mustBe(t, 200); view["upstream"] != "shop" {
		t.Errorf("the view is %v", view)
	}
	old := paymentOf(t, payment.Deposit, strings.ReplaceAll(depositBody, "D-1", "D-7"), payment.Settled)
	b.log.append(old)
	for _, key := range [][]string{nil, asGame} {
		for _, tail := range []string{"", "/events"} {
			b.do("GET", "/v1/payments/fake-kr/D-7"+tail, "", key...).mustBe(t, 200)
		}
		if a := b.do("POST", "/v1/deposits", strings.ReplaceAll(depositBody, "D-1", "D-7"), key...).mustBe(t, 202); a["duplicate"] != true {
			t.Errorf("got %v", a)
		}
		b.do("POST", "/v1/deposits", strings.ReplaceAll(different, "D-1", "D-7"), key...).mustRefuse(t, 409, "order_reused", "order")
	}
	b.do("GET", "/v1/payments/fake-kr/D-7", "", "Authorization", "Bearer "+narrowKey).mustRefuse(t, 403, "forbidden", "")
}

// Nothing in a request says for whom it is, but its key.
func TestTheKeyAloneSaysWhoAsks(t *testing.T) {
	b := newBorder(t, withGame)
	for _, body := range []string{
		`{"upstream":"game",` + depositBody[1:], `{"Upstream":"game",` + depositBody[1:], `{"UPSTREAM":"",` + depositBody[1:],
	} {
		if a := b.do("POST", "/v1/deposits", body); a.status != 422 {
			t.Errorf("%s: %d", body, a.status)
		}
	}
	for _, name := range []string{events.HeaderUpstream, "ce-upstream", "X-Upstream"} {
		b.do("POST", "/v1/deposits", depositBody, name, "game").mustBe(t, 202)
	}
	if q, err := b.queue.Queued(t.Context(), ref); err != nil || q.Payment.Upstream != "shop" {
		t.Errorf("queued by %q: %v", q.Payment.Upstream, err)
	}
}

// Keys of one upstream see each other's payments, and a key that takes the place of another goes on with what that one asked for.
func TestKeysOfOneUpstream(t *testing.T) {
	b := newBorder(t, withGame, func(o *ingress.Options) { o.Keys[len(o.Keys)-1].Upstream = "shop" })
	b.do("POST", "/v1/deposits", depositBody).mustBeDuplicate(t, false, payment.Requested)
	b.do("POST", "/v1/deposits", depositBody, asGame...).mustBeDuplicate(t, true, payment.Requested)
	b.do("GET", "/v1/payments/fake-kr/D-1", "", asGame...).mustBe(t, 200)
	for name, bad := range map[string]ingress.APIKey{"name": {Name: "a b"}, "upstream": {Name: "a", Upstream: "b.c"}} {
		bad.SHA256 = strings.Repeat("ab", 32)
		if err := b.server.ReplaceKeys([]ingress.APIKey{bad}); err == nil {
			t.Errorf("a %s that is none was taken", name)
		}
	}
}

// On a real nats-server, beside what is compared above: two keys race for one number.
func TestTwoUpstreamsOnNATS(t *testing.T) {
	b, conn := onNATS(t, withGame)
	b.do("POST", "/v1/deposits", depositBody).mustBeDuplicate(t, false, payment.Requested)
	b.do("POST", "/v1/deposits", depositBody, asGame...).mustRefuse(t, 409, "order_reused", "")
	b.do("GET", "/v1/payments/fake-kr/D-1", "", asGame...).mustRefuse(t, 404, "not_found", "")
	m, err := conn.QueuedCommand(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := events.DecodeCommand(m)
	if err != nil || cmd.Upstream != "shop" {
		t.Fatalf("%+v: %v", cmd, err)
	}
	p := payment.New(cmd)
	p.Status, p.Revision = payment.Submitting, 1
	if _, err := conn.Append(t.Context(), p, 0); err != nil {
		t.Fatal(err)
	}
	for _, tail := range []string{"", "/events"} {
		b.do("GET", "/v1/payments/fake-kr/D-1"+tail, "", asGame...).mustRefuse(t, 404, "not_found", "")
		b.do("GET", "/v1/payments/fake-kr/D-1"+tail, "").mustBe(t, 200)
	}
	b.do("POST", "/v1/deposits", depositBody, asGame...).mustRefuse(t, 409, "order_reused", "")
	b.do("POST", "/v1/deposits", depositBody).mustBeDuplicate(t, true, payment.Submitting)
}

// With reserved prefixes each upstream has numbers of its own, and learns nothing of who has which.
func TestReservedOrderNumbers(t *testing.T) {
	b := newBorder(t, withGame, func(o *ingress.Options) { o.OrderPrefixes = payment.OrderPrefixes{"shop": "D-"} })
	b.do("POST", "/v1/deposits", depositBody).mustBeDuplicate(t, false, payment.Requested)
	taken := b.do("POST", "/v1/deposits", depositBody, asGame...)
	taken.mustRefuse(t, 422, "invalid_field", "order")
	free := b.do("POST", "/v1/deposits", strings.Replace(depositBody, "D-1", "D-2", 1), asGame...)
	if free.mustRefuse(t, 422, "invalid_field", "order"); told(taken) != told(free) {
		t.Errorf("a number that is used:\n%s\none that is not:\n%s", told(taken), told(free))
	}
	b.do("POST", "/v1/deposits", strings.Replace(depositBody, "D-1", "G-1", 1), asGame...).mustBe(t, 202)
	b.do("POST", "/v1/deposits", strings.Replace(depositBody, "D-1", "G-2", 1)).mustRefuse(t, 422, "invalid_field", "order")
	// What was taken before the prefix was reserved is known.
	old := by("shop", paymentOf(t, payment.Deposit, strings.Replace(depositBody, "D-1", "O-1", 1), payment.Settled))
	b.log.append(old)
	if a := b.do("POST", "/v1/deposits", strings.Replace(depositBody, "D-1", "O-1", 1)).mustBe(t, 202); a["duplicate"] != true {
		t.Errorf("got %v", a)
	}
	options := b.options(func() string { return "id" })
	options.OrderPrefixes = payment.OrderPrefixes{"shop": "D", "game": "D-"}
	if _, err := ingress.New(options); err == nil {
		t.Error("prefixes with numbers in common were taken")
	}
}

// The balance of an account that several upstreams use reveals the others' payments.
func TestBalanceOfASharedProvider(t *testing.T) {
	telling := connectors.NewRegistry(map[string]connectors.Connector{"fake-kr": &tellingConnector{}, "other-kr": &tellingConnector{}, "mute-kr": muteConnector{}})
	for name, c := range map[string]struct {
		change func(o *ingress.Options)
		shown  bool
	}{
		"alone":                               {func(*ingress.Options) {}, true},
		"another key":                         {withGame, false},
		"another key, allowed":                {func(o *ingress.Options) { withGame(o); o.Keys[1].Balance = true }, true},
		"another key of the upstream":         {func(o *ingress.Options) { withGame(o); o.Keys[2].Upstream = "shop" }, true},
		"a key of another provider":           {func(o *ingress.Options) { withGame(o); o.Keys[2].Providers = []string{"mute-kr"} }, true},
		"a NATS upstream":                     {func(o *ingress.Options) { o.NATSUpstreams = []string{"game"} }, false},
		"the upstream's own NATS":             {func(o *ingress.Options) { o.NATSUpstreams = []string{"shop"} }, true},
		"a NATS upstream, shown all the same": {func(o *ingress.Options) { o.NATSUpstreams = []string{"game"}; o.Keys[1].Balance = true }, true},
	} {
		t.Log(name)
		b := newBorder(t, func(o *ingress.Options) { o.Registry = telling; c.change(o) })
		if a := b.do("GET", "/v1/providers/fake-kr/balance", ""); c.shown {
			a.mustBe(t, 200)
		} else {
			a.mustRefuse(t, 403, "forbidden", "")
		}
	}
}
