package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setting is where programs are compared.
type setting struct {
	sync    bool          // NATS and Redis write to the disk before they answer
	nodes   int           // of NATS: 1, or 3 that keep each message three times
	delay   time.Duration // for which the provider thinks before it answers
	slots   int           // payments at the same time, in each worker
	workers int           // processes
	kept    int           // settled payments that the log has already
	parked  int           // payments of another account, which is closed
	pending int           // payments, none of which is due for a look-up
	due     int           // pending payments that are all due when a worker starts
	// dueAfter is how long a payment is pending until it is due; with due alone.
	dueAfter time.Duration
}

// filled reports whether there are payments before the measured ones.
func (s setting) filled() bool { return s.kept+s.parked+s.pending+s.due > 0 }

// published are the settings of docs/performance.md.
var published = []setting{
	{nodes: 1, slots: 32, workers: 1},
	{nodes: 1, slots: 128, workers: 1},
	{sync: true, nodes: 1, slots: 32, workers: 1},
	{sync: true, nodes: 1, slots: 128, workers: 1},
	{sync: true, nodes: 3, slots: 128, workers: 1},
	{nodes: 1, slots: 512, workers: 1, delay: 300 * time.Millisecond},
}

func (s setting) String() string {
	parts := []string{"sync default"}
	if s.sync {
		parts[0] = "sync always"
	}
	if s.nodes > 1 {
		parts = append(parts, fmt.Sprintf("%d nodes", s.nodes))
	}
	parts = append(parts, fmt.Sprintf("%d in flight", s.slots))
	if s.workers > 1 {
		parts = append(parts, fmt.Sprintf("%d workers", s.workers))
	}
	if s.delay > 0 {
		parts = append(parts, fmt.Sprintf("provider takes %s", s.delay))
	}
	if s.filled() {
		parts = append(parts, s.there())
	}
	return strings.Join(parts, ", ")
}

// there says which payments are there before the measured ones.
func (s setting) there() string {
	var parts []string
	if s.kept > 0 {
		parts = append(parts, fmt.Sprintf("%d payments kept", s.kept))
	}
	if s.parked > 0 {
		parts = append(parts, fmt.Sprintf("%d parked", s.parked))
	}
	if s.pending > 0 {
		parts = append(parts, fmt.Sprintf("%d pending", s.pending))
	}
	if s.due > 0 {
		parts = append(parts, fmt.Sprintf("%d pending and due", s.due))
	}
	return strings.Join(parts, ", ")
}

// settingFlags choose settings: every combination of the values. Without any of them the published ones are measured.
type settingFlags struct {
	sync, nodes, delay, slots, workers, kept, parked, pending, due string

	dueAfter time.Duration
	growth   bool // every value of kept, parked, pending and due alone, beside a system without such payments
}

func (f *settingFlags) define(flags *flag.FlagSet) {
	flags.StringVar(&f.sync, "sync", "", "when the broker and Redis write to the disk: default, always")
	flags.StringVar(&f.nodes, "nodes", "", "`NUMBER` of servers of the broker: 1, 3")
	flags.StringVar(&f.delay, "delay", "", "how long the provider takes, e.g. 0s,300ms")
	flags.StringVar(&f.slots, "in-flight", "", "`NUMBER` of concurrent payments in each worker")
	flags.StringVar(&f.workers, "workers", "", "`NUMBER` of worker processes")
	flags.StringVar(&f.kept, "kept", "", "`NUMBER` of settled payments that the log and Redis have already")
	flags.StringVar(&f.parked, "parked", "", "`NUMBER` of payments that wait for another account to open")
	flags.StringVar(&f.pending, "pending", "", "`NUMBER` of pending payments, none of them due for a look-up")
	flags.StringVar(&f.due, "due", "", "`NUMBER` of pending payments that are all due for a look-up whenever a worker starts")
	flags.DurationVar(&f.dueAfter, "due-after", time.Minute, "how old a pending payment is when it is due, with --due")
	flags.BoolVar(&f.growth, "growth", false, "vary what is there before the measured payments: each value of --kept, --parked, --pending and --due alone, and none")
}

