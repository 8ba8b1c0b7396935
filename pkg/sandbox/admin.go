package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const manual = `Simulated payment providers. No money moves here.

The base URL of an account is /<provider>. Accounts:
%s
Admin API. Amounts are ISO 4217 minor units of the account's currency (won, cents).
  GET  /admin/truth                                  everything that happened
  GET  /admin/summary                                orders, charges, orders charged twice, movements
  GET  /admin/{provider}/orders/{order}              the truth about one order
  GET  /admin/{provider}/orders/{order}/wait         blocks; ?for=seen|queried|charged|moved|acknowledged&n=1&timeout=30s
  POST /admin/{provider}/orders/{order}/pay          {"amount":"1000"}: the customer pays; no amount pays what was ordered
  POST /admin/{provider}/orders/{order}/fail         ends the order without money
  POST /admin/{provider}/orders/{order}/refund       takes a paid payout back, at some providers a deposit too
  POST /admin/{provider}/orders/{order}/clarify      asks for more data about a deposit, where that is documented
  POST /admin/{provider}/visit                       {"link":"https://..."}: the customer opens a payment page
  POST /admin/{provider}/orders/{order}/release      lets requests go on that hang or hang-before holds
  POST /admin/{provider}/orders/{order}/faults       [{"fault":"drop","times":1}]: replaces the order's faults
  POST /admin/{provider}/faults                      the same for orders that come later
  POST /admin/{provider}/fund                        {"amount":"1000"}: the merchant puts money into the account

Faults. An order number that contains x-<fault> between dashes switches it on (D1-x-drop-7),
x-<fault>_<n> only for the first n times (D1-x-drop_1-7). In JSON: fault, times, ms, amount.
  before accepting:  refuse503 answers 503; blackhole drops the connection; hang-before waits for release;
                     slow waits ms, then accepts, and answers late
  deciding:          accept-duplicates charges an order again; decline refuses a deposit or fails it, fails a payout;
                     channel answers that the channel failed; clarification asks for more data
  after accepting:   drop drops the connection; error500; garbage answers HTML; hang waits for release;
                     early-callback calls back before the answer; wrong-amount repeats another amount
  queries:           lag does not know the order for ms; query503
  money:             multi pays a deposit twice; other-amount pays another amount; refund takes
                     the money back
  callbacks:         duplicate-callback sends again what was acknowledged; lost-callback never sends
`

// adminRoutes adds the admin API, which does what the Go API does.
func (s *Sandbox) adminRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		accounts := ""
		for _, name := range s.names {
			accounts += "  /" + name + "\n"
		}
		textReply(http.StatusOK, fmt.Sprintf(manual, accounts)).write(w)
	})
	mux.HandleFunc("GET /admin/truth", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Truth(), nil) })
	mux.HandleFunc("GET /admin/summary", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Truth().Summary(), nil) })
	const order = "/admin/{provider}/orders/{order}"
	mux.HandleFunc("GET "+order, func(w http.ResponseWriter, r *http.Request) {
		o, err := s.Order(r.PathValue("provider"), r.PathValue("order"))
		writeJSON(w, o, err)
	})
	mux.HandleFunc("GET "+order+"/wait", s.adminWait)
	mux.HandleFunc("POST "+order+"/pay", adminOrder(s, s.adminPay))
	mux.HandleFunc("POST "+order+"/fail", adminOrder(s, func(provider, order string, _ *http.Request) error { return s.Fail(provider, order) }))
	mux.HandleFunc("POST "+order+"/refund", adminOrder(s, func(provider, order string, _ *http.Request) error { return s.Refund(provider, order) }))
	mux.HandleFunc("POST "+order+"/clarify", adminOrder(s, func(provider, order string, _ *http.Request) error {
		return s.AskClarification(provider, order)
	}))
	mux.HandleFunc("POST /admin/{provider}/visit", s.adminVisit)
	mux.HandleFunc("POST "+order+"/release", adminOrder(s, func(provider, order string, _ *http.Request) error { return s.Release(provider, order) }))
	mux.HandleFunc("POST "+order+"/faults", adminOrder(s, func(provider, order string, r *http.Request) error {
		faults, err := decodeFaults(r)
		if err != nil {
			return err
		}
		return s.SetFaults(provider, order, faults...)
	}))
	mux.HandleFunc("POST /admin/{provider}/fund", s.adminFund)
	mux.HandleFunc("POST /admin/{provider}/faults", func(w http.ResponseWriter, r *http.Request) {
		faults, err := decodeFaults(r)
		if err == nil {
			err = s.SetDefaultFaults(r.PathValue("provider"), faults...)
		}
		writeJSON(w, faults, err)
	})
}

// adminOrder does something with an order and answers with its truth.
func adminOrder(s *Sandbox, do func(provider, order string, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		provider, order := r.PathValue("provider"), r.PathValue("order")
		if err := do(provider, order, r); err != nil {
			writeJSON(w, nil, err)
			return
		}
		o, err := s.Order(provider, order)
		writeJSON(w, o, err)
	}
}

