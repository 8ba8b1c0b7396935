package payctl

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// zones are where the providers of a currency are. Neither country changes its clocks over the year.
var zones = map[string]*time.Location{
	"KRW": time.FixedZone("KST", 9*60*60),
	"TWD": time.FixedZone("CST", 8*60*60),
}

// print writes the payment for people.
func (s timeline) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range s.header() {
		_, _ = fmt.Fprintf(table, "%s\t%s\n", line[0], printable(line[1]))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(s.Events) == 0 {
		return nil
	}
	zone := zones[s.Payment.Amount.Currency]
	titles := []string{"REVISION", "UTC"}
	if zone != nil {
		titles = append(titles, "LOCAL")
	}
	_, _ = fmt.Fprintf(table, "\n%s\n", strings.Join(append(titles, "AFTER", "STATUS", "ATTEMPT", "REASON"), "\t"))
	for i, e := range s.Events {
		cells := []string{fmt.Sprint(e.Payment.Revision), stamp(e.StoredAt, time.UTC)}
		if zone != nil {
			cells = append(cells, stamp(e.StoredAt, zone))
		}
		after := "-"
		if i > 0 {
			after = took(e.StoredAt.Sub(s.Events[i-1].StoredAt))
		}
		if e.Unreadable != "" {
			cells[0] = "-"
			cells = append(cells, after, "unreadable", "-", fmt.Sprintf("event %d, subject says %s: %s", e.Sequence, e.Payment.Status, e.Unreadable))
			_, _ = fmt.Fprintln(table, printable(strings.Join(cells, "\x00")))
			continue
		}
		cells = append(cells, after, string(e.Payment.Status), fmt.Sprint(e.Payment.Attempts), e.Payment.Reason.Line())
		_, _ = fmt.Fprintln(table, printable(strings.Join(cells, "\x00")))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if n := len(s.Events); n > 1 {
		_, err := fmt.Fprintf(w, "\n%s from the first event to the last.\n", took(s.Events[n-1].StoredAt.Sub(s.Events[0].StoredAt)))
		return err
	}
	return nil
}

// header is what is shown above the timeline: names and values, without those that are empty.
func (s timeline) header() [][2]string {
	p := s.Payment
	lines := [][2]string{
		{"WARNING", s.unreadableLine()}, {"payment", p.Ref.String()}, {"upstream", p.Upstream}, {"operation", string(p.Operation)}, {"status", string(p.Status)}, {"reason", p.Reason.Line()},
		{"amount", money(p.Amount)}, {"settled amount", money(p.SettledAmount)}, {"provider's fee", fee(p.Fee)},
		{"provider's number", p.ProviderReference},
	}
	for _, r := range p.Transfers {
		line := r.Reference + " " + money(r.Amount)
		if !r.Fee.IsZero() {
			line += ", fee " + fee(r.Fee)
		}
		lines = append(lines, [2]string{"transfer", line})
	}
	if p.Status != "" {
		lines = append(lines, [2]string{"attempts", fmt.Sprint(p.Attempts)})
	}
	lines = append(lines,
		[2]string{"requested at", moment(p.RequestedAt, p)}, [2]string{"submitted at", submitted(p)},
		[2]string{"resume at", moment(p.ResumeAt, p)}, [2]string{"provider's end", moment(p.ProviderCompletedAt, p)})
	if !p.OverdueAt.IsZero() {
		lines = append(lines, [2]string{"overdue since", moment(p.OverdueAt, p)})
	}
	for _, a := range p.Annotations {
		lines = append(lines, [2]string{"the " + string(a.Source) + " said", fmt.Sprintf("%s, %s, at %s", a.Kind, a.Reason.Line(), moment(a.At, p))})
	}
	lines = append(lines, actionLines("action", p.Action)...)
	lines = append(lines, actionLines("withheld", p.WithheldAction)...)
	for _, key := range slices.Sorted(maps.Keys(p.Metadata)) {
		lines = append(lines, [2]string{"metadata " + key, p.Metadata[key]})
	}
	lines = append(lines, [2]string{"command", s.commandLine()})
	for _, l := range s.DeadLetters {
		lines = append(lines, [2]string{"dead letter", fmt.Sprintf("%d of %s, %s: %s; see payctl deadletters show %[1]d", l.Sequence, moment(l.At, p), l.Reason, l.Detail)})
	}
	for _, r := range s.Refusals {
		lines = append(lines, [2]string{"refused", refusedLine(r, p)})
	}
	lines = append(lines, [2]string{"next", s.Next})
	return slices.DeleteFunc(lines, func(line [2]string) bool { return line[1] == "" })
}

// unreadableLine says that the payment's state can differ from what is shown.
func (s timeline) unreadableLine() string {
	if len(s.Unreadable) == 0 {
		return ""
	}
	return fmt.Sprintf("its last events cannot be read (%s): the status before them is shown, and workers leave it alone",
		strings.Trim(fmt.Sprint(s.Unreadable), "[]"))
}

// submitted says when the payment was sent last, and first where that was another time.
func submitted(p payment.Payment) string {
	text := moment(p.SubmittedAt, p)
	if !p.FirstSubmittedAt.IsZero() && !p.FirstSubmittedAt.Equal(p.SubmittedAt) {
		text += ", first " + moment(p.FirstSubmittedAt, p)
	}
	return text
}

// commandLine says where the command is, and whether that is as it should be.
func (s timeline) commandLine() string {
	switch {
	case s.Command == operator.CommandQueued && len(s.Events) == 0:
		return "queued since " + moment(s.QueuedAt, s.Payment) + "; no worker has started it"
	case s.Command == operator.CommandQueued:
		return "queued or in progress since " + moment(s.QueuedAt, s.Payment)
	case s.Command == operator.CommandParked:
		return s.parkedLine()
	case s.Payment.Status == payment.Parked:
		return "WARNING: the payment is parked, but its command is neither parked nor queued"
	case s.Payment.Status == payment.InDoubt || s.Payment.Status == payment.Submitting:
		return "neither parked nor queued: the payment is not sent again automatically"
	}
	return ""
}

func (s timeline) parkedLine() string {
	line := "parked"
	if !s.Due.IsZero() {
		line += " until " + moment(s.Due, s.Payment)
	}
	switch {
	case s.Payment.Status == payment.InDoubt:
		return line + "; then it is looked up"
	case s.Payment.Status.Ended():
		return line + "; it will be dropped, the payment has ended"
	}
	return line
}

func money(m payment.Money) string {
	if m.IsZero() {
		return ""
	}
	return m.String()
}

// refusedLine says what was refused, when, why, and who published it.
func refusedLine(r events.Refusal, p payment.Payment) string {
	by := "published for no upstream"
	if r.Upstream != "" {
		by = "published by " + r.Upstream
	}
	line := fmt.Sprintf("%s, %s at %s: %s", r.Message, by, moment(r.RefusedAt, p), r.Reason)
	if r.Detail != "" {
		line += ": " + r.Detail
	}
	return line
}

func fee(f payment.Fee) string {
	if f.IsZero() {
		return ""
	}
	return f.String()
}

// moment writes a time in UTC and where the provider is.
func moment(t time.Time, p payment.Payment) string {
	if t.IsZero() {
		return ""
	}
	text := t.UTC().Format(time.RFC3339)
	if zone := zones[p.Amount.Currency]; zone != nil {
		text += " (" + t.In(zone).Format(time.RFC3339) + ")"
	}
	return text
}

// stamp writes a time with milliseconds, so that events of one second keep their order for the eye.
func stamp(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2006-01-02T15:04:05.000Z07:00")
}

func took(d time.Duration) string {
	if d < time.Minute {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// printable replaces what could move a terminal's cursor or break a table; the zero byte becomes the
// table's own separator. Providers write some of these texts.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == 0:
			return '\t'
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return '\ufffd'
		}
		return r
	}, text)
}
