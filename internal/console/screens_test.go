package console_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/console"
	"payonce/internal/console/signin"
	"payonce/internal/statements"
	"payonce/pkg/archive"
	"payonce/pkg/calendar"
	"payonce/pkg/connectors"
	"payonce/pkg/endpoints"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/status"
	"payonce/test/axe"
	"payonce/test/jetstreamtest"
)

var update = flag.Bool("update", false, "write the pictures of docs/images")

// screens are all pages, as a busy day leaves them.
var screens = []struct{ name, path string }{
	{"now", "/"}, {"attention", "/attention"}, {"payments", "/payments"}, {"payment", "/payments/teemopay-kr/DP-10006"}, {"parked", "/parked"},
	{"dead-letters", "/dead-letters"}, {"statements", "/statements"}, {"statement", "/statements/last"}, {"ledgers", "/ledgers"}, {"endpoint", "/ledgers/endpoints/shop"},
	{"providers", "/providers"}, {"provider", "/providers/teemopay-kr"}, {"audit", "/audit"},
}

// No screen has anything that axe-core finds wrong, light or dark, on a computer or on a phone. With -update their pictures are taken
// for docs/images.
func TestScreens(t *testing.T) {
	script := axe.Script(t)
	s, statement := busyDay(t)
	for _, look := range []struct {
		name, scheme, other string
		width, height       int64
	}{{"wide", "light", "dark", 1280, 800}, {"phone", "dark", "light", 390, 844}} {
		ctx := browser(t, look.width, look.height)
		inColours(ctx, t, look.scheme)
		do(ctx, t, chromedp.Navigate(s.url+"/"), chromedp.WaitVisible("#password"))
		accessible(ctx, t, script, "sign-in "+look.name)
		picture(ctx, t, "sign-in", look.name)
		do(ctx, t, chromedp.SendKeys("#name", "kim"), chromedp.SendKeys("#password", password+"\r"), chromedp.WaitVisible(".top nav"))
		for _, screen := range screens {
			path := strings.Replace(screen.path, "/last", "/"+statement, 1)
			do(ctx, t, chromedp.Navigate(s.url+path), chromedp.WaitVisible("main"), chromedp.WaitVisible(".live[data-on], main:not(:has(.live))"))
			if shown := text(ctx, t, "main"); len(shown) < 100 {
				t.Errorf("%s is empty: %s", screen.name, shown)
			}
			fits(ctx, t, screen.name+" "+look.name)
			accessible(ctx, t, script, screen.name+" "+look.name)
			picture(ctx, t, screen.name, look.name)
			inColours(ctx, t, look.other)
			faults(ctx, t, axe.Contrast, screen.name+" "+look.other)
			inColours(ctx, t, look.scheme)
		}
	}
}

func inColours(ctx context.Context, t *testing.T, scheme string) {
	t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
		t.Fatal(err)
	}
}

func accessible(ctx context.Context, t *testing.T, script, page string) {
	t.Helper()
	do(ctx, t, chromedp.Evaluate[chromedp.Void](script))
	faults(ctx, t, axe.Run, page)
}

func faults(ctx context.Context, t *testing.T, check, page string) {
	t.Helper()
	for _, fault := range ask(ctx, t, chromedp.Evaluate[[]string](check, chromedp.EvalAwaitPromise)) {
		t.Errorf("%s: %s", page, fault)
	}
}

// picture takes one for docs/images, if it is asked for.
func picture(ctx context.Context, t *testing.T, name, look string) {
	t.Helper()
	if !*update {
		return
	}
	shot, err := png.Decode(bytes.NewReader(ask(ctx, t, chromedp.FullScreenshot(100))))
	if err != nil {
		t.Fatal(err)
	}
	var small bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, paletted(shot, tallest(name, look))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("../../docs/images", "console-"+name+"-"+look+".png"), small.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tallest is how much of a page is shown, in pixels. The first page is shown to its end: docs/console.md says what it has.
func tallest(name, look string) int {
	if name == "now" && look == "wide" {
		return 1600
	}
	return 1100
}

// paletted is the upper part of a picture with its 256 most used colours, which makes its file a third as large.
func paletted(of image.Image, height int) *image.Paletted {
	area := of.Bounds()
	area.Max.Y = min(area.Max.Y, area.Min.Y+height)
	used := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA {
		c := color.RGBAModel.Convert(of.At(x, y)).(color.RGBA)
		return color.RGBA{c.R &^ 3, c.G &^ 3, c.B &^ 3, 255}
	}
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			used[at(x, y)]++
		}
	}
	small := image.NewPaletted(area, nil)
	for len(small.Palette) < 256 && len(used) > 0 {
		var best color.RGBA
		for c, n := range used {
			if n > used[best] {
				best = c
			}
		}
		small.Palette = append(small.Palette, best)
		delete(used, best)
	}
	places := map[color.RGBA]uint8{}
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			c := at(x, y)
			place, known := places[c]
			if !known {
				place = uint8(small.Palette.Index(c))
				places[c] = place
			}
			small.SetColorIndex(x, y, place)
		}
	}
	return small
}

