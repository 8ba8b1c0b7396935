package payctl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"payonce/internal/app"
	"payonce/pkg/config"
	"payonce/pkg/connectors"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/limits"
	"payonce/pkg/payment"
	"payonce/pkg/reconcile"
)

// Bounds of a comparison.
const (
	maxDays     = 31
	maxApart    = 24 * time.Hour // of the margin and of the grace
	maxFindings = 100_000
)

func statementsCommand(env Env) *cobra.Command {
	parent := group("statements", "Compare a provider's records with the log", "  payctl statements compare teemopay-kr --from 2026-11-21 --to 2026-11-21")
	c := &cobra.Command{
		Use:   "compare PROVIDER",
		Short: "Compare a provider's statement with the log, in both directions",
		Long: `Compare a provider's statement with the log, in both directions: every payment that the provider made in the period must
be in the log, and every payment that was sent in the period must be in the statement. It only reads: it moves no money
and writes no status.

The statement is read from the provider if its kind has an API for it (teemopay), within the provider's rate limit, which
the workers share. For other kinds, download the payments from the provider's console and use --file. The file is CSV in
UTF-8, separated by "," or ";", and its first line names the columns:

  order, status, created_at          required
  operation                          deposit or payout; or use --operation for all lines
  amount, settled_amount             ordered and moved amount, in major units without separators; one of them is enough
  currency                           or use --currency for all lines
  reference, completed_at            optional

With --columns the file may use other names, and have further columns. The statuses are accepted (not finished), paid,
declined, reversed and partially_reversed; --statuses maps the provider's own. A status without a mapping is a finding. If
lines cannot be read, all are printed with number and column, and nothing is compared.

A file that covers exactly the period cannot prove that payments within --margin of its ends are missing; they are only
noted. Include the day before and the day after.

It exits with 0 if both agree, 1 if there are findings or an error, and 2 if the command line, the configuration or the
file is wrong.`,
		Example: `  payctl statements compare teemopay-kr --from 2026-11-21 --to 2026-11-21
  payctl statements compare teemopay-kr --from 2026-11-01 --to 2026-11-21 --operation payout --format csv > findings.csv
  payctl statements compare ecommpay-kr --from 2026-11-21 --to 2026-11-21 --file statement.csv --operation deposit \
    --columns "order=Payment ID,settled_amount=Amount,currency=Currency,status=Status,created_at=Created" --statuses "success=paid,decline=declined"`,
		Args: arguments("PROVIDER"),
	}
	var q question
	configPath := addConfig(c)
	q.addFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		q.provider = args[0]
		if err := q.form.validate(); err != nil {
			return err
		}
		cfg, err := load(*configPath)
		if err != nil {
			return err
		}
		return env.compare(c.Context(), cfg, &q)
	}
	parent.AddCommand(c)
	return parent
}

// question is what is to be compared, as the command line says it.
type question struct {
	provider, from, to, operation, file, zone, asOf, format string
	margin, grace                                           time.Duration
	notes                                                   bool
	form                                                    statementForm

	connector  connectors.Connector
	operations []payment.Operation
	rules      reconcile.Rules
}

func (q *question) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&q.from, "from", "", "the first `DAY`, e.g. 2026-11-21; required")
	f.StringVar(&q.to, "to", "", "the last `DAY`, inclusive; required, at most 31 days")
	f.StringVar(&q.operation, "operation", "", "deposit or payout: compare only these, and the operation of a file without that column")
	f.StringVar(&q.file, "file", "", "the provider's statement as a CSV `FILE`")
	f.StringToStringVar(&q.form.columns, "columns", nil, "column names of the file, as `OURS=THEIRS,…`")
	f.StringToStringVar(&q.form.statuses, "statuses", nil, "meaning of the file's statuses, as `THEIRS=OURS,…`")
	f.StringVar(&q.form.currency, "currency", "", "currency of a file without that column, e.g. KRW")
	f.StringVar(&q.zone, "zone", "", "time `ZONE` of the days and of times without a zone, e.g. Asia/Seoul; default: that of the provider's currency")
	f.StringVar(&q.asOf, "as-of", "", "when the file was made, a `TIME` like 2026-11-22T06:00:00+09:00; default: its modification time")
	f.DurationVar(&q.margin, "margin", time.Hour, "largest difference between the provider's time of a payment and ours")
	f.DurationVar(&q.grace, "grace", 15*time.Minute, "`DURATION` until both sides know of a change")
	f.StringVar(&q.format, "format", "table", "table, json or csv")
	f.BoolVar(&q.notes, "notes", false, "also show notes: differences that are expected or cannot be judged yet")
}

