package campaign

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

const account = "teemopay-kr"

// world is an order that went well, for a test to spoil.
type world struct {
	order     Order
	log       []payment.Payment
	statement sandbox.Order
	dead      []DeadLetter
	queue     bool           // whether the command waits
	extra     *sandbox.Order // another one at the provider
	actions   Actions
	// foreignOrder says that the order was made past payonce.
	foreignOrder bool
	closings     []closing
	forged       []Forgery
}

func good() *world {
	ref := payment.Ref{Provider: account, Order: "c1"}
	event := func(n int, status payment.Status) payment.Payment {
		return payment.Payment{Ref: ref, Operation: payment.Deposit, Amount: payment.KRW(10_000), Status: status, Revision: n, Attempts: 1, Fingerprint: "f"}
	}
	settled := event(3, payment.Settled)
	settled.SettledAmount = payment.KRW(10_000)
	return &world{
		order: Order{Ref: ref, Operation: payment.Deposit, Amount: payment.KRW(10_000), Way: ByHTTP, Accepted: true},
		log:   []payment.Payment{event(1, payment.Submitting), event(2, payment.Pending), settled},
		statement: sandbox.Order{
			Provider: account, Order: "c1", State: sandbox.Paid,
			Charges:   []sandbox.Charge{{Reference: "r1", Operation: sandbox.Deposit, Amount: 10_000, State: sandbox.Paid}},
			Movements: []sandbox.Movement{{Charge: "r1", Kind: sandbox.Paid, Amount: 10_000}},
		},
	}
}

func (w *world) evidence() Evidence {
	e := Evidence{Orders: []*Order{&w.order}, Log: map[payment.Ref][]events.Record{}, Dead: map[payment.Ref][]DeadLetter{}}
	for i, p := range w.log {
		e.Log[p.Ref] = append(e.Log[p.Ref], events.Record{Sequence: uint64(i + 1), StoredAt: time.Unix(int64(i), 0), Payment: p})
	}
	account := sandbox.AccountTruth{Provider: account, Currency: "KRW", Orders: []sandbox.Order{w.statement}}
	if w.extra != nil {
		account.Orders = append(account.Orders, *w.extra)
	}
	e.Truth.Accounts = []sandbox.AccountTruth{account}
	e.Queued = map[payment.Ref]bool{w.order.Ref: w.queue}
	if w.dead != nil {
		e.Dead[w.order.Ref] = w.dead
	}
	e.Actions, e.ForeignOrders = map[payment.Ref]Actions{w.order.Ref: w.actions}, map[payment.Ref]bool{}
	if w.foreignOrder {
		e.Orders, e.ForeignOrders[w.order.Ref] = nil, true
	}
	e.Closings, e.Forged, e.At = map[string][]closing{account.Provider: w.closings}, w.forged, noon
	return e
}

// noon is when the evidence was collected.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func deadLetter(reason events.DeadReason) []DeadLetter {
	return []DeadLetter{{Reason: reason, Subject: "deposit.requested.teemopay-kr.c1", Ref: payment.Ref{Provider: account, Order: "c1"}}}
}

// asks makes the provider wait for an answer, as the log knows it.
func (w *world) asks() {
	p := w.last(payment.Pending)
	p.Action = &payment.Action{Type: payment.ActionClarification, Clarification: &payment.Clarification{}}
	w.unpaid(sandbox.Pending)
	w.statement.Charges[0].Stage = sandbox.AwaitingClarification
}

// strange makes the order one that another system made past payonce.
func (w *world) strange() {
	w.foreignOrder, w.log = true, nil
	w.statement.Callbacks = []sandbox.Callback{{Acknowledged: 1}}
}

// late answers too late to what no provider asks any more.
func late() []DeadLetter {
	return []DeadLetter{{Reason: events.DeadInvalid, Subject: "clarification.requested.teemopay-kr.c1", Ref: payment.Ref{Provider: account, Order: "c1"}}}
}

// last replaces the last event's status; a reason is given where one is needed.
func (w *world) last(status payment.Status) *payment.Payment {
	p := &w.log[len(w.log)-1]
	p.Status, p.SettledAmount, p.Reason = status, payment.Money{}, &payment.Reason{Code: payment.ReasonNoAnswer}
	return p
}

