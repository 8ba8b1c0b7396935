package sandbox

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// saved is the state of all accounts, for the same accounts of a later sandbox.
type saved struct {
	Accounts []savedAccount `json:"accounts"`
}

type savedAccount struct {
	AccountTruth
	Serial  int64        `json:"serial"`
	Total   int64        `json:"total"`
	Frozen  int64        `json:"frozen"`
	Records []savedOrder `json:"records"` // of the orders, one for each
}

// savedOrder is what an [Order] does not show.
type savedOrder struct {
	Released bool          `json:"released,omitempty"`
	Faults   []savedFault  `json:"faults,omitempty"`
	Charges  []savedCharge `json:"charges,omitempty"`
}

type savedFault struct {
	Fault
	Left int `json:"left"` // -1 is always
}

type savedCharge struct {
	Next     Stage   `json:"next,omitempty"`
	Doom     Failure `json:"doom,omitempty"`
	Deferred bool    `json:"deferred,omitempty"`
}

// Save writes the state of all accounts, for [Sandbox.Restore]. Orders that change meanwhile are written as before or after.
func (s *Sandbox) Save(w io.Writer) error {
	var all saved
	for _, name := range s.names {
		all.Accounts = append(all.Accounts, s.accounts[name].save())
	}
	if err := json.NewEncoder(w).Encode(all); err != nil {
		return fmt.Errorf("sandbox: save: %w", err)
	}
	return nil
}

func (d *Account) save() savedAccount {
	d.mu.Lock()
	defer d.mu.Unlock()
	of := savedAccount{AccountTruth: d.copy(), Serial: d.serial, Total: d.total, Frozen: d.frozen}
	for _, order := range of.Orders {
		of.Records = append(of.Records, d.records[order.Order].save())
	}
	return of
}

func (r *record) save() savedOrder {
	more := savedOrder{Released: r.released}
	for _, f := range r.switches {
		more.Faults = append(more.Faults, savedFault{f.Fault, f.left})
	}
	for _, c := range r.Charges {
		more.Charges = append(more.Charges, savedCharge{c.next, c.doom, c.deferred})
	}
	return more
}

// Restore goes on with what [Sandbox.Save] wrote: money that was to move moves, and callbacks that were not acknowledged are sent
// again. A refund that was due is not made. It is for a new sandbox with the same accounts, before anything is asked of it. After
// an error, which is [ErrInvalid] where accounts and orders do not fit, the sandbox must not be used.
func (s *Sandbox) Restore(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("sandbox: restore: %w", err)
	}
	var all saved
	if err := json.Unmarshal(text, &all); err != nil { // unlike a Decoder, it refuses what follows
		return fmt.Errorf("sandbox: restore: %w", err)
	}
	if err := s.complete(all); err != nil {
		return fmt.Errorf("sandbox: restore: %w", err)
	}
	for _, of := range all.Accounts {
		if err := s.accounts[of.Provider].restore(of); err != nil {
			return fmt.Errorf("sandbox: restore %s: %w", of.Provider, err)
		}
	}
	return nil
}

// complete compares what was saved with the accounts of the sandbox: each must be there once, with each of its orders once.
func (s *Sandbox) complete(all saved) error {
	accounts := map[string]bool{}
	for _, of := range all.Accounts {
		if _, err := s.account(of.Provider); err != nil {
			return err
		}
		if accounts[of.Provider] {
			return fmt.Errorf("%w: the account %s occurs twice", ErrInvalid, of.Provider)
		}
		accounts[of.Provider] = true
		orders := map[string]bool{}
		for _, order := range of.Orders {
			if orders[order.Order] {
				return fmt.Errorf("%w: %s: the order %s occurs twice", ErrInvalid, of.Provider, order.Order)
			}
			orders[order.Order] = true
		}
		if len(of.Records) != len(of.Orders) {
			return fmt.Errorf("%w: %s: %d orders with %d records", ErrInvalid, of.Provider, len(of.Orders), len(of.Records))
		}
	}
	for _, name := range s.names {
		if !accounts[name] {
			return fmt.Errorf("%w: the account %s is missing", ErrInvalid, name)
		}
	}
	return nil
}

func (d *Account) restore(of savedAccount) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.serial, d.total, d.frozen, d.refused = of.Serial, of.Total, of.Frozen, of.Refused
	for i, order := range of.Orders {
		r, err := d.record(order.Order)
		if err != nil {
			return err
		}
		r.Order = order
		if err := r.restore(of.Records[i]); err != nil {
			return err
		}
		for n := range r.Charges {
			d.charges = append(d.charges, chargeAt{r, n})
		}
	}
	slices.SortFunc(d.charges, func(a, b chargeAt) int { return cmp.Compare(a.charge().Serial, b.charge().Serial) })
	for _, at := range d.charges {
		d.resume(at)
	}
	return nil
}

func (r *record) restore(more savedOrder) error {
	if len(more.Charges) != len(r.Charges) {
		return fmt.Errorf("%w: order %s", ErrInvalid, r.Order.Order)
	}
	r.switches = nil
	for _, f := range more.Faults {
		r.switches = append(r.switches, &faultSwitch{f.Fault, f.Left})
	}
	if r.released = more.Released; r.released {
		close(r.release)
	}
	for i, c := range more.Charges {
		r.Charges[i].next, r.Charges[i].doom, r.Charges[i].deferred = c.Next, c.Doom, c.Deferred
	}
	return nil
}

// resume lets a charge go on, and sends the callbacks that the merchant has not acknowledged. mu is held.
func (d *Account) resume(at chargeAt) {
	switch charge := at.charge(); {
	case charge.State != Pending:
	case charge.Stage == AwaitingClarification:
		d.box.after(clarifyTimeout, func() { d.giveUpClarification(at) })
	default:
		d.proceed(at)
	}
	for i, callback := range at.record.Callbacks {
		if callback.Charge == at.charge().Reference && callback.Acknowledged == 0 && !callback.Lost && !callback.Abandoned {
			d.send(&delivering{account: d, record: at.record, index: i, repeats: 1, answered: make(chan struct{}), notice: at.noticeOf(callback)})
		}
	}
}

// noticeOf makes the notice of a callback again. mu is held.
func (c chargeAt) noticeOf(callback Callback) Notice {
	charge := *c.charge()
	charge.State, charge.Stage = callback.State, callback.Stage
	notice := Notice{Order: c.record.Order.Order, Charge: charge, State: callback.State, Echo: charge.Amount}
	for _, m := range c.record.Movements {
		if m.Charge != callback.Charge || callback.Movement == "" {
			continue
		}
		if m.Kind == Paid {
			notice.Received += m.Amount
		}
		if m.Reference == callback.Movement {
			notice.Movement = m
			break
		}
	}
	return notice
}
