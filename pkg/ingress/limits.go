package ingress

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// MaxWebhookBytes is the largest body of a webhook. Those of the providers have some kilobytes. A command may have
// events.MaxCommandBytes.
const MaxWebhookBytes = 64 << 10

// MinBodyBytes is the least that [Limits] may give to bodies: one of the largest, and room to see its end.
const MinBodyBytes = MaxWebhookBytes + 1

// Limits bound what one request may cost.
type Limits struct {
	// HeaderBytes bounds the request line and the headers.
	HeaderBytes int
	// ReadHeaderTimeout and ReadTimeout bound how long a client may take to send the headers and the
	// whole request; IdleTimeout how long a connection may stay unused.
	ReadHeaderTimeout, ReadTimeout, IdleTimeout time.Duration
	// WriteTimeout is how long, from the end of its headers, a request may take. A request that waits
	// (Prefer: wait) gets its waiting time on top.
	WriteTimeout time.Duration
	// BackendTimeout bounds what queue and log together may take for one request.
	BackendTimeout time.Duration
	// MaxWait is the longest time that Prefer: wait is given.
	MaxWait time.Duration
	// MaxWaiting is how many requests may wait at the same time, and MaxWaitingPerKey how many of one API key; further
	// ones are answered at once.
	MaxWaiting, MaxWaitingPerKey int
	// MaxRequests is how many requests under /v1 are worked on at the same time, and how many webhooks
	// besides; further ones are refused with 503. Requests that wait are not counted here. With the
	// largest bodies it bounds the memory that requests can hold.
	MaxRequests int
	// MaxRequestsPerKey is how many requests of one API key are under way, the reading of their bodies included;
	// further ones are refused with 429. MaxRequestsPerProvider is how many webhooks of one provider are worked on.
	MaxRequestsPerKey, MaxRequestsPerProvider int
	// RequestsPerSecond is what each API key may send, on average, and Burst how many of them at once,
	// unless the key has its own. Further requests are refused with 429. A request that asks a provider or reads a
	// whole history counts as several.
	RequestsPerSecond, Burst int
	// BytesPerSecond and BytesBurst are the same for the bytes of bodies.
	BytesPerSecond, BytesBurst int
	// BodyBytes bounds the memory of bodies that are being read, under /v1 and of webhooks each. Of it
	// BodyBytesPerSource can be one source's, an API key or, for webhooks, an address, and BodyBytesPerProvider those
	// of webhooks of one provider. Further bodies are refused with 503.
	BodyBytes, BodyBytesPerSource, BodyBytesPerProvider int
}

// Validate reports every limit that is not more than 0, and timeouts that contradict each other.
func (l Limits) Validate() error {
	var problems []error
	positive := func(name string, ok bool) {
		if !ok {
			problems = append(problems, fmt.Errorf("%s must be positive", name))
		}
	}
	positive("HeaderBytes", l.HeaderBytes > 0)
	positive("ReadHeaderTimeout", l.ReadHeaderTimeout > 0)
	positive("ReadTimeout", l.ReadTimeout > 0)
	positive("WriteTimeout", l.WriteTimeout > 0)
	positive("IdleTimeout", l.IdleTimeout > 0)
	positive("BackendTimeout", l.BackendTimeout > 0)
	positive("MaxWait", l.MaxWait > 0)
	positive("MaxWaiting", l.MaxWaiting > 0)
	positive("MaxRequests", l.MaxRequests > 0)
	positive("RequestsPerSecond", l.RequestsPerSecond > 0)
	positive("Burst", l.Burst > 0)
	positive("MaxWaitingPerKey", l.MaxWaitingPerKey > 0)
	positive("MaxRequestsPerKey", l.MaxRequestsPerKey > 0)
	positive("MaxRequestsPerProvider", l.MaxRequestsPerProvider > 0)
	positive("BytesPerSecond", l.BytesPerSecond > 0)
	largest := func(name string, bytes int) {
		if bytes < MinBodyBytes {
			problems = append(problems, fmt.Errorf("%s must be at least %d, for one body of the largest size", name, MinBodyBytes))
		}
	}
	largest("BytesBurst", l.BytesBurst)
	largest("BodyBytes", l.BodyBytes)
	largest("BodyBytesPerSource", l.BodyBytesPerSource)
	largest("BodyBytesPerProvider", l.BodyBytesPerProvider)
	if l.ReadTimeout+l.BackendTimeout >= l.WriteTimeout {
		problems = append(problems, errors.New("WriteTimeout must be more than ReadTimeout and BackendTimeout together, or answers are cut off"))
	}
	return errors.Join(problems...)
}

// NewHTTPServer returns an HTTP server with the limits set. When the
// handler is a [*Server], shutting the HTTP server down also ends the waiting of its requests.
func NewHTTPServer(handler http.Handler, limits Limits) *http.Server {
	server := &http.Server{
		Handler: handler, MaxHeaderBytes: limits.HeaderBytes,
		ReadHeaderTimeout: limits.ReadHeaderTimeout, ReadTimeout: limits.ReadTimeout,
		WriteTimeout: limits.WriteTimeout, IdleTimeout: limits.IdleTimeout,
	}
	if s, ok := handler.(*Server); ok {
		server.RegisterOnShutdown(s.StopWaiting)
	}
	return server
}
