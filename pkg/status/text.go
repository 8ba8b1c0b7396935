package status

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// width is how long a line of the text is at most, unless one word is longer.
const width = 80

// Text writes the report for people. Characters that a terminal obeys are replaced.
func (r Report) Text(w io.Writer) error {
	t := &text{now: r.At}
	t.line("", "payonce at "+r.At.Format("2006-01-02 15:04:05")+" UTC: "+r.summary())
	for _, warning := range r.Warnings {
		t.line("  ! ", warning)
	}
	for _, u := range r.Unknown {
		t.line("  ? ", u.What+" unknown: "+u.Problem)
	}
	for _, p := range r.Providers {
		t.provider(p)
	}
	t.processes(r.Processes)
	t.endpoints(r.Endpoints)
	t.attention(r)
	_, err := io.WriteString(w, t.out.String())
	return err
}

// summary is the report in one line.
func (r Report) summary() string {
	switch {
	case r.AttentionTotal == nil:
		return "what needs a person is unknown"
	case *r.AttentionTotal > 0:
		return need(*r.AttentionTotal)
	case r.Healthy():
		return "nothing needs a person"
	}
	return "no payment needs a person"
}

func need(n int) string {
	if n == 1 {
		return "1 matter needs a person"
	}
	return number(n) + " matters need a person"
}

type text struct {
	out strings.Builder
	now time.Time
}

// line writes words after a prefix, and wraps them below their beginning.
func (t *text) line(prefix, words string) {
	used := utf8.RuneCountInString(prefix)
	t.out.WriteString(prefix)
	at := used
	for i, word := range strings.Fields(shown(words)) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+n > width:
			t.out.WriteString("\n" + strings.Repeat(" ", used))
			at = used
		default:
			t.out.WriteByte(' ')
			at++
		}
		t.out.WriteString(word)
		at += n
	}
	t.out.WriteByte('\n')
}

func (t *text) row(name, words string) { t.line(fmt.Sprintf("  %-11s", name), words) }

func (t *text) provider(p Provider) {
	t.line("\n", p.Name)
	t.hours(p.Hours)
	t.row("calls", calls(p, t))
	if p.Queue == nil {
		t.row("queue", "unknown")
	} else {
		t.row("queue", t.queue(p))
	}
	if p.Payments == nil {
		t.row("payments", "unknown")
		return
	}
	t.row("payments", t.open(p.Payments))
	if p.Payments.Open[payment.Parked].Number > 0 {
		t.row("parked", t.parked(p))
	}
	t.row("last hour", lastHour(p.Payments.LastHour))
}

func (t *text) hours(hours []Opening) {
	if len(hours) == 0 {
		t.row("hours", "unknown")
	}
	same := len(hours) > 0 && !slices.ContainsFunc(hours, func(o Opening) bool { return o.Words(t.now) != hours[0].Words(t.now) })
	for i, o := range hours {
		name := "hours"
		if i > 0 {
			name = ""
		}
		if same {
			t.row(name, o.Words(t.now))
			return
		}
		t.row(name, string(o.Operation)+"s: "+o.Words(t.now))
	}
}

func calls(p Provider, t *text) string {
	var words []string
	switch b := p.Breaker; {
	case b == nil:
		words = append(words, "breaker unknown")
	case b.State == "":
		words = append(words, "no breaker")
	case b.State == BreakerClosed:
		words = append(words, "breaker closed")
	default:
		word := fmt.Sprintf("BREAKER %s on %d of %s", strings.ToUpper(strings.ReplaceAll(b.State, "_", " ")), b.Workers, counted(b.Of, "worker"))
		if b.State == BreakerOpen && b.CallsAt.After(t.now) {
			word += ", calls again in " + span(b.CallsAt.Sub(t.now))
		}
		words = append(words, word)
	}
	if r := p.Rate; r != nil {
		per := "a second"
		if r.PerSeconds != 1 {
			per = "in " + strconv.FormatFloat(r.PerSeconds, 'f', -1, 64) + " seconds"
		}
		words = append(words, fmt.Sprintf("at most %s %s", number(r.Calls), per))
	}
	for _, refused := range p.AccountRefused {
		words = append(words, "ACCOUNT REFUSED for "+refused)
	}
	if f := p.LastFailure; f != nil {
		words = append(words, fmt.Sprintf("last failure %s ago: %s", span(t.now.Sub(f.At)), f.Error))
	}
	return strings.Join(words, "; ")
}

