package ingress

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// Server answers HTTP requests. It is an http.Handler, safe for concurrent use.
type Server struct {
	registry  *connectors.Registry
	commands  Commands
	sink      WebhookSink
	log       Log
	actions   Actions
	search    Search
	keys      atomic.Pointer[keyring]
	clients   clients
	limits    Limits
	prefixes  payment.OrderPrefixes
	onNATS    []string
	opening   func(provider string, op payment.Operation) Opening
	retention time.Duration
	now       func() time.Time
	newID     func() string
	logger    *slog.Logger
	ready     func(context.Context) error
	counters  counters
	refused   *refusedKeeper
	status    Status

	certificates bool                     // /v1 needs one of the client
	api, hooks   chan struct{}            // one value for each request that is worked on, under /v1 and of providers
	ofProvider   map[string]chan struct{} // of these, those of each provider
	apiBodies    *bodies                  // that are being read, under /v1
	hookBodies   *bodies                  // and of providers
	mux          *http.ServeMux
	waiting      chan struct{} // one value for each request that waits
	stopping     chan struct{} // closed when no request may wait any more
	stop         func()
}

// New returns a Server, or all problems of its options at once.
func New(o Options) (*Server, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("ingress options: %w", err)
	}
	counters, err := newCounters()
	if err != nil {
		return nil, fmt.Errorf("ingress: %w", err)
	}
	limits := o.Limits
	s := &Server{
		registry: o.Registry, commands: o.Commands, sink: o.Webhooks, log: o.Log, actions: o.Actions, search: o.Search,
		clients:  clients{sources: o.WebhookSources, proxies: o.TrustedProxies, header: o.ProxyHeader},
		prefixes: o.OrderPrefixes, onNATS: o.NATSUpstreams, opening: o.Opening,
		limits: limits, retention: o.Retention, now: o.Now, newID: o.NewID, logger: o.Logger, ready: o.Ready, counters: counters,
		mux: http.NewServeMux(), waiting: make(chan struct{}, limits.MaxWaiting), stopping: make(chan struct{}),
		certificates: o.ClientCertificates, api: make(chan struct{}, limits.MaxRequests), hooks: make(chan struct{}, limits.MaxRequests),
		ofProvider: map[string]chan struct{}{}, apiBodies: newBodies(limits.BodyBytes), hookBodies: newBodies(limits.BodyBytes),
	}
	for _, name := range o.Registry.Names() {
		s.ofProvider[name] = make(chan struct{}, limits.MaxRequestsPerProvider)
	}
	s.status = o.Status
	s.refused = newRefusedKeeper(o, counters, limits.BackendTimeout)
	s.keys.Store(newKeyring(o.Keys, limits, nil))
	s.stop = sync.OnceFunc(func() { close(s.stopping) })
	s.routes()
	return s, nil
}

// ReplaceKeys lets requests from now on in with these keys only. After an error, which names all problems,
// the keys stay as they are.
func (s *Server) ReplaceKeys(keys []APIKey) error {
	if err := validateKeys(keys, s.registry); err != nil {
		return fmt.Errorf("ingress keys: %w", err)
	}
	s.keys.Store(newKeyring(keys, s.limits, s.keys.Load()))
	return nil
}

// StopWaiting answers all requests that wait (Prefer: wait) with what there is now, and lets no further
// one wait. It may be called more than once.
func (s *Server) StopWaiting() { s.stop() }

// endpoint answers a request, or returns why it does not.
type endpoint func(w http.ResponseWriter, r *http.Request) *problem

func (s *Server) routes() {
	handle := func(pattern string, serve endpoint) {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			requestOf(r).route = pattern
			if refused := serve(w, r); refused != nil {
				writeProblem(w, r, refused)
			}
		})
	}
	handle("POST /v1/deposits", s.authorized(costPlain, s.deposit))
	handle("POST /v1/payouts", s.authorized(costPlain, s.payout))
	handle("GET /v1/payments", s.authorized(costSearch, s.payments))
	handle("GET /v1/payments/{provider}/{order}", s.authorized(costPlain, s.payment))
	handle("GET /v1/payments/{provider}/{order}/events", s.authorized(costTimeline, s.timeline))
	handle("POST /v1/payments/{provider}/{order}/clarification", s.authorized(costPlain, s.clarify))
	handle("GET /v1/status", s.authorized(costStatus, s.showStatus))
	handle("GET /v1/providers", s.authorized(costPlain, s.providers))
	handle("GET /v1/providers/{provider}", s.authorized(costBanks, s.oneProvider))
	handle("GET /v1/providers/{provider}/banks", s.authorized(costBanks, s.banks))
	handle("GET /v1/providers/{provider}/balance", s.authorized(costBalance, s.balance))
	handle("POST /webhooks/{provider}", func(w http.ResponseWriter, r *http.Request) *problem { return traced(r.Context(), w, r, s.webhook) })
	handle("GET /healthz", s.healthz)
	handle("GET /readyz", s.readyz)
}

// route gives the request to its endpoint. What ServeMux would answer itself, in plain text or with a
// redirect that turns a POST into a GET, becomes a problem.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	handler, pattern := s.mux.Handler(r)
	switch {
	case r.URL.Path != path.Clean(r.URL.Path):
		writeProblem(w, r, newProblem(kindNotFound, "Unknown path."))
	case pattern != "":
		s.mux.ServeHTTP(w, r)
	default:
		refusal := &probe{header: http.Header{}}
		handler.ServeHTTP(refusal, r)
		if refusal.status == http.StatusMethodNotAllowed {
			w.Header()["Allow"] = refusal.header["Allow"]
			writeProblem(w, r, newProblem(kindMethod, "See the Allow header for the methods of this path."))
			return
		}
		writeProblem(w, r, newProblem(kindNotFound, "Unknown path."))
	}
}

// probe takes an answer that no client sees.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header            { return p.header }
func (p *probe) Write(data []byte) (int, error) { return len(data), nil }
func (p *probe) WriteHeader(status int)         { p.status = status }

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) *problem {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) *problem {
	ctx, cancel := context.WithTimeout(r.Context(), s.limits.BackendTimeout)
	defer cancel()
	if err := s.ready(ctx); err != nil {
		return newProblem(kindNotReady, err.Error())
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
	return nil
}
