package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"payonce/pkg/search"
)

// period is a time that the charts can show.
type period struct {
	name   string
	length time.Duration // of an interval
	count  int
}

// periods are those that can be chosen; the first is shown where none is.
var periods = []period{{"24h", 30 * time.Minute, 48}, {"6h", 10 * time.Minute, 36}, {"7d", 4 * time.Hour, 42}}

// waveLength and waveCount are the intervals of what is parked: a day.
const (
	waveLength = 30 * time.Minute
	waveCount  = 48
)

func periodOf(name string) period {
	for _, p := range periods {
		if p.name == name {
			return p
		}
	}
	return periods[0]
}

const (
	// trendLife is how long what was counted is shown before it is counted again.
	trendLife = 15 * time.Second
	// trendWait is how long a page waits for the first count: it comes with a live update otherwise.
	trendWait = 2 * time.Second
	// trendTimeout bounds one count.
	trendTimeout = time.Minute
)

// counted is what the archive counted for the charts.
type counted struct {
	trend search.Trend
	wave  search.Wave
	from  time.Time // when the first interval of the wave begins
	at    time.Time
	err   error
}

// trends keeps what was counted last for each period. One count runs at a time, beside the pages: a large archive takes a second.
type trends struct {
	from Trends
	now  func() time.Time

	mu      sync.Mutex
	last    map[string]counted
	running map[string]chan struct{}
	work    sync.WaitGroup
	ended   context.Context
}

func newTrends(ctx context.Context, from Trends, now func() time.Time) *trends {
	return &trends{from: from, now: now, ended: ctx, last: map[string]counted{}, running: map[string]chan struct{}{}}
}

// get returns what was counted last; at is zero where nothing was yet.
func (t *trends) get(ctx context.Context, p period) counted {
	done := t.refresh(p)
	last := t.lastOf(p)
	if done != nil && last.at.IsZero() {
		select {
		case <-done:
		case <-ctx.Done():
		case <-time.After(trendWait):
		}
		last = t.lastOf(p)
	}
	return last
}

func (t *trends) lastOf(p period) counted {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last[p.name]
}

// refresh begins to count where that is due, and returns what is closed afterwards; nil where it isn't due.
func (t *trends) refresh(p period) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if done := t.running[p.name]; done != nil {
		return done
	}
	if age := t.now().Sub(t.last[p.name].at); age >= 0 && age < trendLife || t.ended.Err() != nil {
		return nil
	}
	done := make(chan struct{})
	t.running[p.name] = done
	t.work.Go(func() {
		defer close(done)
		found := t.count(p)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.last[p.name] = found
		delete(t.running, p.name)
	})
	return done
}

func (t *trends) count(p period) counted {
	ctx, cancel := context.WithTimeout(t.ended, trendTimeout)
	defer cancel()
	now := t.now()
	end := now.Truncate(p.length).Add(p.length)
	c := counted{from: now.Truncate(waveLength)}
	c.trend, c.err = t.from.Trend(ctx, search.Interval{From: end.Add(-time.Duration(p.count) * p.length), Length: p.length, Count: p.count})
	if c.err == nil {
		c.wave, c.err = t.from.Wave(ctx, search.Interval{From: c.from, Length: waveLength, Count: waveCount})
	}
	c.at = t.now()
	return c
}

// charts are those of Now.
type charts struct {
	None    bool // there is no archive
	Waiting bool // nothing was counted yet
	Failed  bool
	Periods []choice
	All     []chart
}

type choice struct {
	Name, Path string
	Current    bool
}

func (c *Console) charts(r *http.Request, say words) charts {
	if c.trends == nil {
		return charts{None: true}
	}
	p := periodOf(r.URL.Query().Get("period"))
	shown := charts{}
	for _, other := range []period{periods[1], periods[0], periods[2]} {
		path := "/?" + url.Values{"period": {other.name}}.Encode()
		if other.name == periods[0].name {
			path = "/"
		}
		shown.Periods = append(shown.Periods, choice{span(say, time.Duration(other.count)*other.length), path, other.name == p.name})
	}
	last := c.trends.get(r.Context(), p)
	switch {
	case last.err != nil:
		c.o.Logger.ErrorContext(r.Context(), "cannot count for the charts", "error", last.err)
		shown.Failed = true
	case last.at.IsZero():
		shown.Waiting = true
	default:
		shown.All = c.draw(last, p, say)
	}
	return shown
}

// draw makes the charts of what was counted.
func (c *Console) draw(of counted, p period, say words) []chart {
	volume, outcomes := chart{ID: "volume", Name: say("Begun")}, chart{ID: "outcomes", Name: say("Outcomes"), Legend: []legend{{"good", say("status settled")}, {"bad", say("status failed")}}}
	took := chart{ID: "took", Name: say("Time to outcome"), Lines: true, Legend: []legend{{"first", say("median")}, {"second", say("p95")}}}
	begun, settled, failed := 0, 0, 0
	var halves []float64
	for _, one := range of.trend {
		begun, settled, failed = begun+one.Begun, settled+one.Settled, failed+one.Failed
		volume.add(one.At, value{"line", float64(one.Begun), strconv.Itoa(one.Begun)})
		outcomes.add(one.At, value{"good", float64(one.Settled), strconv.Itoa(one.Settled)}, value{"bad", float64(one.Failed), strconv.Itoa(one.Failed)})
		took.add(one.At, value{"first", one.Half.Seconds(), short(one.Half)}, value{"second", one.Most.Seconds(), short(one.Most)})
		if one.Half > 0 {
			halves = append(halves, one.Half.Seconds())
		}
	}
	volume.Headline = say("%d", begun)
	outcomes.Headline = "–"
	if all := settled + failed; all > 0 {
		outcomes.Headline = say("%.1f %% settled", 100*float64(settled)/float64(all))
	}
	took.Headline = "–"
	if len(halves) > 0 {
		took.Headline = short(time.Duration(middle(halves) * float64(time.Second)))
	}
	wave := chart{ID: "wave", Name: say("Parked, tried again"), Ahead: true}
	ahead := of.wave.Later
	for i, n := range of.wave.Due {
		ahead += n
		wave.add(of.from.Add(time.Duration(i)*waveLength), value{"wait", float64(n), strconv.Itoa(n)})
	}
	wave.Headline = say("%d", ahead)
	if of.wave.Later > 0 {
		wave.Note = say("%d of them later than in a day", of.wave.Later)
	}
	all := []chart{volume, outcomes, took, wave}
	for i := range all {
		all[i].finish(c.o.Zone, p.length >= 4*time.Hour && !all[i].Ahead)
	}
	return all
}

// middle returns the median.
func middle(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}
