package console_test

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"payonce/internal/console"
	"payonce/pkg/events"
	"payonce/test/jetstreamtest"
)

// manyEvents is a log of events, a few in each millisecond, and counts which of them are sent again.
type manyEvents struct {
	console.EndpointActions
	log  []events.Message
	each func(sequence uint64) error // may be nil

	mu     sync.Mutex
	sent   map[uint64]int
	within context.Context // of the last that read the log
}

func newManyEvents(t *testing.T, n int) *manyEvents {
	t.Helper()
	p := newPayment("D-1")
	p.Revision, p.UpdatedAt = 1, p.SubmittedAt
	settled(&p)
	out, err := events.EncodePayment(p, "id")
	if err != nil {
		t.Fatal(err)
	}
	m := &manyEvents{sent: map[uint64]int{}}
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range n {
		m.log = append(m.log, events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data, Sequence: uint64(i + 1), StoredAt: begin.Add(time.Duration(i) * 400 * time.Microsecond)})
	}
	return m
}

func (m *manyEvents) instead(o *console.Options) {
	m.EndpointActions, o.Acting.Endpoints = o.Acting.Endpoints, m
}

func (m *manyEvents) ReadEvents(ctx context.Context, _ string, from time.Time, each func(events.Message) (bool, error)) error {
	m.mu.Lock()
	m.within = ctx
	m.mu.Unlock()
	for _, one := range m.log {
		if one.StoredAt.Before(from) {
			continue
		}
		if more, err := each(one); !more || err != nil {
			return err
		}
	}
	return nil
}

func (m *manyEvents) SendAgain(_ context.Context, _, _ string, one events.Message) error {
	if m.each != nil {
		if err := m.each(one.Sequence); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent[one.Sequence]++
	return nil
}

func (m *manyEvents) number() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sent)
}

// The link to the rest begins with the first event that was not sent, and ends with the last one that was chosen.
func TestResendGoesOnWhereItStopped(t *testing.T) {
	m := newManyEvents(t, 1200)
	var once sync.Once
	m.each = func(sequence uint64) (err error) {
		if sequence == 705 {
			once.Do(func() { err = errors.New("no answer") })
		}
		return err
	}
	s := withEndpoint(t, newReceiver(t), false, m.instead)
	ann, path := s.clientOf("ann"), "/ledgers/endpoints/shop/replay"
	form := s.form(ann, path+"?from=2026-01-01T00:00")
	form.Set("reason", "restored from a backup")
	_, page := s.post(ann, path, form)
	link := regexp.MustCompile(`<a href="([^"]+)">Send the rest</a>`).FindStringSubmatch(page)
	if link == nil || !strings.Contains(page, "not to its end") || !strings.Contains(page, "left: no answer") || strings.Contains(page, "ame command") {
		t.Fatal(page)
	}
	first := uint64(1)
	for m.sent[first] > 0 {
		first++
	}
	left := fmt.Sprint(1200 - first + 1)
	m.log = append(m.log, events.Message{Subject: m.log[0].Subject, Header: m.log[0].Header, Data: m.log[0].Data, Sequence: 1201, StoredAt: m.log[1199].StoredAt}) // is not meant
	form = s.form(ann, html.UnescapeString(link[1]))
	form.Set("reason", "restored from a backup")
	if n := form.Get("number"); n != left || first <= 500 {
		t.Errorf("%s events are left, want %s", n, left)
	}
	if _, page := s.post(ann, path, form); !strings.Contains(page, left+": sent again") {
		t.Error(page)
	}
	for sequence := uint64(1); sequence <= 1201; sequence++ {
		if n := m.sent[sequence]; n == 0 && sequence <= 1200 || n > 1 && sequence < first || n > 0 && sequence > 1200 {
			t.Errorf("event %d was sent %d times", sequence, n)
		}
	}
}

// Sending has more time than a page has, and goes on when its page is closed.
func TestResendIsNotCutOff(t *testing.T) {
	m := newManyEvents(t, 600) // more than are sent in one step
	s := withEndpoint(t, newReceiver(t), false, m.instead)
	ann, path := s.clientOf("ann"), "/ledgers/endpoints/shop/replay"
	form := s.form(ann, path+"?from=2026-01-01T00:00")
	form.Set("reason", "restored from a backup")
	ctx, closePage := context.WithCancel(t.Context())
	defer closePage()
	m.each = func(sequence uint64) error {
		if sequence != 1 {
			return nil
		}
		m.mu.Lock()
		within := m.within
		m.mu.Unlock()
		if until, limited := within.Deadline(); !limited || time.Until(until) < 5*time.Minute {
			return fmt.Errorf("it may take until %s", until)
		}
		closePage()
		select { // how soon the server knows that the page is closed cannot be seen from here where it does not matter
		case <-within.Done():
		case <-time.After(300 * time.Millisecond):
		}
		return nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if reply, err := ann.Do(request); err == nil {
		_ = reply.Body.Close()
		t.Errorf("%s, though the page was closed", reply.Status)
	}
	jetstreamtest.Eventually(t, "all events are sent", func() bool { return m.number() == 600 })
}