func (f *settingFlags) settings() (all []setting, err error) {
	if !f.growth && *f == (settingFlags{dueAfter: f.dueAfter}) {
		return published, nil
	}
	if all, err = combine([]setting{{}}, []part{
		{f.sync, "default", func(s *setting, v string) bool { s.sync = v == "always"; return s.sync || v == "default" }},
		{f.nodes, "1", func(s *setting, v string) bool { return number(&s.nodes, v) && (s.nodes == 1 || s.nodes == 3) }},
		{f.delay, "0s", func(s *setting, v string) (ok bool) { s.delay, ok = duration(v); return ok }},
		{f.slots, "128", func(s *setting, v string) bool { return number(&s.slots, v) }},
		{f.workers, "1", func(s *setting, v string) bool { return number(&s.workers, v) }},
	}); err != nil {
		return nil, err
	}
	before := []part{
		{f.kept, "0", func(s *setting, v string) bool { return v == "0" || number(&s.kept, v) }},
		{f.parked, "0", func(s *setting, v string) bool { return v == "0" || number(&s.parked, v) }},
		{f.pending, "0", func(s *setting, v string) bool { return v == "0" || number(&s.pending, v) }},
		{f.due, "0", func(s *setting, v string) bool {
			ok := v == "0" || number(&s.due, v)
			if s.due > 0 {
				s.dueAfter = f.dueAfter
			}
			return ok && f.dueAfter >= leastDueAfter && (s.due == 0 || s.pending == 0) // one account has one time until look-ups
		}},
	}
	if !f.growth {
		return combine(all, before)
	}
	if len(all) != 1 {
		return nil, errors.New("with --growth, give one value of --sync, --nodes, --delay, --in-flight and --workers")
	}
	for _, p := range before {
		grown, err := combine(all[:1], []part{p})
		if err != nil {
			return nil, err
		}
		all = append(all, slices.DeleteFunc(grown, func(s setting) bool { return !s.filled() })...)
	}
	return all, nil
}

// part is one number of a setting: its values, separated by commas, and how one of them is set.
type part struct {
	values, otherwise string
	set               func(s *setting, value string) bool
}

// combine returns each of the settings with every combination of values.
func combine(all []setting, parts []part) ([]setting, error) {
	for _, part := range parts {
		var next []setting
		for _, s := range all {
			for value := range strings.SplitSeq(cmp.Or(part.values, part.otherwise), ",") {
				changed := s
				if !part.set(&changed, value) {
					return nil, fmt.Errorf("%q is no setting; see --help", value)
				}
				next = append(next, changed)
			}
		}
		all = next
	}
	return all, nil
}

func duration(text string) (time.Duration, bool) {
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= 0
}

func number(to *int, text string) bool {
	n, err := strconv.Atoi(text)
	*to = n
	return err == nil && n > 0
}

// load is how many payments are sent a second: a number, or a part of the throughput.
type load struct {
	rate int
	part float64
}

func (l load) String() string {
	if l.part > 0 {
		return strconv.FormatFloat(100*l.part, 'f', -1, 64) + " %"
	}
	return strconv.Itoa(l.rate)
}

// of is the number for a throughput.
func (l load) of(throughput float64) int {
	if l.part > 0 {
		return max(1, int(l.part*throughput))
	}
	return l.rate
}

func parseLoads(text string) (loads []load, err error) {
	for value := range strings.SplitSeq(text, ",") {
		l := load{}
		if percent, is := strings.CutSuffix(value, "%"); is {
			l.part, err = strconv.ParseFloat(percent, 64)
			l.part /= 100
		} else {
			l.rate, err = strconv.Atoi(value)
		}
		if err != nil || l.rate < 0 || l.part < 0 || l == (load{}) || slices.Contains(loads, l) {
			return nil, fmt.Errorf("%q is no load: a number of payments a second, or a percentage", value)
		}
		loads = append(loads, l)
	}
	return loads, nil
}
