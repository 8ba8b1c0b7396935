package sandbox

import (
	"net/http"
	"slices"
	"time"
)

// View is a charge as the provider shows it.
type View struct {
	Order  string
	Charge Charge
	// Movements of this charge.
	Movements []Movement
	Echo      int64 // the ordered amount as the provider repeats it
}

// Received is the money that was paid for the charge, refunds not taken off.
func (v View) Received() int64 {
	var sum int64
	for _, m := range v.Movements {
		if m.Kind == Paid {
			sum += m.Amount
		}
	}
	return sum
}

// Query looks an order up through its faults and answers. An order that was charged twice shows its last
// charge; an order of the other operation is not found. An empty operation finds both.
func (d *Account) Query(w http.ResponseWriter, order string, operation Operation, answer func(v View, found bool) Reply) {
	v, err := d.visit(order, ActionQuery)
	if err != nil {
		textReply(http.StatusServiceUnavailable, err.Error()).write(w)
		return
	}
	if _, ok := v.take(Query503); ok {
		v.done(Answered, "", http.StatusServiceUnavailable)
		textReply(http.StatusServiceUnavailable, "Service Unavailable").write(w)
		return
	}
	view, found := v.view(operation)
	reply := answer(view, found)
	reason := ""
	if !found {
		reason = "not_found"
	}
	v.done(Answered, reason, reply.Status)
	reply.write(w)
}

// view reads the last charge of the order.
func (v *visit) view(operation Operation) (View, bool) {
	v.account.mu.Lock()
	defer v.account.mu.Unlock()
	last := len(v.record.Charges) - 1
	if last < 0 || operation != "" && v.record.Charges[last].Operation != operation {
		return View{}, false
	}
	at := chargeAt{v.record, last}
	if f, ok := v.record.switches.look(Lag); ok && v.account.Now().Before(at.charge().At.Add(f.wait())) {
		v.takeHeld(Lag)
		return View{}, false
	}
	return at.view(v.record.echo(at.charge().Amount)), true
}

// view copies a charge and its movements. mu is held.
func (c chargeAt) view(echo int64) View {
	charge := *c.charge()
	movements := slices.DeleteFunc(slices.Clone(c.record.Movements), func(m Movement) bool { return m.Charge != charge.Reference })
	return View{Order: c.record.Order.Order, Charge: charge, Movements: movements, Echo: echo}
}

// Statement asks for a part of the account's charges.
type Statement struct {
	Operation Operation // empty is both
	From, To  time.Time // acceptance, both included
	State     State     // empty is all
	After     int64     // only charges with a greater serial
	Limit     int
}

// Statement returns the charges that fit, in the order of their acceptance. Faults do not touch it.
func (d *Account) Statement(q Statement) []View {
	d.mu.Lock()
	defer d.mu.Unlock()
	begin, _ := slices.BinarySearchFunc(d.charges, q.After+1, func(c chargeAt, serial int64) int {
		return int(c.charge().Serial - serial)
	})
	var views []View
	for _, at := range d.charges[begin:] {
		c := at.charge()
		if len(views) == q.Limit {
			break
		}
		if (q.Operation == "" || c.Operation == q.Operation) && !c.At.Before(q.From) && !c.At.After(q.To) && (q.State == "" || q.State == c.State) {
			views = append(views, at.view(c.Amount))
		}
	}
	return views
}
