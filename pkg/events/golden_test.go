package events_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

var update = flag.Bool("update", false, "write golden files and generated documents again")

var (
	begin = time.Date(2026, 11, 22, 0, 0, 0, 123456789, time.UTC)
	ref   = payment.Ref{Provider: "teemopay-kr", Order: "D-20261122-0001"}
)

func fullCommand(op payment.Operation) payment.Command {
	return payment.Command{
		Ref: ref, Operation: op, Amount: payment.KRW(10000), Method: "va", ReturnURL: "https://shop.example/back?order=D-20261122-0001",
		Customer: payment.Customer{
			ID: "C-7", Name: "홍길동", FirstName: "길동", LastName: "홍", Email: "hong@shop.example", Phone: "01012345678",
			IPAddress: "203.0.113.7", IDType: "RRN", IDNumber: "8001011234567",
		},
		Account:  payment.Account{Number: "110123456789", Holder: "홍길동", BankCode: "088", BankName: "Shinhan", LastDigits: []string{"56789"}},
		Language: "ko", Description: "Order <1> & more", RequestedAt: begin, ExpiresAt: begin.Add(30 * time.Minute),
		Metadata: map[string]string{"cart": "9", "shop": "seoul"},
	}
}

func redirect() *payment.Action {
	return &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{
		Method: "POST", URL: "https://pay.example/1", Fields: map[string]string{"token": "abc"}, RegisterURL: "https://pay.example/register",
	}}
}

func transfer() *payment.Action {
	return &payment.Action{Type: payment.ActionTransfer, Transfer: &payment.TransferInstructions{
		AccountNumber: "9001", AccountHolder: "Shop", BankCode: "812", BankName: "Taishin", BankBranch: "0012", Amount: payment.TWD(48389),
		Reference: "A-17", QRCode: "TWQRP://9001", ExpiresAt: begin.Add(time.Hour), Messages: map[string]string{"en": "Transfer the exact amount."},
	}}
}

func clarification() *payment.Action {
	return &payment.Action{Type: payment.ActionClarification, Clarification: &payment.Clarification{
		Fields: map[string][]string{"customer": {"first_name", "id_number"}}, Schema: `{"type":"object"}`,
		Messages: map[string]string{"ko": "성함을 정확히 넣어주셔야 합니다."},
	}}
}

// fee returns a fee of won.
func fee(value string) payment.Fee {
	f, err := payment.ParseFee(value, "KRW")
	if err != nil {
		panic(err)
	}
	return f
}

const exampleActionID = "01939c3e-5a00-7000-8000-00000000000a"

// stored is an action as it is read from the log, without its content.
func stored(t payment.ActionType) *payment.Action {
	return &payment.Action{Type: t, Stored: exampleActionID}
}