func (t *text) queue(p Provider) string {
	q := p.Queue
	words := []string{"nothing ready"}
	if q.Ready > 0 {
		words[0] = number(int(q.Ready)) + " ready, oldest " + t.age(q.OldestReadyAt)
	}
	if q.InWork > 0 {
		words = append(words, number(int(q.InWork))+" in work")
	}
	if q.ReadyWebhooks > 0 {
		words = append(words, counted(int(q.ReadyWebhooks), "webhook")+" ready, oldest "+t.age(q.OldestReadyWebhookAt))
	}
	if q.DeadLetters > 0 {
		words = append(words, counted(int(q.DeadLetters), "dead letter"))
	}
	return strings.Join(words, "; ")
}

// names of the statuses as a person counts them.
var names = map[payment.Status]string{
	payment.Submitting: "submitting", payment.Pending: "pending", payment.InDoubt: "in doubt", payment.Conflict: "in conflict",
}

func (t *text) open(p *ProviderSummary) string {
	var words []string
	for _, status := range []payment.Status{payment.Submitting, payment.Pending, payment.InDoubt, payment.Conflict} {
		if c := p.Open[status]; c.Number > 0 {
			words = append(words, number(c.Number)+" "+names[status]+", oldest "+t.age(c.Since))
		}
	}
	if p.Overdue > 0 {
		words = append(words, number(p.Overdue)+" overdue")
	}
	if len(words) == 0 {
		return "none was sent and has no outcome"
	}
	return strings.Join(words, "; ")
}

func (t *text) parked(p Provider) string {
	var reasons []string
	for _, code := range slices.SortedFunc(maps.Keys(p.Payments.Parked), func(x, y string) int {
		return cmp.Or(cmp.Compare(p.Payments.Parked[y], p.Payments.Parked[x]), cmp.Compare(x, y))
	}) {
		reasons = append(reasons, number(p.Payments.Parked[code])+" "+cmp.Or(code, "without a reason"))
	}
	words := number(p.Payments.Open[payment.Parked].Number) + ": " + strings.Join(reasons, ", ")
	if at := p.Payments.NextResumeAt; !at.IsZero() {
		zone := time.UTC
		if len(p.Hours) > 0 {
			zone = p.Hours[0].location
		}
		words += "; next " + moment(t.now, at, zone)
	}
	return words
}

func lastHour(h Hour) string {
	all := h.Settled + h.Failed
	if all == 0 {
		return "no outcome"
	}
	return fmt.Sprintf("%s of %s settled (%.1f %%); half within %s, 95 %% within %s", number(h.Settled), number(all), 100*float64(h.Settled)/float64(all),
		seconds(h.Half), seconds(h.Most))
}

func (t *text) processes(all []Process) {
	t.line("\n", "PROCESSES")
	if all == nil {
		t.line("  ", "unknown")
		return
	}
	if len(all) == 0 {
		t.line("  ", "none lives")
	}
	configurations := map[string]string{} // by service
	for _, p := range all {
		configurations[p.Service] = p.Configuration
		work := number(int(p.InFlight)) + " in work"
		if p.Slots > 0 {
			work += ", " + number(p.Slots) + " slots"
		}
		words := fmt.Sprintf("%s %s, up %s, %s, configuration %s", cmp.Or(p.Process, p.Service), p.Version, span(t.now.Sub(p.StartedAt)), work, p.Configuration)
		if c := p.Clock; c != nil && (c.Difference > 1 || c.Difference < -1) {
			words += fmt.Sprintf(", clock %+.1fs", c.Difference)
		}
		if !p.Ready {
			words += ", NOT READY"
		}
		t.line("  ", words)
		for _, name := range slices.Sorted(maps.Keys(p.Failures)) {
			t.line("    ", fmt.Sprintf("%s, %s ago: %s", name, span(t.now.Sub(p.Failures[name].At)), p.Failures[name].Error))
		}
	}
	if len(slices.Compact(slices.Sorted(maps.Values(configurations)))) > 1 {
		t.line("  ", "configuration: a digest, to compare processes of one service; services read different parts of the file")
	}
}

