package sandbox

import (
	"fmt"
	"net/http"
	"time"
)

// Stage is what a pending charge waits for, at providers that report it.
type Stage string

// The stages. A charge without one is being processed.
const (
	// AwaitingCustomer: the merchant was notified where the customer goes, or how the customer pays.
	AwaitingCustomer Stage = "customer"
	// AwaitingClarification: the merchant was asked for more data.
	AwaitingClarification Stage = "clarification"
)

// clarifyTimeout is how long a charge waits for clarification before it fails (developers.ecommpay.com
// en_Gate_Clarification).
const clarifyTimeout = 30 * time.Minute

// ActionClarify is the merchant's answer to a clarification, in the truth.
const ActionClarify = "clarify"

// proceed lets an accepted charge go its way. mu is held.
func (d *Account) proceed(at chargeAt) {
	switch charge := at.charge(); {
	case charge.doom != "":
		d.later(d.config.MoveDelay, func() { d.settle(at) })
	case charge.next != "":
		d.later(d.config.TellDelay, func() { d.tell(at) })
	default:
		d.schedule(at)
	}
}

// hurry does the same before the create is answered. The channels are closed when the first delivery of
// each callback was answered. mu is held.
func (d *Account) hurry(at chargeAt) []<-chan struct{} {
	charge := at.charge()
	if charge.next == "" || charge.doom != "" {
		return d.settle(at)
	}
	told := d.announce(at)
	if charge.Stage == AwaitingClarification || !d.box.begin() {
		return []<-chan struct{}{told}
	}
	done := make(chan struct{})
	go func() {
		defer d.box.running.Done()
		defer close(done)
		<-told
		d.mu.Lock()
		answered := d.settle(at)
		d.mu.Unlock()
		for _, a := range answered {
			<-a
		}
	}()
	return []<-chan struct{}{done}
}

// announce notifies the merchant what the charge waits for. mu is held.
func (d *Account) announce(at chargeAt) <-chan struct{} {
	charge := at.charge()
	charge.Stage, charge.next = charge.next, ""
	at.record.tell()
	return d.notify(at, Pending, Movement{})
}

// tell announces, and lets the customer pay when the merchant knows how. mu is held.
func (d *Account) tell(at chargeAt) {
	charge := at.charge()
	if charge.State != Pending || charge.next == "" {
		return
	}
	told := d.announce(at)
	if charge.Stage == AwaitingClarification {
		d.box.after(clarifyTimeout, func() { d.giveUpClarification(at) })
		return
	}
	if !d.box.begin() {
		return
	}
	go func() {
		defer d.box.running.Done()
		<-told
		d.mu.Lock()
		defer d.mu.Unlock()
		d.schedule(at)
	}()
}

func (d *Account) giveUpClarification(at chargeAt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if charge := at.charge(); charge.State == Pending && charge.Stage == AwaitingClarification {
		d.fail(at, NotClarified)
	}
}

// ClarifyResult is what became of data that the merchant sent in addition.
type ClarifyResult int

// What can become of it.
const (
	Clarified       ClarifyResult = iota // taken; the order goes on
	NothingToClear                       // the order does not wait for it
	NothingAccepted                      // no such order
)

// Clarify takes the data that a clarification asked for: details go into the charge's details. It answers
// through answer.
func (d *Account) Clarify(w http.ResponseWriter, order string, details map[string]string, answer func(ClarifyResult) Reply) {
	v, err := d.visit(order, ActionClarify)
	if err != nil {
		textReply(http.StatusServiceUnavailable, err.Error()).write(w)
		return
	}
	result := v.clarify(details)
	reply := answer(result)
	if result == Clarified {
		v.done(Accepted, "", reply.Status)
	} else {
		v.done(Refused, map[ClarifyResult]string{NothingToClear: "not_asked", NothingAccepted: "not_found"}[result], reply.Status)
	}
	reply.write(w)
}

func (v *visit) clarify(details map[string]string) ClarifyResult {
	d := v.account
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(v.record.Charges) == 0 {
		return NothingAccepted
	}
	at := chargeAt{v.record, len(v.record.Charges) - 1}
	charge := at.charge()
	if charge.State != Pending || charge.Stage != AwaitingClarification {
		return NothingToClear
	}
	charge.Details = merged(charge.Details, details)
	charge.Stage, charge.next = "", AwaitingCustomer
	v.record.tell()
	d.proceed(at)
	return Clarified
}

// merged makes a new map, because readers may hold the old one.
func merged(old, more map[string]string) map[string]string {
	sum := make(map[string]string, len(old)+len(more))
	for _, m := range []map[string]string{old, more} {
		for name, value := range m {
			sum[name] = value
		}
	}
	return sum
}

// AskClarification makes the provider ask for more data about a deposit that waits for its customer.
func (s *Sandbox) AskClarification(provider, order string) error {
	return s.byHand(provider, order, func(d *Account, at chargeAt) error {
		charge := at.charge()
		if charge.State != Pending || charge.Stage != AwaitingCustomer {
			return fmt.Errorf("%w: only an order that waits for its customer can be asked about", ErrInvalid)
		}
		charge.next = AwaitingClarification
		d.tell(at)
		return nil
	})
}