// exampleEvents returns an event for each status and each action, by the name of its golden file.
func exampleEvents() map[string]payment.Payment {
	base := payment.New(fullCommand(payment.Deposit))
	list := map[string]payment.Payment{}
	add := func(name string, s payment.Status, revision int, change func(*payment.Payment)) {
		p := base
		p.Status, p.Revision, p.UpdatedAt = s, revision, begin.Add(time.Duration(revision)*time.Second)
		if s != payment.Parked {
			p.Attempts, p.SubmittedAt = 1, begin.Add(time.Second)
			p.FirstSubmittedAt, p.Submits = p.SubmittedAt, 1
		}
		change(&p)
		list["payment."+name] = p
	}
	transfers := []payment.Transfer{{Reference: "T-1", Amount: payment.KRW(6000)}, {Reference: "T-2", Amount: payment.KRW(4000)}}
	fees := []payment.Transfer{{Reference: "T-1", Amount: payment.KRW(6000), Fee: fee("65.00")}, {Reference: "T-2", Amount: payment.KRW(4000), Fee: fee("45.02")}}
	settled := func(p *payment.Payment) {
		p.Known, p.ProviderReference, p.SettledAmount, p.Transfers = true, "P-1", payment.KRW(10000), transfers
	}
	add("parked", payment.Parked, 1, func(p *payment.Payment) {
		p.ResumeAt, p.Reason = begin.Add(8*time.Hour), &payment.Reason{Code: payment.ReasonClosed, Message: "opens 08:00 Asia/Seoul"}
	})
	add("submitting", payment.Submitting, 1, func(*payment.Payment) {})
	add("in_doubt", payment.InDoubt, 2, func(p *payment.Payment) {
		p.Reason, p.NotFound, p.NotFoundAt = &payment.Reason{Code: payment.ReasonNotFound}, 1, begin.Add(time.Minute)
	})
	add("in_doubt.submit_limit", payment.InDoubt, 14, func(p *payment.Payment) {
		p.Attempts, p.Submits, p.SubmittedAt, p.Refused = 3, 3, begin.Add(4*time.Minute), true
		p.NotFound, p.NotFoundAt, p.OverdueAt = 2, begin.Add(6*time.Minute), begin.Add(6*time.Minute)
		p.Reason = &payment.Reason{Code: payment.ReasonSubmitLimit, ProviderCode: "440", Message: "sent 3 times, and the provider does not know the order"}
	})
	add("in_doubt.retry_approved", payment.InDoubt, 15, func(p *payment.Payment) {
		p.Attempts, p.Submits, p.SubmittedAt, p.RetryApproved = 3, 3, begin.Add(4*time.Minute), true
		p.NotFound, p.NotFoundAt, p.OverdueAt = 2, begin.Add(6*time.Minute), begin.Add(6*time.Minute)
		p.Reason = &payment.Reason{Code: payment.ReasonRetryApproved, ProviderCode: "440", By: "kim", Message: "the provider corrected the account, ticket 4711"}
	})
	add("pending.unexplained", payment.Pending, 4, func(p *payment.Payment) {
		p.Known, p.OverdueAt = true, begin.Add(4*time.Second)
		p.Reason = &payment.Reason{Code: payment.ReasonUnexplained, Message: "webhook: the amount cannot be read"}
		p.Annotations = []payment.Annotation{{
			At: begin.Add(3 * time.Second), Source: payment.FromWebhook, Kind: payment.Indeterminate,
			Reason: &payment.Reason{Code: payment.ReasonIndeterminate, ProviderCode: "2", Message: "the amount cannot be read"},
		}}
	})
	add("in_doubt.amount", payment.InDoubt, 2, func(p *payment.Payment) {
		p.Known, p.Reason, p.WithheldAction = true, &payment.Reason{Code: payment.ReasonAmountMismatch, Message: "ordered 10000 KRW, the provider reports 10010 KRW"}, transfer()
	})
	add("pending", payment.Pending, 2, func(p *payment.Payment) { p.Known, p.ProviderReference = true, "P-1" })
	add("pending.redirect", payment.Pending, 2, func(p *payment.Payment) { p.Known, p.Action = true, redirect() })
	add("pending.page", payment.Pending, 2, func(p *payment.Payment) { p.Action, p.PageClosesAt = redirect(), begin.Add(24*time.Hour) })
	add("pending.transfer", payment.Pending, 2, func(p *payment.Payment) {
		p.Provider, p.Known, p.Amount, p.Action = "topay-tw", true, payment.TWD(48400), transfer()
	})
	add("pending.stored", payment.Pending, 2, func(p *payment.Payment) {
		p.Known, p.Action = true, stored(payment.ActionRedirect)
	})
	add("in_doubt.stored", payment.InDoubt, 2, func(p *payment.Payment) {
		p.Known, p.Reason = true, &payment.Reason{Code: payment.ReasonAmountMismatch, Message: "ordered 10000 KRW, the provider reports 10010 KRW"}
		p.WithheldAction = stored(payment.ActionTransfer)
	})
	add("pending.clarification", payment.Pending, 2, func(p *payment.Payment) { p.Known, p.Action = true, clarification() })
	add("pending.overdue", payment.Pending, 3, func(p *payment.Payment) {
		p.Known, p.Reason, p.UpdatedAt = true, &payment.Reason{Code: payment.ReasonOverdue}, begin.Add(48*time.Hour)
		p.OverdueAt = p.UpdatedAt
	})
	add("settled", payment.Settled, 3, func(p *payment.Payment) {
		settled(p)
		p.Upstream = "shop"
	})
	add("settled.fee", payment.Settled, 3, func(p *payment.Payment) {
		settled(p)
		p.Transfers, p.Fee, p.ProviderCompletedAt = fees, fee("110.02"), begin.Truncate(time.Second).In(time.FixedZone("", 9*60*60))
	})
	add("settled.fee_impossible", payment.Settled, 3, func(p *payment.Payment) {
		p.Known, p.ProviderReference, p.SettledAmount, p.Fee = true, "P-1", payment.KRW(10000), fee("10000.50")
		p.Annotations = []payment.Annotation{{
			At: p.UpdatedAt, Source: payment.FromWebhook, Kind: payment.Paid,
			Reason: &payment.Reason{Code: payment.ReasonFeeImpossible, Message: "a fee of 10000.5 KRW is more than 10000 KRW"},
		}}
	})
	add("settled.manually", payment.Settled, 3, func(p *payment.Payment) {
		p.Known, p.SettledAmount = true, payment.KRW(10000)
		p.Reason = &payment.Reason{Code: payment.ReasonResolvedByPerson, By: "kim", Message: "the provider's support team confirmed it, ticket 4711"}
	})
	add("parked.released", payment.Parked, 2, func(p *payment.Payment) {
		p.ResumeAt = begin.Add(time.Minute)
		p.Reason = &payment.Reason{Code: payment.ReasonReleased, By: "kim", Message: "the provider opened early"}
	})
	add("failed.cancelled", payment.Failed, 2, func(p *payment.Payment) {
		p.Attempts, p.SubmittedAt, p.FirstSubmittedAt, p.Submits = 0, time.Time{}, time.Time{}, 0
		p.Reason = &payment.Reason{Code: payment.ReasonCancelled, By: "kim", Message: "the customer withdrew it"}
	})
	add("failed", payment.Failed, 2, func(p *payment.Payment) {
		p.Known, p.Operation = true, payment.Payout
		p.Reason = &payment.Reason{Code: payment.ReasonDeclined, ProviderCode: "426", Message: "the account does not exist"}
	})
	add("failed.abandoned", payment.Failed, 4, func(p *payment.Payment) {
		p.PageClosesAt, p.NotFound, p.NotFoundAt = begin.Add(24*time.Hour), 2, begin.Add(72*time.Hour+11*time.Minute)
		p.UpdatedAt = p.NotFoundAt
		p.Reason = &payment.Reason{Code: payment.ReasonAbandoned, ProviderCode: "3061", Message: "the page closed 2026-11-23T00:00:00Z"}
	})
	add("conflict", payment.Conflict, 4, func(p *payment.Payment) {
		settled(p)
		p.Reason = &payment.Reason{Code: payment.ReasonContradiction, ProviderCode: "426", Message: "declined after settled"}
		p.Evidence = []payment.Kind{payment.Declined, payment.Paid}
	})
	add("reversed", payment.Reversed, 4, func(p *payment.Payment) {
		settled(p)
		p.Reason = &payment.Reason{Code: payment.ReasonReversed}
	})
	return list
}

