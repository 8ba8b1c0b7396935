package ingress

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/propagation"
)

// request is what is known about a request besides its bytes.
type request struct {
	id     string
	route  string          // pattern of the endpoint
	key    *holder         // who asks, under /v1
	traced context.Context // with its span, once it has one

	hookBody []byte // of a webhook
	hookRead bool   // hookBody was read

	leavePlace, leaveKey func() // give back the place among the requests that are worked on, and that of the key
}

// leave gives all places back; it may be called again.
func (k *request) leave() {
	for _, leave := range []func(){k.leavePlace, k.leaveKey} {
		if leave != nil {
			leave()
		}
	}
}

type requestKey struct{}

// within returns the context that names the request's span, if it has one.
func (k *request) within(r *http.Request) context.Context {
	if k.traced != nil {
		return k.traced
	}
	return r.Context()
}

// requestOf returns what ServeHTTP put into the context.
func requestOf(r *http.Request) *request {
	known, _ := r.Context().Value(requestKey{}).(*request)
	return known
}

// ServeHTTP answers one request, whatever it is, and writes one line about it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := s.now()
	known := &request{id: s.newID(), route: "none"}
	r = r.WithContext(context.WithValue(r.Context(), requestKey{}, known))
	answer := &answerWriter{ResponseWriter: w}
	secure(answer.Header(), r)
	answer.Header().Set("X-Request-Id", known.id)
	defer func() {
		s.recovered(answer, r, recover())
		s.access(r, known, answer.status, s.now().Sub(began))
	}()
	s.route(answer, r)
}

// secure sets what every answer says to browsers and caches, although no browser should ever ask.
func secure(header http.Header, r *http.Request) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	header.Set("Referrer-Policy", "no-referrer")
	if r.TLS != nil {
		header.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// answerWriter remembers the status that was sent; 0 for none.
type answerWriter struct {
	http.ResponseWriter
	status int
}

func (a *answerWriter) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answerWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// recovered answers a request whose endpoint panicked. The value of a panic can hold anything, so only
// the runtime's own errors are logged with their text.
func (s *Server) recovered(w *answerWriter, r *http.Request, value any) {
	if value == nil {
		return
	}
	text := fmt.Sprintf("%T", value)
	if err, ok := value.(runtime.Error); ok {
		text = err.Error()
	}
	s.logger.ErrorContext(requestOf(r).within(r), "panic", "panic", text, "request_id", requestOf(r).id, "stack", string(debug.Stack()))
	if w.status == 0 {
		writeProblem(w, r, newProblem(kindInternal, "Internal error. A command may have been accepted: send the same request again."))
	}
}

// access writes the line about a request: nothing that the client chose, except a known method.
func (s *Server) access(r *http.Request, known *request, status int, took time.Duration) {
	method := r.Method
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		method = "other"
	}
	level := slog.LevelInfo
	if known.route == "GET /healthz" || known.route == "GET /readyz" {
		level = slog.LevelDebug
	}
	key := ""
	if known.key != nil {
		key = known.key.Name
	}
	s.logger.Log(known.within(r), level, "request", "method", method, "route", known.route, "status", status,
		"duration", took, "request_id", known.id, "key", key)
}

// authorized lets only requests with an API key through, as many as the key may send, and lets those continue the caller's
// trace. No other caller continues a trace of ours.
func (s *Server) authorized(cost int, serve endpoint) endpoint {
	return func(w http.ResponseWriter, r *http.Request) *problem {
		if s.certificates && (r.TLS == nil || len(r.TLS.VerifiedChains) == 0) {
			return traced(r.Context(), w, r, refuse(newProblem(kindCertificate, "A client certificate is required.")))
		}
		key := s.keys.Load().find(r.Header)
		if key == nil {
			w.Header().Set("WWW-Authenticate", `Bearer realm="payonce"`)
			return traced(r.Context(), w, r, refuse(newProblem(kindUnauthorized, withoutKey(r.Header))))
		}
		requestOf(r).key = key
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		defer requestOf(r).leave()
		refused := s.admit(r, key, cost)
		if refused == nil && r.Method != http.MethodPost { // which takes its place once its body was read
			refused = s.enter(r, s.api)
		}
		if refused != nil {
			s.counters.limit(r.Context(), key.Name, refused.kind())
			return traced(ctx, w, r, refuse(refused))
		}
		return traced(ctx, w, r, serve)
	}
}

// withoutKey says why a request has no known API key.
func withoutKey(header http.Header) string {
	if bearer(header) == "" {
		return "An API key is required: send it as Authorization: Bearer."
	}
	return "The API key is not known."
}

func refuse(why *problem) endpoint {
	return func(http.ResponseWriter, *http.Request) *problem { return why }
}

// failed turns an error of a port into a problem and logs it with the names of the payment.
func (s *Server) failed(r *http.Request, err error, detail string, names ...any) *problem {
	if r.Context().Err() != nil {
		return newProblem(kindGone, "")
	}
	known := requestOf(r)
	s.logger.ErrorContext(r.Context(), "request failed",
		append([]any{"route", known.route, "request_id", known.id, "error", err}, names...)...)
	return newProblem(kindUnavailable, detail)
}
