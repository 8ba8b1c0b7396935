package app

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/config"
	"payonce/pkg/payment"
	"payonce/pkg/status"
)

// state of a finding, as the table of --check shows it.
type state string

const (
	good      state = "ok"
	unchecked state = "not checked" // nothing can be said about it from here
	warned    state = "warning"     // it works, and an operator should look at it
	failed    state = "FAILED"
)

// finding is one row of the self-check.
type finding struct {
	check  string
	state  state
	result string
	next   string // what to do, where something is to be done
	// fatal is why a service must not start; nil where it may, although something has failed.
	fatal error
}

// startError says why a service does not start, and what is to be done.
type startError struct {
	err  error
	next string
}

func (e *startError) Error() string { return e.err.Error() }
func (e *startError) Unwrap() error { return e.err }

// checkTimeout bounds one question of the self-check, so that the whole of it ends although nothing answers.
const checkTimeout = 10 * time.Second

// check is the self-check of a service: it prints a table of what was found and what is to be done, and
// changes nothing. The exit code is ExitFailed if anything failed.
func check(ctx context.Context, service Service, path string, stdout, stderr io.Writer) int {
	rt, err := Load(service, path, stderr)
	if err != nil {
		rows := []finding{{
			check: "configuration", state: failed, result: err.Error(),
			next: fmt.Sprintf("fix the file; %s --check-config shows the effective configuration", service.Name),
		}}
		return writeFindings(stdout, service.Name, rows)
	}
	return writeFindings(stdout, service.Name, selfCheck(ctx, rt))
}

// selfCheck asks everything that a service depends on. It connects by itself and leaves nothing open.
func selfCheck(ctx context.Context, rt Runtime) []finding {
	parts := []func(context.Context, Runtime) []finding{checkConfiguration, checkNATS, checkRedisServer, checkLog, checkProviders, checkHours, checkArchive}
	found := make([][]finding, len(parts))
	var all sync.WaitGroup
	for i, part := range parts {
		all.Go(func() { found[i] = part(ctx, rt) })
	}
	all.Wait()
	var rows []finding
	for _, part := range found {
		rows = append(rows, part...)
	}
	return rows
}

// writeFindings prints the table and returns the exit code. A result of several lines has several rows.
func writeFindings(w io.Writer, service string, rows []finding) int {
	var aligned strings.Builder
	table := tabwriter.NewWriter(&aligned, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "CHECK\tSTATE\tRESULT\tWHAT TO DO")
	counts := map[state]int{}
	for _, row := range rows {
		counts[row.state]++
		for i, line := range strings.Split(row.result, "\n") {
			if i > 0 {
				row.check, row.state, row.next = "", "", ""
			}
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", row.check, row.state, strings.ReplaceAll(line, "\t", " "), row.next)
		}
	}
	_ = table.Flush() // a strings.Builder takes everything
	for line := range strings.Lines(aligned.String()) {
		_, _ = fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
	_, _ = fmt.Fprintf(w, "\n%s: %d checks: %d failed, %d warnings, %d cannot be checked here.\n",
		service, len(rows), counts[failed], counts[warned], counts[unchecked])
	if counts[failed] > 0 {
		return ExitFailed
	}
	return ExitOK
}

// logFindings logs what is not as it should be, and returns the first reason not to start.
func logFindings(rt Runtime, rows []finding) error {
	for _, row := range rows {
		if row.fatal != nil {
			return &startError{row.fatal, row.next}
		}
		switch row.state {
		case warned:
			rt.Logger.Warn("self-check", "check", row.check, "result", row.result, "next", row.next)
		case failed:
			rt.Logger.Error("self-check", "check", row.check, "result", row.result, "next", row.next)
		}
	}
	return nil
}

// checkConfiguration reports the configuration, which was validated when it was read: in production a key
// of the sandbox is refused there.
func checkConfiguration(_ context.Context, rt Runtime) []finding {
	rows := []finding{{check: "configuration", state: good,
		result: fmt.Sprintf("environment %s, %d providers", rt.Config.Environment, len(rt.Config.Providers))}}
	rows = append(rows, checkCredentials(rt))
	for _, warning := range rt.Config.Warnings() {
		if !strings.Contains(warning, ".hours: ") { // they have rows of their own
			rows = append(rows, finding{check: "configuration", state: warned, result: strings.TrimPrefix(warning, rt.path+":"), next: "change it, or accept the risk"})
		}
	}
	return rows
}

// checkCredentials says what was proven when the configuration was read.
func checkCredentials(rt Runtime) finding {
	row := finding{check: "credentials", state: good,
		result: "every provider has its own account and secrets; no secret is weak, published or the sandbox's"}
	if rt.Config.Environment == config.Production {
		return row
	}
	row.state, row.next = warned, "remove environment from the file where real money moves"
	row.result = "every provider has its own account and secrets; the sandbox's are accepted"
	if rt.Config.SecretsWarned() {
		row.result = "every provider has its own account; weak, shared and the sandbox's secrets are accepted"
	}
	return row
}

// checkHours reports which providers are closed now, and when the closed days of one are not known for long any more.
func checkHours(_ context.Context, rt Runtime) []finding {
	var rows []finding
	for _, name := range rt.Connectors.Names() {
		connector, _ := rt.Connectors.Get(name)
		now, hours := rt.Now(), rt.Config.Providers[name].Hours
		row := finding{check: "hours of " + name, state: good, result: hoursNow(connector.Traits().Operations, hours.Calendar, now)}
		if warning := hours.Calendar(payment.Deposit).Warning(now); warning != "" {
			row.state, row.result = warned, row.result+"\n"+warning
			row.next = fmt.Sprintf("add next year's closed days and closed_known_until to providers.%s.hours", name)
		}
		rows = append(rows, row)
	}
	return rows
}

// hoursNow says until when a provider is open, or when it opens: once where that is the same for all operations.
func hoursNow(operations []payment.Operation, hours func(payment.Operation) calendar.Hours, now time.Time) string {
	var lines []string
	for _, op := range operations {
		lines = append(lines, status.OpeningOf(op, hours(op), now).Words(now))
	}
	if same := slices.Compact(slices.Clone(lines)); len(same) == 1 {
		return same[0]
	}
	for i, op := range operations {
		lines[i] = string(op) + "s: " + lines[i]
	}
	return strings.Join(lines, "\n")
}