const exampleID = "0b9f2a52-7f5e-4d6b-9a53-2f6c1d1f6f10"

// goldenMessages returns every example by the name of its golden file.
func goldenMessages(t *testing.T) map[string]events.Outgoing {
	t.Helper()
	all := map[string]events.Outgoing{}
	keep := func(name string, m events.Outgoing, err error) {
		if err != nil {
			t.Fatal(name, err)
		}
		all[name] = m
	}
	for _, op := range payment.Operations() {
		m, err := events.EncodeCommand(fullCommand(op), exampleID)
		keep("command."+string(op), m, err)
	}
	smallest := payment.Command{Ref: ref, Operation: payment.Deposit, Amount: payment.KRW(10000)}
	m, err := events.EncodeCommand(smallest, exampleID)
	keep("command.deposit.smallest", m, err)
	smallest.Upstream = "shop"
	m, err = events.EncodeCommand(smallest, exampleID)
	keep("command.deposit.upstream", m, err)
	m, err = events.EncodeClarification(exampleClarification(), exampleID)
	keep("clarification", m, err)
	for name, p := range exampleEvents() {
		m, err := events.EncodePayment(p, exampleID)
		keep(name, m, err)
	}
	for _, a := range []*payment.Action{redirect(), transfer(), clarification()} {
		m, err = events.EncodeAction(ref, *a, exampleActionID, begin.Add(2*time.Second))
		keep("action."+string(a.Type), m, err)
	}
	m, err = events.EncodeWebhook(exampleWebhook(), exampleID)
	keep("webhook", m, err)
	m, err = events.EncodeRefusedWebhook(exampleRefusedWebhook(), 3, exampleID)
	keep("webhook.refused", m, err)
	m, err = events.EncodeRefusal(exampleRefusal(), exampleID)
	keep("command.refused", m, err)
	m, err = events.EncodeBalance(exampleBalance(), exampleID)
	keep("balance.reported", m, err)
	for name, r := range exampleAudits() {
		m, err = events.EncodeAudit(r, exampleID)
		keep("operator."+name, m, err)
	}
	return all
}

func exampleBalance() events.BalanceReport {
	return events.BalanceReport{Provider: ref.Provider, ReportedAt: begin, Balances: []events.ReportedBalance{{Available: payment.KRW(1234567), Frozen: payment.KRW(0)}}}
}

