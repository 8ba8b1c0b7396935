package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// load sends orders at a steady rate, each until it is accepted.
type load struct {
	system   *system
	client   *http.Client
	sent     atomic.Int64
	accepted atomic.Int64

	mu       sync.Mutex
	problems []Finding // answers that must not come
}

func newLoad(s *system) *load {
	return &load{system: s, client: &http.Client{
		Timeout:   15 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, MaxConnsPerHost: 256},
	}}
}

// run sends the orders over the given time and returns when all are accepted or ctx ends.
func (l *load) run(ctx context.Context, orders []*Order, over time.Duration) {
	var sending sync.WaitGroup
	defer sending.Wait()
	ticker := time.NewTicker(max(over/time.Duration(len(orders)), time.Microsecond))
	defer ticker.Stop()
	for _, o := range orders {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		sending.Go(func() { l.send(ctx, o) })
	}
}

// send repeats an order until it is accepted.
func (l *load) send(ctx context.Context, o *Order) {
	l.sent.Add(1)
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		accepted, refused := l.sendOnce(ctx, o)
		if accepted {
			o.Accepted = true // read after the load has ended
			l.accepted.Add(1)
		}
		if refused != nil {
			l.problem(o.Ref, "it was refused: %v", refused)
		}
		if accepted || refused != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// problem keeps an answer that must not come.
func (l *load) problem(ref payment.Ref, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problems = append(l.problems, Finding{ref, fmt.Sprintf(format, args...)})
}

// sendOnce returns whether the order was accepted; an error says that it never will be.
func (l *load) sendOnce(ctx context.Context, o *Order) (accepted bool, refused error) {
	switch o.Way {
	case ByNATS:
		return l.publish(ctx, events.CommandSubject(o.Operation, o.Ref), o.Command), nil
	case ByShort:
		return l.publish(ctx, events.ShortSubject(o.Operation), o.Command), nil
	}
	status, body, err := l.post(ctx, "/v1/"+string(o.Operation)+"s", o.Command)
	switch {
	case err != nil || mayComeAgain(status):
		return false, nil
	case status == http.StatusAccepted:
		return true, nil
	}
	return false, fmt.Errorf("status %d: %s", status, body)
}

// publish puts a command on a subject, as `nats pub --jetstream` does. The acknowledgement is what
// "accepted" means. A repetition has no id, so that the broker keeps it twice.
func (l *load) publish(ctx context.Context, subject, text string) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	_, err := l.system.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: []byte(text)})
	return err == nil
}

func (l *load) post(ctx context.Context, path, text string) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.system.ingressAt+path, strings.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	request.Header = http.Header{"Authorization": {"Bearer " + l.system.APIKey}, "Content-Type": {"application/json"}}
	reply, err := l.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	body, err = io.ReadAll(io.LimitReader(reply.Body, 1<<16))
	return reply.StatusCode, body, errors.Join(err, reply.Body.Close())
}