var busyProviders = []string{"teemopay-kr", "ecommpay-kr", "diamondpay-kr-v1"}

// busyDay is a console after a busy day, and the id of a comparison in it.
func busyDay(t *testing.T) (system, string) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	store, err := archive.Open(t.Context(), archive.Location{File: filepath.Join(t.TempDir(), "archive.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if _, err := store.Append(t.Context(), "one", dayOfPayments(t, now), now); err != nil {
		t.Fatal(err)
	}
	folder, err := statements.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = folder.Close() })
	s := start(t, func(o *console.Options) {
		o.Status, o.Search, o.Archive, o.Trends, o.Log = dayReport(now), store, store, store, store
		o.SignIn.Users[0].Roles, o.Statements.Remembered = []signin.Role{signin.Operator}, 72*time.Hour
		o.Environment, o.Zone, o.Statements.Kept, o.TraceURL = "staging", time.FixedZone("KST", 9*3600), folder, "https://tempo.example.com/trace/{trace_id}"
		o.Providers = dayProviders(t)
		o.SendTo, o.Endpoints = dayEndpoints, states{
			"shop": {New: 214, Due: 3, Waiting: 12, NextAt: now.Add(4 * time.Minute), DeadLetters: 2}, "game": {}, "erp": {Disabled: true, New: 38},
		}
	})
	s.fillBroker(now)
	return s, s.compared(now)
}

func dayProviders(t *testing.T) (all []console.Provider) {
	open, err := calendar.Parse(calendar.Config{Zone: "Asia/Seoul", Days: "mon-fri", Hours: "08:00-23:30"})
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range busyProviders {
		hours := open
		if i == 1 {
			hours = calendar.Hours{}
		}
		all = append(all, console.Provider{
			ProviderConfig: status.ProviderConfig{
				Name: name, Operations: payment.Operations(), Rate: &status.Rate{Calls: 10 * (i + 1), PerSeconds: 1, Burst: 20},
				Hours: func(payment.Operation) calendar.Hours { return hours },
			},
			Kind: strings.Split(name, "-")[0], Zone: time.FixedZone("KST", 9*3600), Currencies: []string{"KRW"}, MaxOrderLength: 64, BasicTime: 5 * time.Minute, Threshold: 24 * time.Hour,
			Ways: []console.Way{
				{Operation: payment.Deposit, Method: "va", Default: true, Currency: "KRW", Amount: "At least 1000. At most 10000000.", Required: []string{"customer.name or account.holder"}, Optional: []string{"customer.phone", "customer.email"}},
				{Operation: payment.Deposit, Method: "wallet", Currency: "KRW", Amount: "At least 1000. At most 2000000.", Required: []string{"customer.name or account.holder", "customer.phone", "customer.ip_address"}, Optional: []string{"customer.email"}},
				{Operation: payment.Payout, Currency: "KRW", Amount: "Positive.", Required: []string{"account.number", "account.holder or customer.name", "account.bank_code"}, Note: "One of the provider's banks."},
			},
			Closed: []string{"2026-12-25 Christmas Day", "2027-01-01 New Year's Day"}, ClosedKnownUntil: "2027-01-31",
			Settings: "kind: " + strings.Split(name, "-")[0] + "\nbase_url: https://gateway.example.com\nmerchant: M-20419\nsecret: [redacted]\nrate:\n  calls: 10\n  per: 1s\n  burst: 20\n",
			Balance:  told{{Currency: "KRW", Available: payment.KRW(48_250_000), Frozen: payment.KRW(1_500_000)}},
		})
	}
	return all
}