// resolve checks the question against the configuration and the clock.
func (q *question) resolve(cfg config.Config, c connectors.Connector, now time.Time) error {
	traits := c.Traits()
	q.connector, q.operations = c, traits.Operations
	if q.operation != "" {
		op := payment.Operation(q.operation)
		if !slices.Contains(traits.Operations, op) {
			return usagef("--operation: %s supports %v", q.provider, traits.Operations)
		}
		q.operations, q.form.operation = []payment.Operation{op}, op
	}
	if !slices.Contains([]string{"table", "json", "csv"}, q.format) {
		return usagef("--format must be table, json or csv")
	}
	if q.margin < 0 || q.margin > maxApart || q.grace < 0 || q.grace > maxApart {
		return usagef("--margin and --grace must be 0 to %s", maxApart)
	}
	in, err := q.days(traits.Currencies)
	if err != nil {
		return err
	}
	if remembered := now.Add(-cfg.NATS.PaymentsRetention); in.From.Add(-q.margin).Before(remembered) {
		return usagef("--from: the log keeps payments since %s only (nats.payments_retention)", remembered.In(q.form.zone).Format(time.DateTime))
	}
	if !in.From.Before(now) {
		return usagef("--from: the day is in the future")
	}
	q.rules = reconcile.Rules{Provider: q.provider, Interval: in, Margin: q.margin, Grace: q.grace, OneReference: traits.OneReference}
	if q.file != "" {
		return nil
	}
	for flag, given := range map[string]bool{
		"--columns": len(q.form.columns) > 0, "--statuses": len(q.form.statuses) > 0, "--currency": q.form.currency != "", "--as-of": q.asOf != "",
	} {
		if given {
			return usagef("%s requires --file", flag)
		}
	}
	return nil
}

// days returns the time from the first day's midnight until that after the last, where the provider is.
func (q *question) days(currencies []string) (reconcile.Interval, error) {
	zone := time.UTC
	if len(currencies) > 0 && zones[currencies[0]] != nil {
		zone = zones[currencies[0]]
	}
	if q.zone != "" {
		var err error
		if zone, err = time.LoadLocation(q.zone); err != nil || q.zone == "Local" {
			return reconcile.Interval{}, usagef("--zone: %q is not a time zone like Asia/Seoul", q.zone)
		}
	}
	q.form.zone = zone
	from, err1 := time.ParseInLocation(time.DateOnly, q.from, zone)
	to, err2 := time.ParseInLocation(time.DateOnly, q.to, zone)
	switch {
	case err1 != nil || err2 != nil:
		return reconcile.Interval{}, usagef("--from and --to are required: days like 2026-11-21")
	case to.Before(from):
		return reconcile.Interval{}, usagef("--to is before --from")
	case to.After(from.AddDate(0, 0, maxDays-1)):
		return reconcile.Interval{}, usagef("at most %d days can be compared at once", maxDays)
	}
	return reconcile.Interval{From: from, To: to.AddDate(0, 0, 1)}, nil
}

// compare does the whole work.
func (e Env) compare(ctx context.Context, cfg config.Config, q *question) error {
	connector, err := e.connector(cfg, q.provider)
	if err != nil {
		return err
	}
	if err := q.resolve(cfg, connector, e.Now()); err != nil {
		return err
	}
	statement, err := e.statement(ctx, cfg, q)
	if err != nil {
		return err
	}
	conn, err := e.connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	r := newComparison(q, statement)
	if err := e.judge(ctx, conn, q, statement, r); err != nil {
		return err
	}
	if err := r.write(e.Stdout, e.Stderr, q.format); err != nil {
		return err
	}
	if r.Summary.Findings > 0 {
		return fmt.Errorf("findings: %d", r.Summary.Findings)
	}
	return nil
}

