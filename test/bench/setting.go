package main

import (
	"cmp"
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
}

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
	if s.kept > 0 {
		parts = append(parts, fmt.Sprintf("%d payments kept", s.kept))
	}
	return strings.Join(parts, ", ")
}

// settingFlags choose settings: every combination of the values. Without any of them the published ones are measured.
type settingFlags struct{ sync, nodes, delay, slots, workers, kept string }

func (f *settingFlags) define(flags *flag.FlagSet) {
	flags.StringVar(&f.sync, "sync", "", "when the broker and Redis write to the disk: default, always")
	flags.StringVar(&f.nodes, "nodes", "", "`NUMBER` of servers of the broker: 1, 3")
	flags.StringVar(&f.delay, "delay", "", "how long the provider takes, e.g. 0s,300ms")
	flags.StringVar(&f.slots, "in-flight", "", "`NUMBER` of concurrent payments in each worker")
	flags.StringVar(&f.workers, "workers", "", "`NUMBER` of worker processes")
	flags.StringVar(&f.kept, "kept", "", "`NUMBER` of settled payments that the log has already")
}

func (f *settingFlags) settings() (all []setting, err error) {
	if *f == (settingFlags{}) {
		return published, nil
	}
	all = []setting{{}}
	for _, part := range []struct {
		values, otherwise string
		set               func(s *setting, value string) bool
	}{
		{f.sync, "default", func(s *setting, v string) bool { s.sync = v == "always"; return s.sync || v == "default" }},
		{f.nodes, "1", func(s *setting, v string) bool { return number(&s.nodes, v) && (s.nodes == 1 || s.nodes == 3) }},
		{f.delay, "0s", func(s *setting, v string) bool {
			s.delay, err = time.ParseDuration(v)
			return err == nil && s.delay >= 0
		}},
		{f.slots, "128", func(s *setting, v string) bool { return number(&s.slots, v) }},
		{f.workers, "1", func(s *setting, v string) bool { return number(&s.workers, v) }},
		{f.kept, "0", func(s *setting, v string) bool { return v == "0" || number(&s.kept, v) }},
	} {
		var next []setting
		for _, s := range all {
			for value := range strings.SplitSeq(cmp.Or(part.values, part.otherwise), ",") {
				if !part.set(&s, value) {
					return nil, fmt.Errorf("%q is no setting; see --help", value)
				}
				next = append(next, s)
			}
		}
		all = next
	}
	return all, nil
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
