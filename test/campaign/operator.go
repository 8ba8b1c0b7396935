package campaign

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// operatorName is in the log beside what the operator did.
const operatorName = "campaign"

// person is an operator who works with payctl, a process each time, while everything breaks: cancels and
// releases parked payments, and sends dead letters again or deletes them.
type person struct {
	system  *system
	board   *board
	actions *actions
	random  *rand.Rand
	logs    io.WriteCloser // what payctl printed
	// deadLetters reads the dead letters.
	deadLetters func(ctx context.Context) ([]DeadLetter, error)
}

// handiwork are the kinds of actions, and how often each was done.
var handiwork = []struct {
	name string
	do   func(*person, context.Context)
	of   func(Actions) int
}{
	{"cancelled", (*person).cancel, func(d Actions) int {
		if d.Cancelled {
			return 1
		}
		return 0
	}},
	{"released", (*person).release, func(d Actions) int { return d.Released }},
	{"replayed", (*person).replay, func(d Actions) int { return d.Replayed }},
	{"dropped", (*person).drop, func(d Actions) int { return d.Dropped }},
}

// run works until ctx ends: in turn, but what was not done yet comes first.
func (p *person) run(ctx context.Context) {
	ticker := time.NewTicker(700 * time.Millisecond)
	defer ticker.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		next := handiwork[turn%len(handiwork)]
		if open := p.undone(); len(open) > 0 {
			next = handiwork[open[turn%len(open)]]
		}
		next.do(p, ctx)
	}
}

// undone returns the kinds of actions that were not done yet.
func (p *person) undone() []int {
	var open []int
	all := p.actions.copied()
	for i, kind := range handiwork {
		if total(all, kind.of) == 0 {
			open = append(open, i)
		}
	}
	return open
}

// usedParked reports whether payments were cancelled and released: for that some must be parked.
func (p *person) usedParked() bool {
	open := p.undone()
	return !slices.Contains(open, 0) && !slices.Contains(open, 1)
}

func (p *person) cancel(ctx context.Context) {
	ref, found := p.parked()
	if found && p.parkedAction(ctx, "cancel", ref) == operator.Cancelled {
		p.actions.add(ref, func(d *Actions) { d.Cancelled = true })
	}
}

// release lets a parked payment be tried now. The log says whether it was, see hear.
func (p *person) release(ctx context.Context) {
	if ref, found := p.parked(); found {
		p.parkedAction(ctx, "release", ref)
	}
}

// hear counts what the log says was released. A schedule that fires meanwhile makes payctl say something else.
func (p *person) hear(event payment.Payment) {
	if isParkedFor(event, payment.ReasonReleased) && event.Reason.By == operatorName {
		p.actions.add(event.Ref, func(d *Actions) { d.Released++ })
	}
}

// parked picks one of the payments that will be parked for longest: payctl takes its time.
func (p *person) parked() (payment.Ref, bool) {
	all := p.board.in(payment.Parked)
	slices.SortFunc(all, func(a, b payment.Payment) int { return b.ResumeAt.Compare(a.ResumeAt) })
	if len(all) == 0 {
		return payment.Ref{}, false
	}
	return all[p.random.IntN(min(5, len(all)))].Ref, true
}

// parkedAction does something to a parked payment and returns the result, if there was one.
func (p *person) parkedAction(ctx context.Context, what string, ref payment.Ref) string {
	out, _ := p.payctl(ctx, "parked", what, ref.Provider, ref.Order, "--json")
	var report struct {
		Results map[string]int `json:"results"`
	}
	if json.Unmarshal(out, &report) != nil {
		return ""
	}
	for result := range report.Results { // of one payment there is one
		return result
	}
	return ""
}

func (p *person) replay(ctx context.Context) {
	deadLetter, found := p.deadLetter(ctx)
	if !found {
		return
	}
	if _, err := p.payctl(ctx, "deadletters", "replay", strconv.FormatUint(deadLetter.Sequence, 10)); err == nil {
		p.actions.add(deadLetter.Ref, func(d *Actions) { d.Replayed++ })
	}
}

// drop deletes a dead letter. One that was perhaps deleted counts as such.
func (p *person) drop(ctx context.Context) {
	deadLetter, found := p.deadLetter(ctx)
	if !found {
		return
	}
	p.actions.add(deadLetter.Ref, func(d *Actions) { d.Dropped++ })
	_, _ = p.payctl(ctx, "deadletters", "drop", strconv.FormatUint(deadLetter.Sequence, 10))
}

// deadLetter picks one of the dead letters that name a payment.
func (p *person) deadLetter(ctx context.Context) (DeadLetter, bool) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	deadLetters, err := p.deadLetters(ctx)
	if err != nil || len(deadLetters) == 0 {
		return DeadLetter{}, false
	}
	deadLetter := deadLetters[p.random.IntN(len(deadLetters))]
	return deadLetter, deadLetter.Ref != payment.Ref{}
}

// payctl runs the operator's program. The error is that of its exit code.
func (p *person) payctl(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	args = append([]string{rolePayctl}, args...)
	args = append(args, "--config", p.system.Config, "--by", operatorName, "--reason", "the campaign", "--yes")
	cmd := exec.CommandContext(ctx, p.system.program, args...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	began := time.Now()
	err := cmd.Run()
	_, _ = fmt.Fprintf(p.logs, "%s %q %.1f s: %v\n%s%s\n", began.UTC().Format(clock), args[1:4], time.Since(began).Seconds(), err, out.Bytes(), problems.Bytes())
	return out.Bytes(), err
}
