package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"payonce/pkg/events/jetstream/internal/broker"

	"github.com/nats-io/nats.go"
)

// How long the server keeps a pull request, and how often it shows that it still does.
const (
	pullExpires   = 30 * time.Second
	pullHeartbeat = 5 * time.Second
)

// subscription pulls messages for a consumer. It implements the pull protocol (ADR-13 of NATS) itself, with
// one request at a time, because the client library's ways do not fit: Consume and Messages fetch
// messages ahead, which then grow old in the client while others could work on them; Fetch
// forgets messages that are on their way when its context ends.
type subscription struct {
	consumer *consumer
	sub      *nats.Subscription
	messages chan *nats.Msg
	inbox    string
	pulls    int
	received bool // whether a message came
	stall    *time.Timer
	waiting  bool // whether messages waited at the last look for a stall, and none came since

	reconnected <-chan struct{}
	unfit       <-chan struct{} // closed when this process must take no more messages
}

// subscribe makes sure that the durable consumer exists and subscribes to what it will deliver here.
func (s *consumer) subscribe(ctx context.Context) (*subscription, error) {
	reconnected := s.conn.broker.Reconnected.Wait()
	if err := s.ensure(ctx); err != nil {
		return nil, err
	}
	sub := &subscription{
		consumer: s, inbox: s.conn.broker.NATS.NewInbox(), reconnected: reconnected,
		// A pull never asks for more than the slots; the rest is room for status messages.
		messages: make(chan *nats.Msg, cap(s.slots)+64),
	}
	var err error
	if sub.sub, err = s.conn.broker.NATS.ChanSubscribe(sub.inbox+".*", sub.messages); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	return sub, nil
}

// run pulls until ctx ends or something breaks. A pull asks for as many messages as there are free
// slots. It ends when all have come, so there is room for a message as long as a pull is open.
func (s *subscription) run(ctx context.Context) error {
	s.stall = time.NewTimer(s.consumer.conn.cfg.StallAfter)
	defer s.stall.Stop()
	for {
		if err := s.consumer.conn.past.wait(ctx); err != nil {
			return err
		}
		n, err := s.consumer.acquire(ctx)
		if err != nil {
			return err
		}
		if s.unfit = s.consumer.conn.fit.changed.Wait(); s.consumer.conn.fit.check() != nil {
			s.consumer.release(n)
			return errUnfit
		}
		left, err := s.pull(ctx, n)
		s.consumer.release(left)
		if err != nil {
			return err
		}
		if left == 0 {
			s.flows()
		}
	}
}

// pull asks for n messages, hands them to the handler as they come and returns how many did not come.
func (s *subscription) pull(ctx context.Context, n int) (left int, err error) {
	s.pulls++
	reply := fmt.Sprintf("%s.%d", s.inbox, s.pulls)
	if err := s.request(reply, n); err != nil {
		return n, err
	}
	silence := time.NewTimer(2 * pullHeartbeat)
	defer silence.Stop()
	for left = n; left > 0; {
		select {
		case <-ctx.Done():
			return left, context.Cause(ctx)
		case <-s.reconnected:
			return left, errors.New("the connection was lost")
		case <-s.unfit:
			return left, errUnfit
		case <-silence.C:
			return left, errors.New("the server is silent")
		case <-s.stall.C:
			if err := s.checkStall(ctx); err != nil {
				return left, err
			}
		case m := <-s.messages:
			silence.Reset(2 * pullHeartbeat)
			if !s.isStatus(m) {
				s.deliver(ctx, m)
				left--
			} else if m.Subject == reply { // else it is about an earlier pull
				if over, err := pullStatus(m); over {
					return left, err
				}
			}
		}
	}
	return 0, nil
}

func (s *subscription) request(reply string, n int) error {
	request, err := json.Marshal(map[string]int64{
		"batch": int64(n), "expires": int64(pullExpires), "idle_heartbeat": int64(pullHeartbeat),
	})
	if err != nil {
		return fmt.Errorf("pull: %w", err)
	}
	subject := fmt.Sprintf("$JS.API.CONSUMER.MSG.NEXT.%s.%s", s.consumer.stream, s.consumer.config.Durable)
	if err := s.consumer.conn.broker.NATS.PublishRequest(subject, reply, request); err != nil {
		return fmt.Errorf("pull: %w", err)
	}
	return nil
}

func (s *subscription) deliver(ctx context.Context, m *nats.Msg) {
	s.received = true
	s.flows()
	s.consumer.setTrouble(nil)
	s.consumer.dispatch(ctx, m)
}

// flows begins the wait for a stall again.
func (s *subscription) flows() {
	s.waiting = false
	s.stall.Reset(s.consumer.conn.cfg.StallAfter)
}

// checkStall finds out whether nothing is delivered because there is nothing. What waits at one look may be
// on its way: published a moment ago, or a pause that just ended. What waits at two, with nothing between
// them, is stuck.
func (s *subscription) checkStall(ctx context.Context) error {
	s.stall.Reset(s.consumer.conn.cfg.StallAfter)
	pending, err := s.consumer.pending(ctx)
	if err != nil {
		s.consumer.setTrouble(err)
		return err
	}
	if pending == 0 {
		s.waiting = false
		s.consumer.setTrouble(nil)
		return nil
	}
	if !s.waiting || len(s.messages) > 0 { // a process that stood still finds both, the look's time and a message
		s.waiting = true
		return nil
	}
	s.consumer.conn.broker.Count.Stalls.Add(1)
	err = fmt.Errorf("%w: %d wait", errStalled, pending)
	s.consumer.setTrouble(err)
	return err
}

// isStatus distinguishes the server's remarks about a pull from messages: a message has its own subject, a remark
// that of the pull.
func (s *subscription) isStatus(m *nats.Msg) bool { return strings.HasPrefix(m.Subject, s.inbox+".") }

// pullStatus reads a remark of the server. over says that the pull has ended; without an error this is
// its ordinary end.
func pullStatus(m *nats.Msg) (over bool, err error) {
	switch status := m.Header.Get("Status"); status {
	case "100": // a heartbeat
		return false, nil
	case "404", "408": // no messages, or the time is over
		return true, nil
	default:
		return true, fmt.Errorf("the server ended the pull: %s %s", status, m.Header.Get("Description"))
	}
}

// close ends the subscription. What is on its way is awaited and given back, so that another gets it at
// once and not when AckWait is over.
func (s *subscription) close() {
	gone := make(chan struct{})
	s.sub.SetClosedHandler(func(string) { close(gone) })
	if err := s.sub.Drain(); err != nil {
		return // the connection is down: the server takes back what it sent
	}
	select {
	case <-gone:
	case <-time.After(broker.FlushTimeout):
	}
	for {
		select {
		case m := <-s.messages:
			if !s.isStatus(m) {
				s.consumer.conn.answer(context.Background(), m, nakText(0))
			}
		default:
			return
		}
	}
}