// dayEndpoints are those of a busy day: one works, one is down, and one was disabled.
var dayEndpoints = []endpoints.Endpoint{
	{Name: "erp", URL: "https://erp.example.com/hooks", EveryUpstream: true, Statuses: []payment.Status{payment.Settled, payment.Reversed}},
	{Name: "game", URL: "https://api.game.example/payonce", Upstream: "game", Statuses: []payment.Status{payment.Settled, payment.Failed}},
	{Name: "shop", URL: "https://shop.example.com/payonce", Upstream: "shop", Providers: busyProviders, Statuses: []payment.Status{payment.Settled, payment.Failed, payment.Reversed, payment.Conflict}},
}

// states are how endpoints stand.
type states map[string]events.EndpointState

func (s states) EndpointStates(context.Context) (map[string]events.EndpointState, error) {
	return s, nil
}

// told is a balance.
type told []connectors.Balance

func (b told) Balance(context.Context) ([]connectors.Balance, error) { return b, nil }

// dayOfPayments are the events of a day, more at noon and in the evening.
func dayOfPayments(t *testing.T, now time.Time) (all []events.Message) {
	t.Helper()
	add := func(p payment.Payment, at time.Time) {
		p.UpdatedAt = at
		out, err := events.EncodePayment(p, fmt.Sprintf("e-%d", len(all)))
		if err != nil {
			t.Fatal(err)
		}
		out.Header.Set("traceparent", fmt.Sprintf("00-%032x-%016x-01", uint64(0xabcdef0123456789), 7))
		all = append(all, events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data, Sequence: uint64(len(all) + 1), StoredAt: at})
	}
	for i := range 2400 {
		hour := float64(i) / 2400 * 24
		at := now.Add(-time.Duration(hour * float64(time.Hour)))
		if n := at.Add(9 * time.Hour).Hour(); i < 60 {
		} else if n < 7 && i%4 > 0 || n < 10 && i%2 > 0 {
			continue
		}
		p := payment.Payment{
			Ref: payment.Ref{Provider: busyProviders[i%3], Order: fmt.Sprintf("DP-%d", 10_000+i)}, Operation: payment.Operations()[i%5/4], Status: payment.Submitting, Revision: 1, Attempts: 1,
			Amount: payment.KRW(int64(10_000 * (1 + i*7919%120))), RequestedAt: at.Add(-time.Second), SubmittedAt: at, FirstSubmittedAt: at, Upstream: []string{"shop", "game"}[i%2],
			Metadata: map[string]string{"customer_id": fmt.Sprintf("c-%d", 4000+i%37), "checkout": "web"},
		}
		if i%23 == 8 {
			p.Status, p.Attempts, p.SubmittedAt, p.FirstSubmittedAt, p.ResumeAt = payment.Parked, 0, time.Time{}, time.Time{}, now.Add(10*time.Hour+time.Duration(i*i%170)*time.Minute)
			p.Reason = &payment.Reason{Code: payment.ReasonClosed}
			add(p, at)
			continue
		}
		add(p, at)
		p.Revision, p.Status, p.ProviderReference = 2, payment.Pending, fmt.Sprintf("2026%08d", 33_000_000+i*37)
		took := time.Duration(3+i*31%50+i*i%41/40*90) * time.Second
		switch {
		case i < 9 && i != 6:
			add(p, at.Add(time.Second))
			continue
		case i%97 == 40:
			p.Status, p.Reason = payment.InDoubt, &payment.Reason{Code: payment.ReasonNoAnswer}
		case i%17 == 5:
			p.Status, p.Reason = payment.Failed, &payment.Reason{Code: payment.ReasonDeclined, ProviderCode: "4004", Message: "the bank refused"}
		default:
			p.Status, p.SettledAmount = payment.Settled, p.Amount
		}
		if i == 6 {
			add(payment.Payment{Ref: p.Ref, Operation: p.Operation, Status: payment.Pending, Revision: 2, Attempts: 1, Amount: p.Amount, RequestedAt: p.RequestedAt, SubmittedAt: p.SubmittedAt, ProviderReference: p.ProviderReference, Metadata: p.Metadata}, at.Add(780*time.Millisecond))
			p.Revision = 3
		}
		add(p, at.Add(took))
	}
	return all
}