func exampleRefusal() events.Refusal {
	return events.Refusal{
		Provider: ref.Provider, Order: ref.Order, Message: "deposit.requested", Upstream: "shop", Reason: events.DeadInvalid,
		Detail:    "customer.fullname: is not a field of a command; did you mean customer.name?",
		Errors:    []events.RefusedField{{Pointer: "/customer/fullname", Detail: "is not a field of a command; did you mean customer.name?"}},
		RefusedAt: begin, PublishedAt: begin, Stream: "INTAKE-shop", Sequence: 17,
	}
}

func exampleClarification() events.Clarification {
	return events.Clarification{
		Ref: ref, Revision: 2, RequestedAt: begin,
		Fields: map[string]map[string]string{"customer": {"first_name": "길동", "id_number": "8001011234567"}},
	}
}

// exampleAudits returns the records of some actions, and the result of one.
func exampleAudits() map[string]events.AuditRecord {
	const action = "01939c3e-5a00-7000-8000-000000000001"
	list := map[string]events.AuditRecord{}
	for _, d := range []events.Action{events.ActionRelease, events.ActionSettle, events.ActionReplay, events.ActionApply, events.ActionAccount, events.ActionAccept, events.ActionSkip, events.ActionErase, events.ActionImport, events.ActionRebuild} {
		r := events.AuditRecord{
			ID: action, Stage: events.Intended, Action: d, Provider: ref.Provider, Order: ref.Order, By: "kim", Reason: "ticket 4711", At: begin,
			Items: []events.AuditItem{{Order: ref.Order, Before: payment.Parked}},
		}
		r.Previous = events.AuditLink{Sequence: 16, Hash: events.AuditHash("operator.fail.teemopay-kr.D-1", []byte("{}"))}
		r.LogState = events.LogState{First: 1, FirstAt: begin.Add(-time.Hour), Last: 4711, LastAt: begin, Messages: 4711, Hash: events.AuditHash("payment.settled.teemopay-kr.D-1", []byte("{}"))}
		switch d {
		case events.ActionRelease:
			r.Order, r.Filter = "", map[string]string{"reason": payment.ReasonClosed, "operation": "deposit"}
			r.Items = append(r.Items, events.AuditItem{Order: "D-20261122-0002", Before: payment.InDoubt})
			result := r
			result.Stage, result.At = events.Finished, begin.Add(time.Second)
			result.Items = []events.AuditItem{
				{Order: ref.Order, Before: payment.Parked, After: payment.Parked, Result: "released"},
				{Order: "D-20261122-0002", Before: payment.InDoubt, After: payment.InDoubt, Result: "released"},
			}
			list["release.finished"] = result
		case events.ActionSettle:
			r.Amount, r.Items[0].Before, r.Items[0].Upstream = payment.KRW(10000), payment.InDoubt, "shop"
			request := r
			request.Stage, request.ExpiresAt = events.Requested, begin.Add(24*time.Hour)
			request.Items = []events.AuditItem{{Order: ref.Order, Event: 4711, Amount: payment.KRW(10000), Before: payment.InDoubt, Upstream: "shop"}}
			list["settle.requested"] = request
			approval := request
			approval.ID, approval.Stage, approval.By, approval.Reason = "01939c3e-5a00-7000-8000-000000000002", events.Approved, "lee", "seen at the provider"
			approval.At, approval.ExpiresAt, approval.Request = begin.Add(time.Minute), time.Time{}, 17
			list["settle.approved"] = approval
		case events.ActionReplay:
			r.Items = []events.AuditItem{{Order: ref.Order, DeadLetter: 17}}
		case events.ActionApply:
			r.Provider, r.Order, r.Filter = events.NoProvider, "", map[string]string{"update": "true"}
			r.Items = []events.AuditItem{{Stream: "PAYMENTS: max_age is 1, want 2"}}
		case events.ActionAccept:
			r.Provider, r.Order, r.Stage, r.Log, r.LogSequence = events.NoProvider, "", events.Finished, "2026-08-01T03:00:00.000000001Z", 120345
			r.Items = []events.AuditItem{{Stream: events.StreamPayments, Result: "accepted"}}
		case events.ActionSkip:
			r.Stage, r.Items = events.Finished, []events.AuditItem{{Order: ref.Order, Event: 4711, Before: payment.Parked, After: payment.InDoubt, Result: "stepped over"}}
		case events.ActionImport:
			r.Order, r.Stage, r.Amount, r.Items = "", events.Finished, payment.KRW(20000), []events.AuditItem{}
			r.File = events.AuditFile{Name: "november.csv", SHA256: events.AuditHash("", nil), Payouts: 2, Results: map[string]int{"new": 2}}
		case events.ActionErase:
			r.Stage, r.Reason = events.Finished, "request of the customer, ticket 4711"
			r.Items = []events.AuditItem{{Order: ref.Order, Before: payment.Settled, After: payment.Settled, Stream: "ACTIONS 1, WEBHOOKS 2", Result: "erased"}}
		case events.ActionRebuild:
			r.Provider, r.Order, r.Stage, r.Log, r.LogSequence = events.NoProvider, "", events.Finished, "2026-08-01T03:00:00.000000001Z", 120345
			r.Items = []events.AuditItem{{Stream: "archive: had read to event 4711 of the log made at 2026-01-01T00:00:00.000000001Z", Result: "made again"}}
		case events.ActionAccount:
			r.Order, r.Items = "", []events.AuditItem{{Order: ref.Order}}
			r.Account, r.AccountBefore = "teemopay at new.example app_code app-1 country KR", "teemopay at old.example app_code app-1 country KR"
		}
		list[string(d)] = r
	}
	return list
}

