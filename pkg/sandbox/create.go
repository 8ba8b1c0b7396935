package sandbox

import (
	"net/http"
	"time"
)

// Create is a create request that the protocol has checked.
type Create struct {
	Order       string
	Operation   Operation
	Amount      int64 // minor units
	Method      string
	CallbackURL string
	ExpiresAt   time.Time
	Details     map[string]string // kept with the charge
	// Tells: the merchant is notified by a callback what the customer has to do, before the customer can pay.
	Tells bool
	// Clarify: before that, the merchant is asked for more data.
	Clarify bool
	// Deferred: the answer says nothing about the outcome, so every failure is reported by a callback.
	Deferred bool
	// Doom is why the order fails after it was accepted; empty when it does not.
	Doom Failure
}

// Result is what became of a create request, for the protocol to put into words.
type Result struct {
	Verdict Verdict
	Charge  Charge // when accepted or failed in the channel
	Echo    int64  // the ordered amount as the provider repeats it
}

// Verdict is the ledger's decision about a create request.
type Verdict int

// The verdicts. Charged and ChannelFailed made a charge; the others made none.
const (
	Charged Verdict = iota
	ChannelFailed
	Duplicate
	Declined
	NoBalance
)

var refusals = map[Verdict]string{Duplicate: "duplicate", Declined: "declined", NoBalance: "no_balance"}

// Create takes a create request through the order's faults into the ledger, and answers it. It panics
// with [http.ErrAbortHandler] where a fault drops the connection.
func (d *Account) Create(w http.ResponseWriter, r *http.Request, c Create, answer func(Result) Reply) {
	v, err := d.visit(c.Order, ActionCreate)
	if err != nil {
		textReply(http.StatusServiceUnavailable, err.Error()).write(w)
		return
	}
	if !v.beforeAccepting(w, r) {
		return
	}
	result, callbacks := v.accept(c)
	if reason, refused := refusals[result.Verdict]; refused {
		reply := answer(result)
		v.done(Refused, reason, reply.Status)
		reply.write(w)
		return
	}
	for _, answered := range callbacks { // early-callback: the merchant hears of it first
		<-answered
	}
	reply := answer(result)
	v.afterAccepting(r, &reply)
	v.done(Accepted, "", reply.Status)
	reply.write(w)
}

// beforeAccepting plays the faults that come before the order is accepted. It is false when the request
// has been answered.
func (v *visit) beforeAccepting(w http.ResponseWriter, r *http.Request) bool {
	if _, ok := v.take(Refuse503); ok {
		v.done(Refused, string(Refuse503), http.StatusServiceUnavailable)
		textReply(http.StatusServiceUnavailable, "Service Unavailable").write(w)
		return false
	}
	if _, ok := v.take(Blackhole); ok {
		v.drop(Refused, string(Blackhole))
	}
	if _, ok := v.take(HangBefore); ok && !v.hold(r) {
		v.drop(Refused, string(HangBefore))
	}
	if f, ok := v.take(Slow); ok {
		// The merchant's context is not asked: a slow provider accepts also when the merchant no longer waits.
		if v.account.box.options.Wait(v.account.box.ctx, f.wait()) != nil {
			v.drop(Refused, "closed")
		}
	}
	return true
}

// afterAccepting plays the faults on the answer to an accepted order.
func (v *visit) afterAccepting(r *http.Request, reply *Reply) {
	if _, ok := v.take(Hang); ok && !v.hold(r) {
		v.drop(Accepted, "")
	}
	if _, ok := v.take(Drop); ok {
		v.drop(Accepted, "")
	}
	if _, ok := v.take(Error500); ok {
		*reply = textReply(http.StatusInternalServerError, "Internal Server Error")
	}
	if _, ok := v.take(Garbage); ok {
		*reply = Reply{
			Status: http.StatusOK, ContentType: "text/html; charset=utf-8",
			Body: []byte("<html><body><h1>Bad gateway</h1></body></html>"),
		}
	}
}

// drop ends the connection without an answer.
func (v *visit) drop(outcome Outcome, reason string) {
	v.done(outcome, reason, 0)
	panic(http.ErrAbortHandler)
}

// hold waits until the order is released. It is false when the merchant or the sandbox went away first.
func (v *visit) hold(r *http.Request) bool {
	select {
	case <-v.record.release:
		return true
	case <-r.Context().Done():
	case <-v.account.box.ctx.Done():
	}
	return false
}

// accept decides about the request and makes the charge. The channels are closed when callbacks that
// must precede the answer have been answered.
func (v *visit) accept(c Create) (Result, []<-chan struct{}) {
	d := v.account
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(v.record.Charges) > 0 {
		if _, ok := v.takeHeld(AcceptDuplicates); !ok {
			return Result{Verdict: Duplicate}, nil
		}
	}
	if c.Operation == Deposit {
		if _, ok := v.takeHeld(Decline); ok && !c.Deferred {
			return Result{Verdict: Declined}, nil
		} else if ok {
			c.Doom = DeclinedByBank
		}
	} else if d.total-d.frozen < c.Amount {
		return Result{Verdict: NoBalance}, nil
	}
	_, channel := v.takeHeld(Channel)
	if channel && c.Deferred {
		c.Doom = ChannelError
	}
	if c.Tells {
		_, ok := v.takeHeld(Clarification)
		c.Clarify = c.Clarify || ok
	}
	at := d.charge(v.record, c)
	verdict := Charged
	var callbacks []<-chan struct{}
	if channel && !c.Deferred {
		verdict = ChannelFailed
		d.fail(at, ChannelError)
	} else if _, ok := v.takeHeld(EarlyCallback); ok && d.config.Hours.Until(d.Now()) == 0 {
		callbacks = d.hurry(at)
	} else {
		d.proceed(at)
	}
	return Result{Verdict: verdict, Charge: *at.charge(), Echo: v.record.echo(c.Amount)}, callbacks
}

// charge writes an accepted order into the ledger. mu is held.
func (d *Account) charge(r *record, c Create) chargeAt {
	now := d.Now()
	kind := DepositReference
	if c.Operation == Payout {
		kind = PayoutReference
		d.frozen += c.Amount
	}
	charge := Charge{
		Serial: d.nextSerial(), Operation: c.Operation, Amount: c.Amount, Method: c.Method, At: now,
		CallbackURL: c.CallbackURL, ExpiresAt: c.ExpiresAt, State: Pending,
		Details: c.Details, doom: c.Doom, deferred: c.Deferred,
	}
	switch {
	case c.Clarify:
		charge.next = AwaitingClarification
	case c.Tells:
		charge.next = AwaitingCustomer
	}
	if charge.CallbackURL == "" {
		charge.CallbackURL = d.config.CallbackURL
	}
	charge.Reference = d.config.Protocol.Reference(kind, charge.Serial, now)
	r.Charges = append(r.Charges, charge)
	r.State = Pending
	at := chargeAt{r, len(r.Charges) - 1}
	d.charges = append(d.charges, at)
	r.tell()
	return at
}

// echo is the ordered amount as the provider repeats it. mu is held.
func (r *record) echo(amount int64) int64 {
	f, ok := r.switches.take(WrongAmount)
	switch {
	case !ok:
		return amount
	case f.Amount > 0:
		return f.Amount
	default:
		return amount + 1
	}
}
