package sandbox

import (
	"fmt"
	"math"
)

// schedule lets the money of a charge move later: a payout always, a deposit when customers pay by
// themselves. mu is held.
func (d *Account) schedule(at chargeAt) {
	if at.charge().Operation == Deposit && !d.config.AutoPay {
		return
	}
	d.later(d.config.MoveDelay, func() { d.settle(at) })
}

// settle ends a pending charge as its faults say. The channels are closed when the first delivery of
// each callback was answered. mu is held.
func (d *Account) settle(at chargeAt) []<-chan struct{} {
	charge := at.charge()
	if charge.State != Pending || charge.Stage == AwaitingClarification {
		return nil
	}
	if charge.doom != "" {
		return []<-chan struct{}{d.fail(at, charge.doom)}
	}
	if charge.Operation == Payout {
		if _, ok := at.record.switches.take(Decline); ok {
			return []<-chan struct{}{d.fail(at, DeclinedByBank)}
		}
	}
	amount := at.paidAmount()
	answered := []<-chan struct{}{d.pay(at, amount)}
	if charge.Operation == Deposit {
		if _, ok := at.record.switches.take(Multi); ok {
			answered = append(answered, d.pay(at, amount))
		}
		if !d.refundsDeposits() {
			return answered
		}
	}
	if _, ok := at.record.switches.take(Refund); ok {
		d.later(d.config.MoveDelay, func() { d.refund(at) })
	}
	return answered
}

// paidAmount is what the customer pays. mu is held.
func (c chargeAt) paidAmount() int64 {
	ordered := c.charge().Amount
	if c.charge().Operation == Payout {
		return ordered
	}
	f, ok := c.record.switches.take(OtherAmount)
	switch {
	case !ok:
		return ordered
	case f.Amount > 0:
		return f.Amount
	case ordered == 1: // nothing is no payment
		return 2
	default:
		return ordered - 1
	}
}

func (d *Account) refundsDeposits() bool {
	p, ok := d.config.Protocol.(DepositRefunder)
	return ok && p.RefundsDeposits()
}

// pay moves money and notifies the merchant. mu is held.
func (d *Account) pay(at chargeAt, amount int64) <-chan struct{} {
	if at.charge().Operation == Payout {
		d.thaw(at)
		d.total -= amount
	} else {
		d.total += amount
	}
	return d.move(at, Paid, amount)
}

// refund takes a payout back, or all that was received for a deposit. mu is held.
func (d *Account) refund(at chargeAt) <-chan struct{} {
	if at.charge().State != Paid {
		return nil
	}
	amount := at.charge().Amount
	if at.charge().Operation == Payout {
		d.total += amount
	} else {
		amount = at.view(0).Received()
		d.total -= amount
	}
	return d.move(at, Refunded, amount)
}

// fail ends a charge without money and, unless the answer to the create says so already, notifies the
// merchant. mu is held.
func (d *Account) fail(at chargeAt, why Failure) <-chan struct{} {
	d.thaw(at)
	charge := at.charge()
	charge.State, charge.Stage, charge.Failure, charge.CompletedAt = Failed, "", why, d.Now()
	at.record.State = Failed
	at.record.tell()
	if why == ChannelError && !charge.deferred {
		return nil
	}
	return d.notify(at, Failed, Movement{})
}

// thaw gives the frozen money of a pending payout free. mu is held.
func (d *Account) thaw(at chargeAt) {
	if charge := at.charge(); charge.Operation == Payout && charge.State == Pending {
		d.frozen -= charge.Amount
	}
}

// move writes a movement into the ledger and notifies the merchant. mu is held.
func (d *Account) move(at chargeAt, kind State, amount int64) <-chan struct{} {
	charge := at.charge()
	now := d.Now()
	m := Movement{Serial: d.nextSerial(), Charge: charge.Reference, Kind: kind, Amount: amount, At: now}
	m.Reference = d.config.Protocol.Reference(MovementReference, m.Serial, now)
	charge.State, charge.Stage, charge.Failure, charge.CompletedAt = kind, "", "", now
	at.record.State = kind
	at.record.Movements = append(at.record.Movements, m)
	at.record.tell()
	return d.notify(at, kind, m)
}

// maxMovements bounds what the admin API can add to one order.
const maxMovements = 1000

// byHand runs an admin's wish on the last charge of an order.
func (s *Sandbox) byHand(provider, order string, wish func(d *Account, at chargeAt) error) error {
	d, err := s.account(provider)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.records[order]
	if r == nil || len(r.Charges) == 0 {
		return fmt.Errorf("%w: %s/%s", ErrUnknownOrder, provider, order)
	}
	if len(r.Movements) >= maxMovements || len(r.Callbacks) >= maxMovements {
		return fmt.Errorf("%w: %s/%s has enough movements", ErrInvalid, provider, order)
	}
	return wish(d, chargeAt{r, len(r.Charges) - 1})
}

// Pay lets the customer pay an amount in minor units for an accepted deposit, as often as it is called,
// also after the deposit failed or while the provider is closed (then only the callback waits). Amount 0 is what was ordered. A payout takes it once, while pending.
func (s *Sandbox) Pay(provider, order string, amount int64) error {
	return s.byHand(provider, order, func(d *Account, at chargeAt) error {
		charge := at.charge()
		switch {
		case amount < 0 || amount > math.MaxInt32*1000:
			return fmt.Errorf("%w: the amount", ErrInvalid)
		case charge.Operation == Payout && (charge.State != Pending || amount != 0 && amount != charge.Amount):
			return fmt.Errorf("%w: a payout is paid once and in full", ErrInvalid)
		case amount == 0:
			amount = charge.Amount
		}
		d.pay(at, amount)
		return nil
	})
}

// Fund puts the merchant's own money into an account: 1 to 1,000,000,000,000,000 minor units.
func (s *Sandbox) Fund(provider string, amount int64) error {
	d, err := s.account(provider)
	if err != nil {
		return err
	}
	if amount <= 0 || amount > 1_000_000_000_000_000 {
		return fmt.Errorf("%w: the amount", ErrInvalid)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total += amount
	return nil
}

// Fail ends an accepted order without money, also one that was paid: providers do that.
func (s *Sandbox) Fail(provider, order string) error {
	return s.byHand(provider, order, func(d *Account, at chargeAt) error {
		d.fail(at, FailedByHand)
		return nil
	})
}

// Refund takes a paid payout back, and where the provider does that also a paid deposit.
func (s *Sandbox) Refund(provider, order string) error {
	return s.byHand(provider, order, func(d *Account, at chargeAt) error {
		if charge := at.charge(); charge.Operation != Payout && !d.refundsDeposits() || charge.State != Paid {
			return fmt.Errorf("%w: only a paid payout is refunded, and a paid deposit by some providers", ErrInvalid)
		}
		d.refund(at)
		return nil
	})
}