func (s *Sandbox) adminPay(provider, order string, r *http.Request) error {
	amount, err := decodeAmount(r)
	if err != nil {
		return err
	}
	return s.Pay(provider, order, amount)
}

// adminFund answers with the account's money.
func (s *Sandbox) adminFund(w http.ResponseWriter, r *http.Request) {
	amount, err := decodeAmount(r)
	if err == nil {
		err = s.Fund(r.PathValue("provider"), amount)
	}
	if err != nil {
		writeJSON(w, nil, err)
		return
	}
	total, frozen := s.accounts[r.PathValue("provider")].Balance()
	writeJSON(w, map[string]string{"balance": strconv.FormatInt(total, 10), "frozen": strconv.FormatInt(frozen, 10)}, nil)
}

// decodeAmount reads an amount in minor units; 0 when none is given.
func decodeAmount(r *http.Request) (int64, error) {
	var body struct {
		Amount string `json:"amount"`
	}
	if err := decodeJSON(r, &body); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if body.Amount == "" {
		return 0, nil
	}
	amount, err := strconv.ParseInt(body.Amount, 10, 64)
	if err != nil || amount <= 0 {
		return 0, fmt.Errorf("%w: amount must be a whole number of minor units, as a string", ErrInvalid)
	}
	return amount, nil
}

// adminVisit answers with the page that the customer sees.
func (s *Sandbox) adminVisit(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Link string `json:"link"`
	}
	err := decodeJSON(r, &body)
	if err == nil {
		var page Reply
		if page, err = s.Visit(r.Context(), r.PathValue("provider"), body.Link); err == nil {
			writeJSON(w, map[string]any{"status": page.Status, "page": string(page.Body)}, nil)
			return
		}
	}
	writeJSON(w, nil, err)
}

// maxAdminWait bounds how long the admin API blocks.
const maxAdminWait = 5 * time.Minute

func (s *Sandbox) adminWait(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	conditions := map[string]func(int) Condition{
		"seen": Seen, "queried": Queried, "charged": ChargedTimes, "moved": Moved, "acknowledged": Acknowledged,
	}
	condition := conditions[q.Get("for")]
	n, timeout := 1, 30*time.Second
	var errN, errTimeout error
	if text := q.Get("n"); text != "" {
		n, errN = strconv.Atoi(text)
	}
	if text := q.Get("timeout"); text != "" {
		timeout, errTimeout = time.ParseDuration(text)
	}
	if condition == nil || errN != nil || errTimeout != nil || timeout > maxAdminWait {
		writeJSON(w, nil, fmt.Errorf("%w: for=seen|queried|charged|moved|acknowledged&n=1&timeout=30s", ErrInvalid))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	o, err := s.WaitFor(ctx, r.PathValue("provider"), r.PathValue("order"), condition(n))
	writeJSON(w, o, err)
}

// SetFaults replaces the faults of an order, those in its number too. The order need not exist yet.
func (s *Sandbox) SetFaults(provider, order string, faults ...Fault) error {
	if err := validateFaults(faults); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return s.withRecord(provider, order, func(r *record) { r.switches = newSwitches(faults) })
}

// SetDefaultFaults replaces the faults that orders of an account begin with, for orders that no request has
// named yet. Counts are for each order.
func (s *Sandbox) SetDefaultFaults(provider string, faults ...Fault) error {
	d, err := s.account(provider)
	if err != nil {
		return err
	}
	if err := validateFaults(faults); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.defaults = faults
	return nil
}

// Release lets the requests of an order go on that hang or hang-before holds, and holds none of them any
// more. It may be called before they arrive.
func (s *Sandbox) Release(provider, order string) error {
	return s.withRecord(provider, order, func(r *record) {
		if !r.released {
			r.released = true
			close(r.release)
		}
	})
}

func (s *Sandbox) withRecord(provider, order string, do func(*record)) error {
	d, err := s.account(provider)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	r, err := d.record(order)
	if err != nil {
		return err
	}
	do(r)
	return nil
}

func decodeFaults(r *http.Request) ([]Fault, error) {
	faults := []Fault{}
	return faults, decodeJSON(r, &faults)
}

func decodeJSON(r *http.Request, into any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// writeJSON answers with the value, or with the error and its status.
func writeJSON(w http.ResponseWriter, value any, err error) {
	status := http.StatusOK
	switch {
	case err == nil:
	case errors.Is(err, ErrUnknownAccount), errors.Is(err, ErrUnknownOrder):
		status = http.StatusNotFound
	case errors.Is(err, context.DeadlineExceeded):
		status = http.StatusGatewayTimeout
	case errors.Is(err, ErrFull), errors.Is(err, ErrClosed):
		status = http.StatusServiceUnavailable
	default:
		status = http.StatusBadRequest
	}
	if err != nil {
		value = map[string]string{"error": strings.TrimSpace(err.Error())}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the caller may be gone
}