// fillBroker adds what is read from NATS.
func (s system) fillBroker(now time.Time) {
	s.t.Helper()
	ref := payment.Ref{Provider: "teemopay-kr", Order: "DP-10006"}
	for _, order := range []string{"DP-9921", "DP-9973"} {
		s.deadLetter(order)
	}
	_, js := jetstreamtest.Foreign(s.t, s.broker.URL())
	if _, err := js.Publish(s.t.Context(), events.WebhookSubject(ref), []byte(`{"merchantOrderNo":"DP-10006","status":"SUCCESS","amount":"560000","payer":{"name":"Kim Minsu","account":"110-123-456789"},"sign":"9f86d081884c7d659a2feaa0c55ad015"}`)); err != nil {
		s.t.Fatal(err)
	}
	for _, ledger := range []string{"ledger", "notifier"} {
		if _, err := js.CreateConsumer(s.t.Context(), events.StreamPayments, njs.ConsumerConfig{Durable: ledger, Description: map[string]string{"ledger": "books what settled", "notifier": "tells customers"}[ledger], FilterSubject: "payment.settled.>", AckPolicy: njs.AckExplicitPolicy}); err != nil {
			s.t.Fatal(err)
		}
	}
	var parked []payment.Ref
	for i := range 6 {
		parked = append(parked, payment.Ref{Provider: "acme", Order: fmt.Sprintf("DP-80%d", i)})
	}
	jetstreamtest.ParkBefore(s.t, s.conn, parked, func(payment.Ref) time.Time { return now.Add(9 * time.Hour) })
	for i, one := range parked {
		p := newPayment(one.Order)
		p.Status, p.Revision, p.ResumeAt, p.UpdatedAt, p.Reason = payment.Parked, 1, now.Add(time.Duration(i)*time.Hour+9*time.Hour), now, &payment.Reason{Code: payment.ReasonClosed}
		jetstreamtest.Append(s.t, s.conn, p, 0)
	}
	for n, a := range []struct {
		action events.Action
		reason string
	}{{events.ActionSettle, "ticket 4711: the provider confirmed by phone"}, {events.ActionRelease, "teemopay is back, see #ops"}, {events.ActionDrop, "sent twice by the shop"}} {
		for _, stage := range []events.Stage{events.Intended, events.Finished} {
			r := events.AuditRecord{ID: fmt.Sprintf("a-%d", n), Stage: stage, Action: a.action, Provider: ref.Provider, Order: ref.Order, By: []string{"kim", "lee"}[n%2], Reason: a.reason, At: now}
			if n > 0 {
				r.Order = fmt.Sprintf("DP-100%d", 20+n)
			}
			r.Items = []events.AuditItem{{Order: r.Order, Before: payment.InDoubt}}
			if stage == events.Finished {
				r.Items[0].After, r.Items[0].Result = payment.Settled, "done"
			}
			if err := s.conn.Audit(jetstreamtest.Context(s.t), r); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// dayReport is how everything stands at its end.
func dayReport(now time.Time) report {
	total := 5
	r := status.Report{At: now, AttentionTotal: &total, Warnings: []string{}, Attention: []status.Item{
		{Provider: "ecommpay-kr", Order: "DP-10136", Status: payment.Conflict, Reason: "contradicted", Amount: payment.KRW(1_250_000), Number: 1, Since: now.Add(-26 * time.Hour), Next: "the provider reported it as paid after it was declined: ask the provider what moved; then payctl payment resolve ecommpay-kr DP-10136 --settled or --failed"},
		{Provider: "teemopay-kr", Order: "DP-10234", Status: payment.InDoubt, Reason: "no_answer", Amount: payment.KRW(330_000), Number: 1, Since: now.Add(-3 * time.Hour), Next: "ask the provider for this order; then payctl payment resolve teemopay-kr DP-10234"},
		{Provider: "ecommpay-kr", Reason: status.Approval, Amount: payment.KRW(24_500_000), Number: 212, Since: now.Add(-2 * time.Hour), Request: 17, Action: events.ActionImport, By: "ann", Next: "another person approves or refuses it until 2026-12-01 06:00 UTC: payctl approvals show 17"},
		{Provider: "diamondpay-kr-v1", Order: "DP-10061", Status: payment.Parked, Reason: "low_balance", Amount: payment.KRW(90_000), Number: 12, Since: now.Add(-time.Hour), Next: "top up the balance at the provider; payments go on by themselves"},
		{Provider: "teemopay-kr", Reason: status.DeadLetters, Number: 2, Since: now.Add(-30 * time.Minute), Next: "see what they are: payctl deadletters list --provider teemopay-kr"},
	}}
	for i, name := range busyProviders {
		counted := &status.ProviderSummary{
			Open: map[payment.Status]status.Count{
				payment.Submitting: {Number: 2 + i, Since: now.Add(-4 * time.Second)}, payment.Pending: {Number: 412 / (i + 1), Since: now.Add(-50 * time.Minute)},
				payment.InDoubt: {Number: i % 2, Since: now.Add(-3 * time.Hour)}, payment.Parked: {Number: 38 * i, Since: now.Add(-time.Hour)},
			},
			LastHour: status.Hour{Settled: 960 / (i + 1), Failed: 40, Half: 3.2, Most: 20},
		}
		if i == 1 {
			counted.Open[payment.Conflict] = status.Count{Number: 1, Since: now.Add(-26 * time.Hour)}
		}
		p := status.Provider{Name: name, Breaker: &status.Breaker{State: status.BreakerClosed, Of: 2}, Queue: &events.Level{Ready: int64(3 * i)}, Payments: counted}
		for _, op := range payment.Operations() {
			o := status.Opening{Operation: op, Open: i < 2, Zone: "Asia/Seoul"}
			switch i {
			case 0:
				o.Until = now.Add(5 * time.Hour)
			case 2:
				o.OpensAt = now.Add(11 * time.Hour)
			}
			p.Hours = append(p.Hours, o)
		}
		r.Providers = append(r.Providers, p)
		r.Processes = append(r.Processes, status.Process{
			Service: "worker", Process: fmt.Sprintf("worker@seoul-%d:4711", i+1), Version: "v1.4.0", StartedAt: now.Add(-30 * time.Hour), Slots: 64, InFlight: int64(3 + i), Ready: true,
		})
	}
	failure := func(ago time.Duration, order, problem string) status.EndpointFailure {
		return status.EndpointFailure{Failure: status.Failure{At: now.Add(-ago), Error: problem}, Provider: "teemopay-kr", Order: order, Status: payment.Settled}
	}
	r.Processes = append(r.Processes, status.Process{
		Service: "notifier", Process: "notifier@seoul-1:812", Version: "v1.4.0", StartedAt: now.Add(-30 * time.Hour), Slots: 12, Ready: true,
	})
	none, few := 0, 3
	r.Endpoints = []status.Endpoint{
		{Name: "erp", Breaker: status.BreakerClosed, New: &none, Due: &none, DeliveredAt: now.Add(-50 * time.Minute)},
		{Name: "game", Upstream: "game", Breaker: status.BreakerClosed, New: &none, Due: &none, DeliveredAt: now.Add(-2 * time.Second)},
		{Name: "shop", Upstream: "shop", Breaker: status.BreakerOpen, New: &none, Due: &few, TriesAt: now.Add(20 * time.Second), DeliveredAt: now.Add(-11 * time.Minute), Failures: []status.EndpointFailure{
			failure(10*time.Second, "DP-10007", "HTTP 503"), failure(40*time.Second, "DP-10012", "HTTP 503"), failure(70*time.Second, "DP-10015", "no answer in time"),
		}},
	}
	return report{r}
}

// compared compares a file that differs from the log and returns the id of what is kept.
func (s system) compared(now time.Time) string {
	s.t.Helper()
	return s.upload(s.client(), map[string]string{
		"provider": "teemopay-kr", "from": now.In(time.FixedZone("KST", 9*3600)).Format(time.DateOnly), "to": now.In(time.FixedZone("KST", 9*3600)).Format(time.DateOnly), "operation": "deposit", "currency": "KRW",
	}, "order,status,created_at,settled_amount,reference\n"+
		"DP-77001,paid,"+now.Format(time.RFC3339)+",560000,202611300001\nDP-10012,paid,"+now.Add(-8*time.Minute).Format(time.RFC3339)+",90000,202611300002\n")
}