func (t *text) endpoints(all []Endpoint) {
	if len(all) == 0 {
		return
	}
	t.line("\n", "ENDPOINTS")
	longest := 0
	for _, e := range all {
		longest = max(longest, len(e.Name))
	}
	for _, e := range all {
		t.line(fmt.Sprintf("  %-*s  ", longest, shown(e.Name)), t.endpoint(e))
	}
}

func (t *text) endpoint(e Endpoint) string {
	var words []string
	if e.Disabled {
		words = append(words, "DISABLED")
	}
	switch e.Breaker {
	case "":
		words = append(words, "breaker unknown")
	case BreakerClosed:
		words = append(words, "breaker closed")
	default:
		word := "BREAKER " + strings.ToUpper(strings.ReplaceAll(e.Breaker, "_", " "))
		if e.Breaker == BreakerOpen && e.TriesAt.After(t.now) {
			word += ", a request in " + span(e.TriesAt.Sub(t.now))
		}
		words = append(words, word)
	}
	switch {
	case e.New == nil || e.Due == nil:
		words = append(words, "what waits is unknown")
	case *e.New+*e.Due == 0:
		words = append(words, "nothing waits")
	default:
		words = append(words, fmt.Sprintf("%s new, %s to send again", number(*e.New), number(*e.Due)))
	}
	if len(e.Failures) > 0 {
		f := e.Failures[0]
		words = append(words, fmt.Sprintf("last failure %s ago: %s", span(t.now.Sub(f.At)), f.Error))
	}
	return strings.Join(words, "; ")
}

func (t *text) attention(r Report) {
	if r.AttentionTotal == nil {
		t.line("\n", "NEEDS A PERSON: unknown")
	} else {
		t.line("\n", "NEEDS A PERSON: "+number(*r.AttentionTotal))
	}
	for _, i := range r.Attention {
		t.line(fmt.Sprintf("  %8s  ", t.age(i.Since)), what(i))
		t.next(i.Next)
	}
	if r.AttentionTotal == nil {
		return
	}
	if more := *r.AttentionTotal - len(r.Attention); more > 0 {
		t.line("  ", "and "+number(more)+" more, which are younger")
	}
}

// next writes what a person does, with the command to type on a line of its own.
func (t *text) next(words string) {
	indent := strings.Repeat(" ", 12)
	if at := strings.Index(words, "payctl "); at > 0 {
		t.line(indent, words[:at])
		words = words[at:]
	}
	t.line(indent, words)
}

func what(i Item) string {
	if i.Reason == DeadLetters {
		return i.Provider + ": " + counted(i.Number, "dead letter")
	}
	if i.Reason == Approval {
		return approval(i)
	}
	words := i.Provider + " " + i.Order
	if !i.Amount.IsZero() {
		words += ", " + string(i.Operation) + " of " + i.Amount.String()
	}
	words += ": " + strings.ReplaceAll(string(i.Status), "_", " ")
	if i.Reason != "" {
		words += ", " + i.Reason
	}
	if i.Number > 1 {
		words += ", the oldest of " + number(i.Number)
	}
	return words
}

// approval is a request for a second person: what, about how much, and by whom.
func approval(i Item) string {
	words := fmt.Sprintf("request %d to %s at %s", i.Request, i.Action, i.Provider)
	switch {
	case i.Action == events.ActionImport:
		words += ": " + counted(i.Number, "payout")
	case i.Order != "":
		words += " " + i.Order
	default:
		words += ": " + counted(i.Number, "payment")
	}
	if !i.Amount.IsZero() {
		words += ", " + i.Amount.String()
	}
	return words + ", asked for by " + i.By
}

func (t *text) age(since time.Time) string {
	if since.IsZero() {
		return "?"
	}
	return span(t.now.Sub(since))
}

// span is a duration as a person says it: its two largest units.
func span(d time.Duration) string {
	d = d.Abs()
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm %ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh %dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd %dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

func seconds(s float64) string {
	if s < 10 {
		return strconv.FormatFloat(s, 'f', -1, 64) + "s"
	}
	return span(time.Duration(s * float64(time.Second)))
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return number(n) + " " + what
}

// number groups digits by three.
func number(n int) string {
	digits := strconv.Itoa(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// shown replaces what a terminal obeys.
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Cf, r) {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
