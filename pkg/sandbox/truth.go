package sandbox

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Truth is everything that happened, by account.
type Truth struct {
	Accounts []AccountTruth `json:"accounts"`
}

// AccountTruth is everything that happened at one account.
type AccountTruth struct {
	Provider string  `json:"provider"`
	Currency string  `json:"currency"` // ISO 4217 code of all amounts of the account
	Orders   []Order `json:"orders"`   // by order number
	// Refused are requests that name no readable order; the first of them are kept, see [MaxKept].
	Refused []Request `json:"refused"`
}

// Summary is what a campaign wants to know at its end.
type Summary struct {
	Orders  int `json:"orders"`  // that were accepted at least once
	Charges int `json:"charges"` // accepted create requests
	// ChargedTwice names provider/order of each order that was accepted more than once.
	ChargedTwice []string `json:"charged_twice"`
	Movements    int      `json:"movements"`
	// Deposited and PaidOut are minor units, refunds taken off, over all currencies; Currencies has them
	// one by one.
	Deposited  int64           `json:"deposited"`
	PaidOut    int64           `json:"paid_out"`
	Currencies map[string]Sums `json:"currencies"`
	States     map[State]int   `json:"states"` // orders by state, unknown ones too
}

// Sums are the movements of one currency in minor units, refunds taken off.
type Sums struct {
	Deposited int64 `json:"deposited"`
	PaidOut   int64 `json:"paid_out"`
}

// Truth returns a copy of everything. It stops each account for as long as the copying takes.
func (s *Sandbox) Truth() Truth {
	truth := Truth{Accounts: []AccountTruth{}}
	for _, name := range s.names {
		truth.Accounts = append(truth.Accounts, s.accounts[name].truth())
	}
	return truth
}

func (d *Account) truth() AccountTruth {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.copy()
}

// copy is truth for callers that hold mu.
func (d *Account) copy() AccountTruth {
	truth := AccountTruth{Provider: d.config.Name, Currency: d.currency, Orders: []Order{}, Refused: slices.Clone(d.refused)}
	for _, r := range d.records {
		truth.Orders = append(truth.Orders, r.Order.clone())
	}
	slices.SortFunc(truth.Orders, func(a, b Order) int { return strings.Compare(a.Order, b.Order) })
	return truth
}

// Order returns the truth about one order; its State is Unknown when no request named it.
func (s *Sandbox) Order(provider, order string) (Order, error) {
	d, err := s.account(provider)
	if err != nil {
		return Order{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.records[order]; r != nil {
		return r.Order.clone(), nil
	}
	return Order{Provider: provider, Order: order, State: Unknown}, nil
}

// Summary counts the truth.
func (t Truth) Summary() Summary {
	sum := Summary{ChargedTwice: []string{}, States: map[State]int{}, Currencies: map[string]Sums{}}
	for _, config := range t.Accounts {
		for _, order := range config.Orders {
			sum.add(order, config.Currency)
		}
	}
	return sum
}

func (s *Summary) add(o Order, currency string) {
	s.States[o.State]++
	s.Charges += len(o.Charges)
	s.Movements += len(o.Movements)
	if len(o.Charges) == 0 {
		return
	}
	s.Orders++
	if len(o.Charges) > 1 {
		s.ChargedTwice = append(s.ChargedTwice, o.Provider+"/"+o.Order)
	}
	sums := s.Currencies[currency]
	for _, m := range o.Movements {
		amount := m.Amount
		if m.Kind == Refunded {
			amount = -amount
		}
		if o.Charges[0].Operation == Deposit {
			s.Deposited += amount
			sums.Deposited += amount
		} else {
			s.PaidOut += amount
			sums.PaidOut += amount
		}
	}
	s.Currencies[currency] = sums
}

// Condition is something to wait for. It gets a copy of the order.
type Condition func(Order) bool

// Seen waits until n valid or refused create requests have arrived.
func Seen(n int) Condition { return func(o Order) bool { return o.Creates >= n } }

// Queried waits until n queries have arrived.
func Queried(n int) Condition { return func(o Order) bool { return o.Queries >= n } }

// ChargedTimes waits until n create requests were accepted.
func ChargedTimes(n int) Condition { return func(o Order) bool { return len(o.Charges) >= n } }

// Moved waits until money moved n times.
func Moved(n int) Condition { return func(o Order) bool { return len(o.Movements) >= n } }

// Acknowledged waits until the merchant took n deliveries of callbacks.
func Acknowledged(n int) Condition {
	return func(o Order) bool {
		sum := 0
		for _, c := range o.Callbacks {
			sum += c.Acknowledged
		}
		return sum >= n
	}
}

// InState waits until the order has a state.
func InState(state State) Condition { return func(o Order) bool { return o.State == state } }

// WaitFor blocks until the order fulfils the condition, and returns it as it was then. The order need
// not exist yet. When ctx or the sandbox ends first, the error says so and the order is as it was last.
func (s *Sandbox) WaitFor(ctx context.Context, provider, order string, until Condition) (Order, error) {
	d, err := s.account(provider)
	if err != nil {
		return Order{}, err
	}
	for {
		now, changed, err := d.watch(order)
		if err != nil {
			return Order{}, err
		}
		if until(now) {
			return now, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return now, fmt.Errorf("sandbox: waiting for %s/%s, which is %s: %w", provider, order, now.State, ctx.Err())
		case <-s.ctx.Done():
			return now, fmt.Errorf("sandbox: waiting for %s/%s, which is %s: %w", provider, order, now.State, ErrClosed)
		}
	}
}

// watch copies an order and returns a channel that is closed at its next change.
func (d *Account) watch(order string) (Order, <-chan struct{}, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, err := d.record(order)
	if err != nil {
		return Order{}, nil, err
	}
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.Order.clone(), r.changed, nil
}
