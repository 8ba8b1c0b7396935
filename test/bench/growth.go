package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/test/testenv"
)

// memory is what servers hold, in bytes.
type memory struct{ broker, redis float64 }

// playGrowth measures what payments cost that are there before the measured ones. Each setting has servers of its own, for all
// rounds; they are filled once, and all run at the same time, so that a round measures all settings shortly after each other.
func (p plan) playGrowth(ctx context.Context, progress io.Writer) (results []result, err error) {
	bound := time.Duration(0)
	for _, s := range p.settings {
		bound += s.timeout() + time.Duration(p.rounds*len(p.programs))*runTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	err = testenv.Run(ctx, progress, func(t testing.TB) { results = p.growthRounds(t, progress) })
	return results, err
}

func (p plan) growthRounds(t testing.TB, progress io.Writer) (results []result) {
	var systems []*system
	for _, in := range p.settings {
		s := start(t, p.store, in)
		s.bounded(in.timeout(), func() {
			s.fill(progress)
			p.warmUp(s)
		})
		systems = append(systems, s)
	}
	for round := range p.rounds {
		for i := range systems { // each begins a round as often as the others
			s := systems[(round+i)%len(systems)]
			for _, program := range p.measuredIn(s.setting, round) {
				s.bounded(runTimeout+s.dueAfter, func() { results = append(results, p.growthRound(s, program)) })
				r := results[len(results)-1]
				fmt.Fprintf(progress, "%s  %s, round %d: %-9s %6.0f a second%s\n", time.Now().Format(time.TimeOnly), s.setting, round+1, program.name, r.perSecond, r.latencies())
			}
		}
	}
	return results
}

// measuredIn are the programs of one setting, in turns. Baselines know no parked and no pending payments, and payonce's timers of
// look-ups cannot read a baseline's events.
func (p plan) measuredIn(s setting, round int) (programs []program) {
	for i := range p.programs {
		program := p.programs[(round+i)%len(p.programs)]
		if s.parked+s.pending+s.due == 0 || program.events == payonce().events {
			programs = append(programs, program)
		}
	}
	return programs
}

func (p plan) growthRound(s *system, of program) result {
	r := p.playRound(s, of)
	for _, server := range s.nats {
		resident, err := server.Memory("VmRSS")
		testenv.Must(s.t, err)
		r.memory.broker += float64(resident) * 1024
	}
	r.memory.redis = s.redisInfo("used_memory")
	s.forgetConsumers(events.StreamCommands)
	return r
}

// bounded does something that ends the test when it takes longer.
func (s *system) bounded(time time.Duration, do func()) {
	whole := s.t
	ctx, cancel := context.WithTimeout(whole.Context(), time)
	defer cancel()
	s.t = timed{whole, ctx}
	defer func() { s.t = whole }()
	do()
}

// timed is a test, or a part of it, whose context ends earlier.
type timed struct {
	testing.TB
	ctx context.Context
}

func (t timed) Context() context.Context { return t.ctx }

// reportGrowth writes a table of medians. What is measured beside no earlier payments is compared round by round.
func (p plan) reportGrowth(results []result) (string, error) {
	text, err := p.conditions()
	if err != nil {
		return "", err
	}
	columns := []string{"there before", "program", "payments a second", "beside none"}
	for _, l := range p.loads {
		columns = append(columns, fmt.Sprintf("p50 at %s", l), "p99")
	}
	columns = append(columns, "µs of processor: worker", "broker", "Redis", "look-ups of a round", "MB of the broker", "MB of Redis")
	text += fmt.Sprintf(" Each: %s.\n\n| %s |\n%s|\n", p.settings[0], strings.Join(columns, " | "), strings.Repeat("|---", len(columns)))
	for _, s := range p.settings {
		for _, program := range p.programs {
			if own := pick(results, program.name, s); len(own) > 0 {
				text += fmt.Sprintf("| %s |\n", strings.Join(p.growthRow(own, pick(results, program.name, p.settings[0])), " | "))
			}
		}
	}
	return text, nil
}

func (p plan) growthRow(own, none []result) []string {
	s, there := own[0].setting, "none"
	if s.filled() {
		there = s.there()
	}
	cells := []string{there, own[0].program, fmt.Sprintf("%.0f", median(own, func(r result) float64 { return r.perSecond })), ""}
	if s.filled() {
		cells[3] = spread(own, none)
	}
	cells = append(cells, p.latencyCells(own)...)
	cells = append(cells, processorCells(own)...)
	cells = append(cells, strconv.Itoa(median(own, func(r result) int { return r.lookups })))
	for _, of := range []func(m memory) float64{func(m memory) float64 { return m.broker }, func(m memory) float64 { return m.redis }} {
		cells = append(cells, fmt.Sprintf("%.0f", median(own, func(r result) float64 { return of(r.memory) })/1e6))
	}
	return cells
}

// growthCharts are those over the payments that are kept.
func (p plan) growthCharts(results []result) map[string]chart {
	rates := chart{title: "Payments a second over payments that are kept", unit: "a second"}
	for _, program := range p.programs {
		line := line{name: program.name}
		for _, s := range p.settings {
			if own := pick(results, program.name, s); len(own) > 0 && s.onlyKept(p.settings[0]) {
				line.points = append(line.points, point{strconv.Itoa(s.kept), median(own, func(r result) float64 { return r.perSecond })})
			}
		}
		rates.lines = append(rates.lines, line)
	}
	return map[string]chart{"bench-growth": rates, "bench-kept": p.keptChart(results)}
}
