package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"time"
)

// Options of a sandbox.
type Options struct {
	Accounts []AccountConfig
	// Now is the clock. Required.
	Now func() time.Time
	// Wait blocks for a time or until ctx ends, and then returns its error. The default uses a timer;
	// a test may put its own here to see or to shorten the waits.
	Wait func(ctx context.Context, d time.Duration) error
	// MaxOrders bounds the orders of one account; the default is 1,000,000. Further orders get 503.
	MaxOrders int
	// MaxCallbacks bounds the callbacks on the wire at once; the default is 64.
	MaxCallbacks int
	// CallbackTimeout is how long the merchant may take to answer; the default is 10 s.
	CallbackTimeout time.Duration
}

// AccountConfig is one merchant account at a provider. Its base URL is http://host:port/<Name>.
type AccountConfig struct {
	// Name is [a-z0-9-]{1,32}, as payonce names its providers, and not "admin".
	Name     string
	Protocol Protocol
	// CallbackURL is used when a request names none.
	CallbackURL string
	// AutoPay lets the customer pay each deposit after MoveDelay. Otherwise a deposit waits for
	// [Sandbox.Pay].
	AutoPay bool
	// MoveDelay is how long after its acceptance a payout is paid, and how long after that a refund
	// comes.
	MoveDelay time.Duration
	// TellDelay is how long after its acceptance the merchant is notified by callback what the customer has
	// to do, where the provider reports it. Customers who pay by themselves wait for that, and then for
	// MoveDelay.
	TellDelay time.Duration
	// Hours of the provider; the zero Hours are always.
	Hours Hours
	// Balance at the start in minor units of the protocol's currency; 0 is 1,000,000,000,000. While it is
	// less than a payout, payouts are refused, see [Sandbox.Fund].
	Balance int64
	// Faults that every order of the account begins with; counts are for each order.
	Faults []Fault
	// Retry says how callbacks are repeated.
	Retry Retry
}

const (
	defaultMaxOrders       = 1_000_000
	defaultMaxCallbacks    = 64
	defaultCallbackTimeout = 10 * time.Second
	defaultBalance         = 1_000_000_000_000
	maxBody                = 64 << 10
)

// Errors of the Go and the admin API.
var (
	ErrUnknownAccount = errors.New("no such account")
	ErrUnknownOrder   = errors.New("the order was not accepted")
	ErrFull           = errors.New("the sandbox holds as many orders as it may")
	ErrClosed         = errors.New("the sandbox is closed")
	ErrInvalid        = errors.New("not acceptable")
)

// Sandbox is the simulator: an [http.Handler] with all accounts and the admin API, and the same in Go.
// All methods are safe for concurrent use.
type Sandbox struct {
	options  Options
	accounts map[string]*Account
	names    []string // in the order of configuration
	mux      *http.ServeMux

	client *http.Client
	slots  chan struct{} // one for each callback on the wire

	ctx    context.Context // ends at Close
	cancel context.CancelFunc
	mu     sync.Mutex // guards closed and the beginning of work in running
	closed bool
	// running counts handlers and goroutines, so that Close can wait for them.
	running sync.WaitGroup
}

var accountName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// New makes a sandbox. The caller serves it over HTTP and must Close it.
func New(o Options) (*Sandbox, error) {
	if o.Now == nil {
		return nil, errors.New("sandbox: Now is required")
	}
	if o.Wait == nil {
		o.Wait = waitTimer
	}
	if o.MaxOrders <= 0 {
		o.MaxOrders = defaultMaxOrders
	}
	if o.MaxCallbacks <= 0 {
		o.MaxCallbacks = defaultMaxCallbacks
	}
	if o.CallbackTimeout <= 0 {
		o.CallbackTimeout = defaultCallbackTimeout
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Sandbox{
		options: o, accounts: map[string]*Account{}, ctx: ctx, cancel: cancel,
		slots: make(chan struct{}, o.MaxCallbacks), client: callbackClient(o.CallbackTimeout),
	}
	for _, a := range o.Accounts {
		if err := s.open(a); err != nil {
			cancel()
			return nil, fmt.Errorf("sandbox: account %q: %w", a.Name, err)
		}
	}
	s.mux = s.routes()
	return s, nil
}

func (s *Sandbox) open(a AccountConfig) error {
	switch {
	case !accountName.MatchString(a.Name) || a.Name == "admin":
		return errors.New("the name must match [a-z0-9-]{1,32} and not be admin")
	case s.accounts[a.Name] != nil:
		return errors.New("the name occurs twice")
	case a.Protocol == nil:
		return errors.New("it needs a protocol")
	}
	if err := validateFaults(a.Faults); err != nil {
		return err
	}
	if err := a.Retry.validate(); err != nil {
		return err
	}
	if err := a.Hours.validate(); err != nil {
		return err
	}
	if a.Balance == 0 {
		a.Balance = defaultBalance
	}
	s.accounts[a.Name] = newAccount(s, a)
	s.names = append(s.names, a.Name)
	return nil
}

// routes puts the accounts beside the admin API.
func (s *Sandbox) routes() *http.ServeMux {
	mux := http.NewServeMux()
	s.adminRoutes(mux)
	mux.HandleFunc("/{account}/{path...}", func(w http.ResponseWriter, r *http.Request) {
		account := s.accounts[r.PathValue("account")]
		if account == nil {
			http.Error(w, ErrUnknownAccount.Error(), http.StatusNotFound)
			return
		}
		http.StripPrefix("/"+account.config.Name, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			account.config.Protocol.Serve(account, w, r)
		})).ServeHTTP(w, r)
	})
	return mux
}

// ServeHTTP serves the accounts and the admin API. Bodies of more than 64 KiB fail to read.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.begin() {
		http.Error(w, ErrClosed.Error(), http.StatusServiceUnavailable)
		return
	}
	defer s.running.Done()
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s.mux.ServeHTTP(w, r)
}

// begin counts work that Close waits for; false after Close.
func (s *Sandbox) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Add(1)
	return true
}

// after runs work later, unless the sandbox closes first.
func (s *Sandbox) after(delay time.Duration, work func()) {
	if !s.begin() {
		return
	}
	go func() {
		defer s.running.Done()
		if s.options.Wait(s.ctx, delay) == nil {
			work()
		}
	}()
}

// Close ends held requests, waits and callbacks, and returns when all of them have ended. The truth can
// still be read.
func (s *Sandbox) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
	s.client.CloseIdleConnections()
}

func waitTimer(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// account finds an account by name.
func (s *Sandbox) account(provider string) (*Account, error) {
	if d := s.accounts[provider]; d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrUnknownAccount, provider)
}