func exampleWebhook() events.Webhook {
	return events.Webhook{
		Ref: ref, ReceivedAt: begin, Body: []byte("{\"order\":\"D-20261122-0001\",\n \"status\":\"완료\"}\n"),
		Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}, "X-Signature": {"sha256=00ff", "sha256=11ee"}, "X-Note": {`100% "sure" € 😀`}},
	}
}

func exampleRefusedWebhook() events.RefusedWebhook {
	return events.RefusedWebhook{
		Provider: ref.Provider, Refusal: "bad_signature", Reason: "the signature does not match", Address: "203.0.113.7", RequestID: "01939c3e-5a00-7000-8000-000000000002",
		ReceivedAt: begin, ContentType: "application/json",
		Headers:   []events.RefusedHeader{{Name: "Content-Type", Bytes: 16}, {Name: "X-Signature", Bytes: 88, SHA256: strings.Repeat("0a", 32)}},
		BodyBytes: 5120, BodySHA256: strings.Repeat("0b", 32), Body: `{"merchantOrderNo":"D-20261122-0001","status":2,"payerName":"…"`, Truncated: true,
	}
}

// onWire writes a message as it is on the wire: subject, headers by name, an empty line, the data.
func onWire(m events.Outgoing) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n", m.Subject)
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		for _, value := range m.Header[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	fmt.Fprintf(&b, "\n%s", m.Data)
	return b.Bytes()
}

func goldenPath(name string) string { return filepath.Join("testdata", "golden", name+".txt") }

// TestGolden compares every message byte by byte with what was on the wire before. A golden file changes
// only by addition: each field in it is read by some consumer.
func TestGolden(t *testing.T) {
	all := goldenMessages(t)
	for name, m := range all {
		t.Run(name, func(t *testing.T) {
			if *update {
				if err := os.WriteFile(goldenPath(name), onWire(m), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(goldenPath(name))
			if err != nil {
				t.Fatal(err)
			}
			if got := onWire(m); !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
	files, err := filepath.Glob(goldenPath("*"))
	if err != nil || len(files) != len(all) {
		t.Errorf("%d golden files for %d messages, %v", len(files), len(all), err)
	}
}

// TestGoldenCoversEverything fails when a status, an action, an operation or a field has no example.
func TestGoldenCoversEverything(t *testing.T) {
	names := map[string]bool{}
	subjects := map[string]bool{}
	for _, m := range goldenMessages(t) {
		subjects[strings.Join(strings.Split(m.Subject, ".")[:2], ".")] = true
		if strings.HasPrefix(m.Subject, "webhook.received.") {
			continue
		}
		var doc any
		if err := json.Unmarshal(m.Data, &doc); err != nil {
			t.Fatal(err)
		}
		collectNames(doc, names)
	}
	if !subjects[events.ClarificationType] {
		t.Error("no golden clarification")
	}
	for _, op := range payment.Operations() {
		if !subjects[events.CommandType(op)] {
			t.Errorf("no golden command of %s", op)
		}
	}
	for _, s := range payment.Statuses() {
		if s != payment.Requested && !subjects[events.PaymentType(s)] {
			t.Errorf("no golden event of %s", s)
		}
	}
	for _, typ := range wireTypes() {
		for name := range jsonNames(typ) {
			if !names[name] {
				t.Errorf("%s of %s stands in no golden file", name, typ)
			}
		}
	}
}

func collectNames(doc any, names map[string]bool) {
	switch x := doc.(type) {
	case map[string]any:
		for name, value := range x {
			names[name] = true
			collectNames(value, names)
		}
	case []any:
		for _, value := range x {
			collectNames(value, names)
		}
	}
}
