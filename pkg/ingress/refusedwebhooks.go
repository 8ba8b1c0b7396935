package ingress

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// RefusedWebhooks keeps webhooks that were refused for people to look at. It is safe for concurrent use.
type RefusedWebhooks interface {
	// PublishRefusedWebhook tries once to store a refused webhook.
	PublishRefusedWebhook(ctx context.Context, webhook events.Outgoing) error
}

const (
	// refusedEvery is how often a refused webhook is kept of each bucket of addresses of a provider, after the first
	// events.RefusedPerBucket: a sender of thousands a second costs no more than that.
	refusedEvery = time.Minute
	// maxRefusedWaiting bounds those that wait to be stored, in number and so in memory.
	maxRefusedWaiting = 32
)

// neverKept are the refusals of which nothing is kept: there is nothing to learn from the bytes, or the provider sends them again.
var neverKept = map[string]bool{
	RefusedOverloaded: true, RefusedBusyAddress: true, RefusedBusyProvider: true, RefusedIncomplete: true, RefusedNotStored: true,
}

// refusedCall is a refused webhook as it was received.
type refusedCall struct {
	events.RefusedWebhook
	header http.Header
	body   []byte
	read   bool // the body was
	bucket int
}

// refusedKeeper keeps some of the refused webhooks, masked. No request waits for it: any excess is left out and counted.
type refusedKeeper struct {
	store    RefusedWebhooks // nil keeps none
	timeout  time.Duration
	newID    func() string
	counters counters
	logger   *slog.Logger
	seed     maphash.Seed
	rates    map[string]*[events.RefusedBuckets]*rate.Limiter // by provider, never changed

	mu      sync.Mutex
	waiting []refusedCall
	storing bool
}

func newRefusedKeeper(o Options, counters counters, timeout time.Duration) *refusedKeeper {
	k := &refusedKeeper{
		store: o.RefusedWebhooks, timeout: timeout, newID: o.NewID, counters: counters, logger: o.Logger, seed: maphash.MakeSeed(),
		rates: map[string]*[events.RefusedBuckets]*rate.Limiter{},
	}
	for _, provider := range append(o.Registry.Names(), events.NoProvider) {
		buckets := new([events.RefusedBuckets]*rate.Limiter)
		for i := range buckets {
			buckets[i] = rate.NewLimiter(rate.Every(refusedEvery), events.RefusedPerBucket)
		}
		k.rates[provider] = buckets
	}
	return k
}

// keepRefused lets a refused webhook be kept, if few were before it. It does not wait.
func (s *Server) keepRefused(r *http.Request, provider, refusal string, refused *problem) {
	k, now := s.refused, s.now().UTC()
	if k.store == nil || neverKept[refusal] {
		return
	}
	address, known := s.clients.address(r) // all whose address is not known are one
	bucket := int(maphash.Comparable(k.seed, neighbours(address)) % events.RefusedBuckets)
	if !k.rates[provider][bucket].AllowN(now, 1) {
		k.counters.keptRefused(provider, KeptTooMany)
		return
	}
	call := refusedCall{
		RefusedWebhook: events.RefusedWebhook{
			Provider: provider, Refusal: refusal, Reason: refused.reason, RequestID: requestOf(r).id, ReceivedAt: now,
		},
		header: r.Header.Clone(), bucket: bucket,
	}
	call.body, call.read = requestOf(r).hookBody, requestOf(r).hookRead
	if known {
		call.Address = address.String()
	}
	if path := r.PathValue("provider"); path != provider && payment.ValidProvider(path) {
		call.Path = path
	}
	k.add(call)
}

// add lets a webhook wait to be stored, and starts the goroutine that stores them if none runs.
func (k *refusedKeeper) add(call refusedCall) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.waiting) == maxRefusedWaiting {
		k.counters.keptRefused(call.Provider, KeptTooMany)
		return
	}
	k.waiting = append(k.waiting, call)
	if !k.storing {
		k.storing = true
		go k.run()
	}
}

// run stores what waits, and ends when nothing does.
func (k *refusedKeeper) run() {
	for {
		k.mu.Lock()
		if len(k.waiting) == 0 {
			k.storing, k.waiting = false, nil
			k.mu.Unlock()
			return
		}
		call := k.waiting[0]
		k.waiting[0] = refusedCall{} // its bytes are free once it is stored
		k.waiting = k.waiting[1:]
		k.mu.Unlock()
		k.keep(call)
	}
}

func (k *refusedKeeper) keep(call refusedCall) {
	outcome := KeptStored
	defer func() {
		if value := recover(); value != nil { // on the bytes of an outsider the program must not end
			outcome = KeptFailed
			k.logger.Error("panic", "panic", fmt.Sprintf("%T", value), "request_id", call.RequestID, "stack", string(debug.Stack()))
		}
		k.counters.keptRefused(call.Provider, outcome)
	}()
	message, err := events.EncodeRefusedWebhook(call.masked(), call.bucket, k.newID())
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), k.timeout)
		defer cancel()
		err = k.store.PublishRefusedWebhook(ctx, message)
	}
	if err != nil {
		outcome = KeptFailed
		k.logger.Warn("cannot store a refused webhook", "provider", call.Provider, "request_id", call.RequestID, "error", err)
	}
}
