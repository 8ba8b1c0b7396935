package campaign

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"payonce/pkg/events/jetstream"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// A server that does not answer for a moment, when the faults are over, is asked again: the audit does not fail for
// that.
func TestTheAuditAsksAgain(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	url := natstest.Start(t).URL()
	log := testenv.Connect(t, jetstream.Options{URLs: []string{url}})
	testenv.Must(t, log.EnsureStreams(ctx))
	js := natstest.JetStream(t, url)
	var asked atomic.Int64
	statement := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1)%2 == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{"Accounts":[]}`)
	}))
	t.Cleanup(statement.Close)

	c := &run{Options: Options{DrainFor: time.Hour, Out: io.Discard}, board: newBoard(), actions: newActions(), strike: &striker{}}
	c.system = &system{js: js, System: &testenv.System{Log: log}}
	c.board.changed = time.Now().Add(-quietWhenEnded - time.Second)
	all := &actors{run: c, foreignOrders: &foreignOrders{}, forgedWebhooks: newForgedWebhooks(c.system, 1, nil)}
	if err := c.drain(ctx, newProvider(statement.URL), nil, all); err != nil || asked.Load() != 2 {
		t.Fatalf("drained after %d questions: %v", asked.Load(), err)
	}
	e, err := c.collect(ctx, newProvider(statement.URL), nil, all)
	if err != nil || e.Log == nil || e.Queued == nil || e.At.IsZero() || asked.Load() != 4 {
		t.Errorf("collected after %d questions: %v, %+v", asked.Load(), err, e)
	}
	ended, end := context.WithCancel(ctx)
	end()
	if _, err := c.collect(ended, newProvider(statement.URL), nil, all); err == nil {
		t.Error("nothing was collected, and nobody is told")
	}
}
