package console

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"payonce/internal/console/signin"
	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

const (
	// jobQuick is how long the answer to a form waits for an action. One that takes longer is shown on a page of its own.
	jobQuick = 2 * time.Second
	// jobTimeout bounds an action on many. The part of up to 500 that is under way then is finished, and no other begins.
	jobTimeout = 10 * time.Minute
	// jobLife is how long an action is shown after its end, and jobMost how many are kept: the oldest that ended goes first.
	jobLife = time.Hour
	jobMost = 100
	jobPath = "/actions/running/"
)

// job is an action on one or many payments or dead letters. It goes on when its page is closed.
type job struct {
	page bulkPage
	who  operator.Person
	done atomic.Int64 // items that were acted on
	stop context.CancelFunc

	ended   chan struct{} // closed at the end; what is below is only read then
	parts   []jobPart
	cutOff  bool // the time was over
	endedAt time.Time
}

// jobPart is what came of the items of one provider.
type jobPart struct {
	provider string
	items    []events.AuditItem
	err      error
}

// waits reports whether the items of a part wait for a second person.
func (p jobPart) waits() bool { return errors.As(p.err, new(*operator.RequestedError)) }

func (j *job) hasEnded() bool {
	select {
	case <-j.ended:
		return true
	default:
		return false
	}
}

// leftItem is one that was not acted on, or may not have been.
type leftItem struct {
	payment.Ref
	Letter uint64 // of a dead letter; else 0
	May    bool   // it may have been acted on
}

// left returns what was not acted on. The job must have ended.
func (j *job) left() (all []leftItem) {
	for _, part := range j.parts {
		for _, item := range part.items {
			if left, may := operator.Left(item); left && !part.waits() {
				all = append(all, leftItem{payment.Ref{Provider: part.provider, Order: item.Order}, item.DeadLetter, may})
			}
		}
	}
	return all
}

// jobs are those that are under way, and those that ended not long ago. The zero value is empty.
type jobs struct {
	mu      sync.Mutex
	all     map[string]*job
	closed  bool
	running sync.WaitGroup
}

// put keeps a job and returns its name, which cannot be guessed; "" where too many are under way.
func (js *jobs) put(j *job, now time.Time) (name string) {
	js.mu.Lock()
	defer js.mu.Unlock()
	maps.DeleteFunc(js.all, func(_ string, old *job) bool { return old.hasEnded() && now.Sub(old.endedAt) > jobLife })
	if len(js.all) >= jobMost {
		js.forgetOldest()
	}
	if js.closed || len(js.all) >= jobMost {
		return ""
	}
	if js.all == nil {
		js.all = map[string]*job{}
	}
	name = rand.Text()
	js.all[name] = j
	js.running.Add(1)
	return name
}

// forgetOldest forgets the job that ended first, if one has ended.
func (js *jobs) forgetOldest() {
	oldest := ""
	for name, j := range js.all {
		if j.hasEnded() && (oldest == "" || j.endedAt.Before(js.all[oldest].endedAt)) {
			oldest = name
		}
	}
	delete(js.all, oldest)
}

// get returns a job for who began it; nil where there is none.
func (js *jobs) get(name, reader string) *job {
	js.mu.Lock()
	defer js.mu.Unlock()
	if j := js.all[name]; j != nil && j.who.Name == reader {
		return j
	}
	return nil
}

// close lets no job begin another part, and waits until the last one is done.
func (js *jobs) close() {
	js.mu.Lock()
	js.closed = true
	for _, j := range js.all {
		j.stop()
	}
	js.mu.Unlock()
	js.running.Wait()
}

// begin starts an action; the job is nil where too many are under way.
func (c *Console) begin(ctx context.Context, page bulkPage, who operator.Person, over time.Duration) (name string, j *job) {
	within, stop := context.WithTimeout(context.WithoutCancel(ctx), jobTimeout)
	j = &job{page: page, who: who, stop: stop, ended: make(chan struct{})}
	if name = c.jobs.put(j, c.o.Now()); name == "" {
		stop()
		return "", nil
	}
	go func() {
		defer c.jobs.running.Done()
		defer stop()
		defer close(j.ended)
		c.carryOut(within, j, over)
		j.cutOff, j.endedAt = errors.Is(within.Err(), context.DeadlineExceeded), c.o.Now()
		var problems []error
		for _, part := range j.parts {
			problems = append(problems, part.err)
		}
		c.log(within, page.Action, who, "", page.Number(), errors.Join(problems...))
	}()
	return name, j
}

// toldOf is what came of an action that has ended.
func (c *Console) toldOf(r *http.Request, name string, j *job) notice {
	say, results := c.say(r), map[string]int{}
	var told notice
	var problems []string
	for _, part := range j.parts {
		var unfinished *operator.UnfinishedError
		switch {
		case part.waits():
			told = c.said(r, part.err, "")
			problems = append(problems, part.provider+": "+told.Text)
		case errors.As(part.err, &unfinished) && unfinished.Cause == nil && j.cutOff:
			problems = append(problems, part.provider+": "+say("stopped after %d min", int(jobTimeout.Minutes())))
		case part.err != nil:
			problems = append(problems, part.provider+": "+plain(part.err.Error()))
		}
		for _, item := range part.items {
			if left, _ := operator.Left(item); !left {
				results[item.Result]++
			}
		}
	}
	left := len(j.left())
	if told.Text != "" && len(results) == 0 && left == 0 && len(j.parts) == 1 { // all of it waits for a second person
		return told
	}
	told.Text = say("Done, as far as it was possible:")
	switch {
	case left > 0:
		told.Bad, told.Text = true, say("Not to its end: %d of %d were not done.", left, j.page.Number())
		told.Link, told.LinkText = jobPath+name, say("Show what was not done")
	case len(problems) > 0:
		told.Bad = told.Link == ""
	}
	for _, result := range slices.Sorted(maps.Keys(results)) {
		told.Lines = append(told.Lines, fmt.Sprintf("%d: %s", results[result], c.result(r, result)))
	}
	told.Lines = append(told.Lines, problems...)
	return told
}

// jobPage shows how far an action is, and in the end what came of it.
type jobPage struct {
	Title       string
	Done, Total int
	Ended       bool
	Told        notice
	Left        []leftItem
	Rest, Back  string // paths
}

func (c *Console) showJob(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("job")
	j := c.jobs.get(name, signin.From(r.Context()).Name)
	if j == nil {
		c.notFound(w, r)
		return
	}
	page := jobPage{Title: c.say(r)(bulkActions[j.page.Action]), Done: int(j.done.Load()), Total: j.page.Number(), Ended: j.hasEnded(), Back: j.page.Back}
	if page.Ended {
		page.Told, page.Left = c.toldOf(r, name, j), j.left()
		page.Rest = "/actions/" + string(j.page.Action) + "?rest=" + name
	} else {
		w.Header().Set("Refresh", "5") // for browsers without JavaScript, and where no payment changes
	}
	c.render(w, r, http.StatusOK, "job", page.Title, page)
}

// rest is what an action of before has left, to be done now.
func (c *Console) rest(r *http.Request) (refs []payment.Ref, letters []uint64) {
	j := c.jobs.get(r.Form.Get("rest"), signin.From(r.Context()).Name)
	if j == nil || !j.hasEnded() {
		return nil, nil
	}
	for _, item := range j.left() {
		if item.Letter != 0 {
			letters = append(letters, item.Letter)
		} else {
			refs = append(refs, item.Ref)
		}
	}
	return refs, letters
}
