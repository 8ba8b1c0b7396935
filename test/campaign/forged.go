package campaign

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Forgery is a webhook that no provider signed, and how the ingress answered it.
type Forgery struct {
	Ref    payment.Ref
	Status int
}

// forgedWebhooks has read genuine webhooks and sends them for other orders, with the signature of the first one.
type forgedWebhooks struct {
	system *system
	client *http.Client
	orders map[string][]payment.Ref // by provider
	random *rand.Rand

	mu     sync.Mutex
	forged []Forgery
}

func newForgedWebhooks(s *system, seed uint64, orders []*Order) *forgedWebhooks {
	f := &forgedWebhooks{
		system: s, client: &http.Client{Timeout: 5 * time.Second}, orders: map[string][]payment.Ref{},
		random: rand.New(rand.NewPCG(seed, 3)),
	}
	for _, o := range orders {
		f.orders[o.Ref.Provider] = append(f.orders[o.Ref.Provider], o.Ref)
	}
	return f
}

// run forges until ctx ends.
func (f *forgedWebhooks) run(ctx context.Context) {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		call, err := f.genuine(ctx)
		if err != nil {
			continue // nothing came yet, or no server answers
		}
		victims := f.orders[call.Provider]
		victim := victims[f.random.IntN(len(victims))]
		body := bytes.ReplaceAll(call.Body, []byte(`"`+call.Order+`"`), []byte(`"`+victim.Order+`"`))
		if bytes.Equal(body, call.Body) {
			continue
		}
		if status, err := f.send(ctx, victim, call.Header, body); err == nil && !mayComeAgain(status) {
			f.mu.Lock()
			f.forged = append(f.forged, Forgery{victim, status})
			f.mu.Unlock()
		}
	}
}

// genuine returns one of the webhooks that came in.
func (f *forgedWebhooks) genuine(ctx context.Context) (events.Webhook, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	stream, err := f.system.js.Stream(ctx, events.StreamWebhooks)
	if err != nil {
		return events.Webhook{}, err
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return events.Webhook{}, njs.ErrMsgNotFound
	}
	raw, err := stream.GetMsg(ctx, state.FirstSeq+f.random.Uint64N(state.LastSeq-state.FirstSeq+1))
	if err != nil {
		return events.Webhook{}, err
	}
	call, err := events.DecodeWebhook(events.Message{Subject: raw.Subject, Header: events.Header(raw.Header), Data: raw.Data, Sequence: raw.Sequence, StoredAt: raw.Time})
	if err == nil && len(f.orders[call.Provider]) == 0 {
		err = errors.New("nobody ordered there")
	}
	return call, err
}

func (f *forgedWebhooks) send(ctx context.Context, victim payment.Ref, header http.Header, body []byte) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.system.ingressAt+"/webhooks/"+victim.Provider, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header = header.Clone()
	request.Header.Del("Content-Length")
	reply, err := f.client.Do(request)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(reply.Body, 1<<16))
	return reply.StatusCode, errors.Join(err, reply.Body.Close())
}

// all returns what was forged so far.
func (f *forgedWebhooks) all() []Forgery {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Forgery{}, f.forged...)
}
