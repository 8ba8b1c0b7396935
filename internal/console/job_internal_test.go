package console

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/operator"
)

// slowAudit takes its time for the record of a part that was done.
type slowAudit time.Duration

func (a slowAudit) Audit(_ context.Context, r events.AuditRecord) error {
	if r.Stage == events.Finished {
		time.Sleep(time.Duration(a))
	}
	return nil
}

type anyLetters struct{}

func (anyLetters) Replay(context.Context, uint64) error         { return nil }
func (anyLetters) DropDeadLetter(context.Context, uint64) error { return nil }

func slowConsole(audit operator.Audit) *Console {
	return &Console{printers: printers(), o: Options{Now: time.Now, Logger: slog.New(slog.DiscardHandler), Acting: &Acting{
		DeadLetters: anyLetters{}, Actions: operator.Actions{Audit: audit, Service: operator.Service{Now: time.Now}, NewID: func() string { return "id" }, Timeout: time.Minute},
	}}}
}

func lettersToDrop(n int) bulkPage {
	page := bulkPage{Action: events.ActionDrop}
	for i := range n {
		page.Letters = append(page.Letters, operator.DeadLetter{Sequence: uint64(i + 1), Provider: "acme"})
	}
	return page
}

// When the time is over, the part that is under way is finished and no other begins. The person is told how many are left, and which.
func TestActionEndsWithItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := slowConsole(slowAudit(jobTimeout + time.Second))
		name, j := c.begin(t.Context(), lettersToDrop(501), operator.Person{Name: "ann", Why: "a test"}, 0)
		<-j.ended
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		told := c.toldOf(r, name, j)
		if left := j.left(); len(left) != 1 || left[0].Letter != 501 || left[0].May {
			t.Errorf("left: %+v", left)
		}
		if text := told.Text + " " + strings.Join(told.Lines, "; "); text != "Not to its end: 1 of 501 were not done. 500: dropped; acme: stopped after 10 min" || told.Link != jobPath+name || !told.Bad {
			t.Errorf("%+v", told)
		}
	})
}

// An action does not end with the request that began it, but with the console, which waits for the part that is under way.
func TestActionEndsWithTheConsole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := slowConsole(slowAudit(time.Minute))
		ctx, closePage := context.WithCancel(t.Context())
		_, j := c.begin(ctx, lettersToDrop(1001), operator.Person{Name: "ann", Why: "a test"}, 0)
		closePage()
		time.Sleep(90 * time.Second) // in the second part
		c.jobs.close()
		if left := j.left(); !j.hasEnded() || len(left) != 1 || j.done.Load() != 1000 {
			t.Errorf("%d are done, %d left", j.done.Load(), len(left))
		}
		if name, late := c.begin(t.Context(), lettersToDrop(1), operator.Person{Name: "ann", Why: "a test"}, 0); late != nil {
			t.Errorf("%s began after the end", name)
		}
	})
}

// Actions are kept for an hour after their end, and so many at most: the oldest is forgotten, but none that is under way.
func TestActionsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := slowConsole(slowAudit(time.Minute))
		begin := func() (string, *job) {
			return c.begin(t.Context(), lettersToDrop(1), operator.Person{Name: "ann", Why: "a test"}, 0)
		}
		first, j := begin()
		<-j.ended
		for i := range jobMost {
			if _, j = begin(); j == nil {
				t.Fatalf("%d are too many", i+1)
			}
		}
		if _, more := begin(); more != nil || c.jobs.get(first, "ann") != nil || len(c.jobs.all) != jobMost {
			t.Errorf("%d are kept, one more than may be under way: %t", len(c.jobs.all), more != nil)
		}
		<-j.ended
		time.Sleep(jobLife + time.Minute)
		if _, j = begin(); j == nil || len(c.jobs.all) != 1 {
			t.Errorf("%d are kept after an hour", len(c.jobs.all))
		}
		c.jobs.close()
	})
}
