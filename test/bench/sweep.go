package main

import (
	"context"
	_ "embed" // the options
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// options are what was found to be best, by setting and program.
type options map[string]map[string]string

//go:embed best.json
var bestFound []byte

// keptOptions are those of the last sweep that was kept.
func keptOptions() (o options, err error) {
	if err := json.Unmarshal(bestFound, &o); err != nil {
		return nil, fmt.Errorf("best.json: %w", err)
	}
	return o, nil
}

// of returns a program's best options in a setting. Where no sweep has tried it, these are the first of its options.
func (o options) of(p program, s setting) string {
	if found, ok := o[s.String()][p.name]; ok {
		return found
	}
	if len(p.options) == 0 {
		return ""
	}
	return p.options[0]
}

// sweep tries all options of each baseline, as often as there are rounds, and keeps the best.
func (p plan) sweep(ctx context.Context, o output, out io.Writer) error {
	var table strings.Builder
	fmt.Fprintln(&table, "| setting | program | options | payments a second |\n|---|---|---|---|")
	best := options{}
	p.paced = 0
	for _, s := range p.settings {
		best[s.String()] = map[string]string{}
		for _, program := range p.programs {
			winner, err := p.tryAll(ctx, program, s, &table)
			if err != nil {
				return err
			}
			if len(program.options) > 0 {
				best[s.String()][program.name] = winner
			}
		}
	}
	fmt.Fprint(out, table.String())
	if o.best != "" {
		text, err := json.MarshalIndent(best, "", "  ")
		if err := errors.Join(err, os.WriteFile(o.best, append(text, '\n'), 0o644)); err != nil {
			return err
		}
	}
	return o.write("sweep", table.String())
}

// tryAll measures a program with each of its options, in turns, and returns the best ones.
func (p plan) tryAll(ctx context.Context, of program, in setting, table io.Writer) (winner string, err error) {
	rates := make([][]result, len(of.options))
	for range p.rounds {
		for i, option := range of.options {
			p.best = options{in.String(): {of.name: option}}
			r, err := p.one(ctx, os.Stderr, of, in)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(os.Stderr, "%s, %s %s: %.0f a second\n", in, of.name, option, r.perSecond)
			rates[i] = append(rates[i], r)
		}
	}
	most := 0.0
	for i, option := range of.options {
		rate := median(rates[i], func(r result) float64 { return r.perSecond })
		if rate > most {
			most, winner = rate, option
		}
		fmt.Fprintf(table, "| %s | %s | `%s` | %.0f |\n", in, of.name, option, rate)
	}
	return winner, nil
}
