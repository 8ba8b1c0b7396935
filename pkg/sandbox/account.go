package sandbox

import (
	"fmt"
	"regexp"
	"sync"
	"time"
)

// Account is what a protocol sees of its account: the ledger, with the faults in front of it. All methods
// are safe for concurrent use.
type Account struct {
	box    *Sandbox
	config AccountConfig
	// currency is the ISO 4217 code of all amounts.
	currency string

	mu       sync.Mutex // guards everything below, and the records
	defaults []Fault    // switches of new orders
	records  map[string]*record
	charges  []chargeAt // all charges by serial
	refused  []Request  // requests that name no readable order
	serial   int64
	total    int64 // the balance
	frozen   int64 // the part of it that pending payouts will take
}

// record is one order and what is needed to work on it.
type record struct {
	Order
	switches switches
	released bool
	release  chan struct{} // closed when released: held requests go on, and none is held any more
	changed  chan struct{} // closed at the next change; nil when no goroutine waits
}

// chargeAt finds a charge.
type chargeAt struct {
	record *record
	index  int
}

func (c chargeAt) charge() *Charge { return &c.record.Charges[c.index] }

func newAccount(s *Sandbox, a AccountConfig) *Account {
	currency := "KRW"
	if p, ok := a.Protocol.(Currencied); ok {
		currency = p.Currency()
	}
	return &Account{box: s, config: a, currency: currency, defaults: a.Faults, records: map[string]*record{}, total: a.Balance}
}

// Now is the provider's clock.
func (d *Account) Now() time.Time { return d.box.options.Now() }

// CallbackURL is where callbacks go when a request names no address; empty when nothing is configured.
func (d *Account) CallbackURL() string { return d.config.CallbackURL }

// Balance returns the account's money and the part of it that pending payouts will take.
func (d *Account) Balance() (total, frozen int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.total, d.frozen
}

// orderName is what payonce allows as an order number; anything else is not kept by its name.
var orderName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// record returns the record of an order, new when there is none. mu is held.
func (d *Account) record(order string) (*record, error) {
	if r := d.records[order]; r != nil {
		return r, nil
	}
	if !orderName.MatchString(order) {
		return nil, fmt.Errorf("%w: an order number is [A-Za-z0-9_-]{1,64}", ErrInvalid)
	}
	if len(d.records) >= d.box.options.MaxOrders {
		return nil, ErrFull
	}
	r := &record{
		Order:    Order{Provider: d.config.Name, Order: order, State: Unknown},
		switches: newSwitches(append(faultsInOrder(order), d.defaults...)),
		release:  make(chan struct{}),
	}
	d.records[order] = r
	return r, nil
}

// tell wakes the goroutines that wait for a change of the record. mu is held.
func (r *record) tell() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// nextSerial numbers charges and movements. mu is held.
func (d *Account) nextSerial() int64 {
	d.serial++
	return d.serial
}

// Refused writes down a request that the protocol refused: what it was, why, and the HTTP status of the
// reply. order may be empty or unreadable.
func (d *Account) Refused(order, action, reason string, reply int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	request := Request{At: d.Now(), Action: action, Outcome: Refused, Reason: reason, Reply: reply}
	r, err := d.record(order)
	if err != nil {
		if len(d.refused) < MaxKept {
			d.refused = append(d.refused, request)
		}
		return
	}
	r.keep(request)
	r.tell()
}

// keep counts a request and keeps it while there is room. It returns its index, or -1. mu is held.
func (r *record) keep(request Request) int {
	switch request.Action {
	case ActionCreate:
		r.Creates++
	case ActionQuery:
		r.Queries++
	}
	if len(r.Requests) >= MaxKept {
		return -1
	}
	r.Requests = append(r.Requests, request)
	return len(r.Requests) - 1
}

// The actions that the frame knows.
const (
	ActionCreate = "create"
	ActionQuery  = "query"
)

// visit is one valid request that is being worked on.
type visit struct {
	account *Account
	record  *record
	index   int // in record.Requests, -1 when not kept
}

// visit begins a request: it is written down before anything is done with it.
func (d *Account) visit(order, action string) (*visit, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, err := d.record(order)
	if err != nil {
		return nil, err
	}
	index := r.keep(Request{At: d.Now(), Action: action, Outcome: Received})
	r.tell()
	return &visit{account: d, record: r, index: index}, nil
}

// take uses a fault of the order and writes down that it acted on this request.
func (v *visit) take(name FaultName) (Fault, bool) {
	v.account.mu.Lock()
	defer v.account.mu.Unlock()
	return v.takeHeld(name)
}

// takeHeld is take for callers that hold mu.
func (v *visit) takeHeld(name FaultName) (Fault, bool) {
	f, ok := v.record.switches.take(name)
	if ok && v.index >= 0 {
		request := &v.record.Requests[v.index]
		request.Faults = append(request.Faults, name)
		v.record.tell()
	}
	return f, ok
}

// done writes down how the request ended. reply is the HTTP status, 0 for a dropped connection.
func (v *visit) done(outcome Outcome, reason string, reply int) {
	v.account.mu.Lock()
	defer v.account.mu.Unlock()
	if v.index >= 0 {
		request := &v.record.Requests[v.index]
		request.Outcome, request.Reason, request.Reply = outcome, reason, reply
	}
	v.record.tell()
}