// judge compares, and keeps what is to be shown.
func (e Env) judge(ctx context.Context, conn *admin.Conn, q *question, statement *reconcile.Statement, r *comparison) (err error) {
	c := reconcile.Comparison{Log: conn, Statement: statement, Rules: q.rules, Operations: q.operations, Found: func(f reconcile.Finding) error {
		if len(r.Findings) == maxFindings {
			return fmt.Errorf("more than %d differences: check that the account and the file are the right ones", maxFindings)
		}
		if q.notes || !f.Kind.Note() {
			r.Findings = append(r.Findings, shownFinding{f, advice(q.provider, f), f.Kind.Note()})
		}
		return nil
	}}
	if n := c.Theirs(); n > manyItems {
		shown := newProgress(e, n, "payments of the statement")
		defer shown.end()
		left := n
		c.Step = func() {
			if left--; left >= 0 { // those that only we have come after them
				shown.add()
			}
		}
	}
	r.Summary, err = c.Run(ctx)
	return err
}

// statement reads the statement, from the file or from the provider.
func (e Env) statement(ctx context.Context, cfg config.Config, q *question) (*reconcile.Statement, error) {
	if q.file != "" {
		return e.statementOfFile(q)
	}
	reader, can := q.connector.(connectors.StatementReader)
	if !can {
		return nil, usagef("%s (kind %s) has no statement API: download the statement from its console and use --file", q.provider, q.connector.Traits().Kind)
	}
	logger := slog.New(slog.NewTextHandler(e.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	spare, end, err := app.OpenLimits(cfg, logger, e.Now)
	if err != nil {
		return nil, err
	}
	defer func() { _ = end() }()
	reading := reconcile.Reading{
		Reader: reader, Operations: q.operations, Covered: q.rules.Interval.Widened(q.margin), Now: e.Now, Admit: admit(spare, q.provider),
	}
	if n := reading.Steps(); n > len(q.operations)*3 { // a day and its margins are read soon
		shown := newProgress(e, n, "days of the statement")
		defer shown.end()
		reading.Step = shown.add
	}
	statement, err := reading.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot read the statement of %s, nothing was compared: %w", q.provider, err)
	}
	return statement, nil
}

// admit waits for a place in the budget of calls that all share.
func admit(spare *limits.Limits, provider string) func(context.Context) error {
	const timeout = time.Minute
	return func(ctx context.Context) error {
		for {
			wait, ok := spare.Reserve(ctx, provider, timeout)
			if !ok {
				wait = timeout
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return ctx.Err()
			}
			if ok {
				return nil
			}
		}
	}
}

// statementOfFile reads a file, which covers the days until it was made.
func (e Env) statementOfFile(q *question) (*reconcile.Statement, error) {
	text, err := readFile(q.file)
	if err != nil {
		return nil, usageError{err}
	}
	asOf, err := q.madeAt()
	if err != nil {
		return nil, err
	}
	covered := q.rules.Interval
	if asOf.Before(covered.To) {
		covered.To = asOf
	}
	statement := reconcile.NewStatement(asOf, covered)
	problems := parseStatement(text, q.form, statement)
	for i, p := range problems {
		if i == maxShown {
			_, _ = fmt.Fprintf(e.Stderr, "and %d more\n", len(problems)-maxShown)
			break
		}
		_, _ = fmt.Fprintln(e.Stderr, p)
	}
	if len(problems) > 0 {
		return nil, usagef("problems in the file: %d; nothing was compared", len(problems))
	}
	return statement, nil
}

// maxShown is how many problems of a file are shown.
const maxShown = 100

// madeAt is when the file was made.
func (q *question) madeAt() (time.Time, error) {
	if q.asOf != "" {
		at, err := time.Parse(time.RFC3339, q.asOf)
		if err != nil {
			return at, usagef("--as-of must be a time like 2026-11-22T06:00:00+09:00")
		}
		return at, nil
	}
	about, err := os.Stat(q.file)
	if err != nil {
		return time.Time{}, usageError{errors.Unwrap(err)}
	}
	return about.ModTime(), nil
}
