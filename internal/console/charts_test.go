package console_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"payonce/internal/console"
	"payonce/pkg/search"
)

// slow counts when it is let.
type slow struct {
	counts atomic.Int64
	let    chan struct{}
	err    error
}

func (s *slow) Trend(ctx context.Context, in search.Interval) (search.Trend, error) {
	s.counts.Add(1)
	select {
	case <-s.let:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	trend := make(search.Trend, in.Count)
	for i := range trend {
		trend[i].At = in.From.Add(time.Duration(i) * in.Length)
	}
	trend[3] = search.Counted{At: trend[3].At, Begun: 4711, Settled: 30, Failed: 10, Half: 3 * time.Second, Most: 90 * time.Second}
	return trend, s.err
}

func (s *slow) Wave(_ context.Context, in search.Interval) (search.Wave, error) {
	return search.Wave{Due: append([]int{5}, make([]int, in.Count-1)...), Later: 2}, nil
}

// A page waits for no slow archive, all pages share one count, and the numbers of a chart stand in its table, too.
func TestCharts(t *testing.T) {
	from := &slow{let: make(chan struct{})}
	s := start(t, func(o *console.Options) { o.Trends = from })
	client := s.client()
	for range 3 {
		if _, _, page := s.get(client, "/"); !strings.Contains(page, "the charts come when it is done") {
			t.Error(page)
		}
	}
	close(from.let)
	page := ""
	for !strings.Contains(page, "4,711") && t.Context().Err() == nil {
		_, _, page = s.get(client, "/")
	}
	for _, want := range []string{`<td class="number">4711</td>`, "75.0 % settled", `<td class="number">90 s</td>`, "2 of them later", `aria-label="Begun: 4,711"`} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is not in %s", want, page)
		}
	}
	if n := from.counts.Load(); n != 1 {
		t.Errorf("counted %d times", n)
	}
	if strings.Contains(page, "style=") || strings.Contains(page, "NaN") {
		t.Error("a chart needs no style and no number that isn't one")
	}
}

// An archive that fails costs the charts alone.
func TestChartsWithoutAnswer(t *testing.T) {
	from := &slow{let: make(chan struct{}), err: errors.New("the database is away")}
	close(from.let)
	s := start(t, func(o *console.Options) { o.Trends = from })
	if status, _, page := s.get(s.client(), "/"); status != 200 || !strings.Contains(page, "The archive does not answer") || strings.Contains(page, "is away") {
		t.Errorf("%d %s", status, page)
	}
}

func TestChartsWithoutAnArchive(t *testing.T) {
	s := start(t)
	if _, _, page := s.get(s.client(), "/"); !strings.Contains(page, "Charts need the archive") {
		t.Error(page)
	}
}
