package console

import (
	"io"
	"net/http"
	"sync"
	"time"

	"payonce/pkg/payment"
)

const (
	// liveEvery is how often a page is told at most that something changed.
	liveEvery = time.Second
	// liveAnyway is after which time it is told although no payment changed: what processes say of themselves is in no event.
	liveAnyway = 15 * time.Second
	// liveFor bounds a stream, so that who signed out or lost a role is asked again who they are.
	liveFor = 5 * time.Minute
	// liveMost is how many pages are live.
	liveMost = 500
	// liveWrite bounds how long a browser may take that reads nothing.
	liveWrite = 10 * time.Second
)

// changes tells all pages that something changed.
type changes struct {
	stop chan struct{} // closed by close
	done chan struct{}

	mu    sync.Mutex
	pages map[chan struct{}]struct{}
}

// follow begins to follow the changes of all payments, until close.
func follow(from Changes) *changes {
	c := &changes{stop: make(chan struct{}), done: make(chan struct{}), pages: map[chan struct{}]struct{}{}}
	changed, end := from.Watch(payment.Ref{})
	go func() {
		defer close(c.done)
		defer end()
		c.run(changed)
	}()
	return c
}

func (c *changes) close() {
	close(c.stop)
	<-c.done
}

func (c *changes) run(changed <-chan struct{}) {
	anyway := time.NewTicker(liveAnyway)
	defer anyway.Stop()
	for again := false; ; {
		if again { // once more after a change: the archive may have it only now
			select {
			case <-changed:
			default:
				again = false
			}
		} else {
			select {
			case <-c.stop:
				return
			case <-changed:
				again = true
			case <-anyway.C:
			}
		}
		c.tell()
		select {
		case <-c.stop:
			return
		case <-time.After(liveEvery):
		}
	}
}

func (c *changes) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for page := range c.pages {
		select {
		case page <- struct{}{}:
		default: // it has yet to look after the change before
		}
	}
}

// join returns a channel that receives after changes. ok is false where too many pages are live.
func (c *changes) join() (page chan struct{}, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pages) >= liveMost {
		return nil, false
	}
	page = make(chan struct{}, 1)
	page <- struct{}{} // something may have changed since the page was made
	c.pages[page] = struct{}{}
	return page, true
}

func (c *changes) leave(page chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pages, page)
}

// live sends an event whenever something changed. It says nothing of what: the page is fetched again.
func (c *Console) live(w http.ResponseWriter, r *http.Request) {
	changed, ok := c.changes.join()
	if !ok {
		http.Error(w, "too many pages are live", http.StatusServiceUnavailable)
		return
	}
	defer c.changes.leave(changed)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // of nginx
	stream, end := http.NewResponseController(w), time.NewTimer(liveFor)
	defer end.Stop()
	for text := "retry: 1000\n\n"; ; text = "data: changed\n\n" {
		_ = stream.SetWriteDeadline(time.Now().Add(liveWrite)) // where it cannot be set the server's own holds
		if _, err := io.WriteString(w, text); err != nil {
			return
		}
		if err := stream.Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-c.changes.stop:
			return
		case <-end.C:
			return
		case <-changed:
		}
	}
}