func (w *world) unpaid(state sandbox.State) {
	w.statement.State, w.statement.Movements = state, nil
	w.statement.Charges[0].State = state
}

// The audit finds what is planted, counts it where it belongs, and the exit code follows.
func TestAudit(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(w *world)
		want  string // charged_twice lost wrong_outcome
	}{
		"good":           {func(*world) {}, "0 0 0"},
		"executed twice": {func(w *world) { w.statement.Charges = append(w.statement.Charges, w.statement.Charges[0]) }, "1 0 0"},
		"paid twice":     {func(w *world) { w.statement.Movements = append(w.statement.Movements, w.statement.Movements[0]) }, "1 0 1"},
		"executed twice, not accepted": {func(w *world) {
			w.order.Accepted = false
			w.statement.Charges = append(w.statement.Charges, w.statement.Charges[0])
		}, "1 0 0"},
		"not in the log":               {func(w *world) { w.log, w.statement = nil, sandbox.Order{} }, "0 1 0"},
		"a dead letter only":           {func(w *world) { w.log, w.statement, w.dead = nil, sandbox.Order{}, deadLetter(events.DeadOrderReused) }, "0 1 1"},
		"not in the log, not accepted": {func(w *world) { w.log, w.statement, w.order.Accepted = nil, sandbox.Order{}, false }, "0 0 0"},
		"executed, never accepted":     {func(w *world) { w.log, w.order.Accepted = nil, false }, "0 0 1"},
		"left at submitting":           {func(w *world) { w.log = w.log[:1]; w.unpaid(sandbox.Pending) }, "0 1 0"},
		"in doubt without a reason":    {func(w *world) { w.last(payment.InDoubt).Reason = nil; w.statement, w.queue = sandbox.Order{}, true }, "0 1 0"},
		"in doubt, unknown there":      {func(w *world) { w.last(payment.InDoubt); w.statement, w.queue = sandbox.Order{}, true }, "0 0 0"},
		"in doubt, nobody asks":        {func(w *world) { w.last(payment.InDoubt); w.statement = sandbox.Order{} }, "0 1 0"},
		"in doubt, known there":        {func(w *world) { w.last(payment.InDoubt); w.queue = true }, "0 0 1"},
		"in doubt, amounts differ":     {func(w *world) { w.last(payment.InDoubt); w.order.Faults = []sandbox.FaultName{sandbox.WrongAmount} }, "0 0 0"},
		"settled without money":        {func(w *world) { w.unpaid(sandbox.Failed) }, "0 0 1"},
		"settled, still open there":    {func(w *world) { w.unpaid(sandbox.Pending) }, "0 0 1"},
		"settled, unknown there":       {func(w *world) { w.statement = sandbox.Order{} }, "0 0 1"},
		"failed with money":            {func(w *world) { w.last(payment.Failed) }, "0 0 1"},
		"failed, still open there":     {func(w *world) { w.last(payment.Failed); w.unpaid(sandbox.Pending) }, "0 0 1"},
		"failed":                       {func(w *world) { w.last(payment.Failed); w.unpaid(sandbox.Failed) }, "0 0 0"},
		"pending, paid there":          {func(w *world) { w.last(payment.Pending) }, "0 0 1"},
		"pending, failed there":        {func(w *world) { w.last(payment.Pending); w.unpaid(sandbox.Failed) }, "0 0 1"},
		"pending":                      {func(w *world) { w.last(payment.Pending); w.unpaid(sandbox.Pending) }, "0 0 0"},
		"pending, unknown there":       {func(w *world) { w.last(payment.Pending); w.statement = sandbox.Order{} }, "0 0 1"},
		"pending before the page":      {func(w *world) { w.last(payment.Pending); w.statement = sandbox.Order{}; w.order.Page = true }, "0 0 0"},
		"parked, executed there":       {func(w *world) { w.last(payment.Parked).ResumeAt = noon; w.unpaid(sandbox.Pending); w.queue = true }, "0 0 1"},
		"parked":                       {func(w *world) { w.last(payment.Parked).ResumeAt = noon; w.statement, w.queue = sandbox.Order{}, true }, "0 0 0"},
		"parked for ever":              {func(w *world) { w.last(payment.Parked); w.statement = sandbox.Order{} }, "0 1 0"},
		"another amount arrived":       {func(w *world) { w.statement.Movements[0].Amount = 9_999 }, "0 0 1"},
		"another currency":             {func(w *world) { w.log[2].SettledAmount.Currency = "TWD" }, "0 0 1"},
		"conflict about nothing":       {func(w *world) { w.last(payment.Conflict) }, "0 0 1"},
		"reversed, not told":           {reversal, "0 0 1"},
		"reversed":                     {func(w *world) { reversal(w); w.last(payment.Reversed) }, "0 0 0"},
		"paid twice by the customer": {func(w *world) {
			w.statement.Movements = append(w.statement.Movements, w.statement.Movements[0])
			w.order.Faults = []sandbox.FaultName{sandbox.Multi}
			w.last(payment.Conflict)
		}, "0 0 0"},
		"two outcomes": {func(w *world) {
			failed := w.log[2]
			failed.Status, failed.Revision, failed.Reason = payment.Failed, 4, &payment.Reason{Code: payment.ReasonDeclined}
			settled := w.log[2]
			settled.Revision = 5
			w.log = append(w.log, failed, settled)
		}, "0 0 2"},
		"a revision twice":   {func(w *world) { w.log[1].Revision = 1 }, "0 0 1"},
		"an event missing":   {func(w *world) { w.log = append(w.log[:1], w.log[2]) }, "0 0 1"},
		"an unwritten try":   {func(w *world) { w.log[2].Attempts = 2 }, "0 0 1"},
		"another's command":  {func(w *world) { w.log[2].Fingerprint = "g" }, "0 0 1"},
		"another's amount":   {func(w *world) { w.log[1].Amount = payment.KRW(10_001) }, "0 0 1"},
		"also a dead letter": {func(w *world) { w.dead = deadLetter(events.DeadInvalid) }, "0 0 1"},
		"reused": {func(w *world) {
			w.actions.OthersTried, w.actions.OthersTaken, w.dead = 1, 1, deadLetter(events.DeadOrderReused)
		}, "0 0 0"},
		"reused, the letter dropped": {func(w *world) { w.actions.OthersTried, w.actions.OthersTaken, w.actions.Dropped = 1, 1, 1 }, "0 0 0"},
		"reused, refused":            {func(w *world) { w.actions.OthersTried, w.actions.OthersRefused = 1, 1 }, "0 0 0"},
		"reused, and no letter":      {func(w *world) { w.actions.OthersTried, w.actions.OthersTaken = 1, 1 }, "0 1 0"},
		"reused, the wrong letter":   {func(w *world) { w.actions.OthersTried, w.dead = 1, deadLetter(events.DeadInvalid) }, "0 0 1"},
		"reused, the other one paid": {func(w *world) {
			w.actions.OthersTried, w.log[2].Amount, w.log[2].Fingerprint = 1, payment.KRW(15_000), "g"
		}, "0 0 1"},
		"repeated, and a letter":      {func(w *world) { w.actions.Repeated, w.dead = 1, deadLetter(events.DeadOrderReused) }, "0 0 1"},
		"answered":                    {func(w *world) { w.asks(); w.actions.AnswersTried = 1 }, "0 0 0"},
		"answered, and not delivered": {func(w *world) { w.asks(); w.actions.AnswersTried, w.actions.AnswersTaken = 1, 1 }, "0 1 0"},
		"asked, and nobody told":      {func(w *world) { w.asks(); w.log[2].Action = nil }, "0 1 0"},
		"answered twice":              {func(w *world) { w.actions.AnswersTried, w.actions.AnswersTaken, w.dead = 2, 2, late() }, "0 0 0"},
		"answered once, and a letter": {func(w *world) { w.actions.AnswersTried, w.actions.AnswersTaken, w.dead = 1, 1, late() }, "0 0 1"},
		"outsider":                    {func(w *world) { w.strange(); w.dead = deadLetter(events.DeadUnknownOrder) }, "0 0 0"},
		"outsider, not heard":         {func(w *world) { w.strange(); w.statement.Callbacks = nil }, "0 0 0"},
		"outsider, dropped":           {func(w *world) { w.strange(); w.actions.Dropped = 1 }, "0 0 0"},
		"outsider's webhook lost":     {(*world).strange, "0 1 0"},
		"outsider, the wrong letter":  {func(w *world) { w.strange(); w.actions.Dropped, w.dead = 1, deadLetter(events.DeadBadWebhook) }, "0 0 1"},
		"outsider in the log":         {func(w *world) { w.foreignOrder = true }, "0 0 1"},
		"forged":                      {func(w *world) { w.forged = []Forgery{{w.order.Ref, 401}} }, "0 0 0"},
		"forged and taken":            {func(w *world) { w.forged = []Forgery{{w.order.Ref, 200}} }, "0 0 1"},
		"sent while closed":           {func(w *world) { w.sentAt(noon.Add(time.Second)) }, "0 0 1"},
		"sent at the closing":         {func(w *world) { w.sentAt(noon) }, "0 0 1"},
		"sent before the closing":     {func(w *world) { w.sentAt(noon.Add(-1)) }, "0 0 0"},
		"sent at the opening":         {func(w *world) { w.sentAt(noon.Add(time.Minute)) }, "0 0 0"},
		"asked while closed":          {func(w *world) { w.sentAt(noon); w.statement.Requests[0].Action = sandbox.ActionQuery }, "0 0 0"},
		"cancelled": {func(w *world) {
			w.last(payment.Failed).Reason.Code = payment.ReasonCancelled
			w.statement, w.actions.Cancelled = sandbox.Order{}, true
		}, "0 0 0"},
		"cancelled and paid":           {func(w *world) { w.actions.Cancelled = true }, "0 0 1"},
		"cancelled, failed for others": {func(w *world) { w.last(payment.Failed); w.unpaid(sandbox.Failed); w.actions.Cancelled = true }, "0 0 1"},
		"overslept": {func(w *world) {
			w.last(payment.Parked).ResumeAt = noon.Add(-2 * time.Minute)
			w.statement, w.queue = sandbox.Order{}, true
		}, "0 1 0"},
		"withdrawn":          {withdrawn(0), "0 0 0"},
		"a deploy's attempt": {withdrawn(1), "0 0 1"},
		"ordered by nobody": {func(w *world) {
			w.extra = &sandbox.Order{Provider: account, Order: "c2", Charges: w.statement.Charges, Movements: w.statement.Movements}
		}, "0 0 1"},
		"in the log by nobody": {func(w *world) {
			foreignOrder := w.log[0]
			foreignOrder.Order = "c3"
			w.log = append(w.log, foreignOrder)
		}, "0 0 1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := good()
			test.spoil(w)
			evidence := w.evidence()
			found := &findings{Audit(evidence), evidence}
			var out bytes.Buffer
			c := &run{Options: Options{Out: &out, Orders: 1}, system: &system{}, strike: &striker{}}
			err := c.tell(found)
			counts := strings.Fields(test.want)
			if want := "charged_twice=" + counts[0] + " lost=" + counts[1] + " wrong_outcome=" + counts[2] + " "; !strings.Contains(c.line(found.Verdict), want) {
				t.Errorf("%s, want %s\n%s", c.line(found.Verdict), want, out.String())
			}
			if broken := test.want != "0 0 0"; errors.Is(err, ErrBroken) != broken {
				t.Errorf("the error is %v", err)
			} else if broken && !strings.Contains(out.String(), account+"/c") {
				t.Errorf("the order is not told: %s", out.String())
			}
		})
	}
}

// sentAt puts a request to pay into the records of a provider that is closed for a minute from noon on.
func (w *world) sentAt(at time.Time) {
	w.closings = []closing{{noon, noon.Add(time.Minute)}}
	w.statement.Requests = []sandbox.Request{{At: at, Action: sandbox.ActionCreate}}
}

// withdrawn is a payment whose only attempt was reversed by a stopping worker, which then has so many.
func withdrawn(attempts int) func(w *world) {
	return func(w *world) {
		w.log = w.log[:2]
		p := w.last(payment.Parked)
		p.Reason.Code, p.Attempts, p.ResumeAt = payment.ReasonStopping, attempts, noon
		w.statement, w.queue = sandbox.Order{}, true
	}
}

func reversal(w *world) {
	w.statement.State = sandbox.Refunded
	w.statement.Movements = append(w.statement.Movements, sandbox.Movement{Charge: "r1", Kind: sandbox.Refunded, Amount: 10_000})
}
