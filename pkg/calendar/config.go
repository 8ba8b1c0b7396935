package calendar

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones are there on every machine
)

// MaxMargin is the longest margin.
const MaxMargin = 12 * time.Hour

// Config is how opening hours are written in a configuration file. The zero Config is always open.
type Config struct {
	// Zone of the provider's clock: an IANA name like "Asia/Seoul", or an offset from UTC like "+09:00".
	Zone string `yaml:"zone"`
	// Days and Hours are what most providers need, see [Rule].
	Days  string `yaml:"days"`
	Hours string `yaml:"hours"`
	// Week replaces Days and Hours where days differ.
	Week []Rule `yaml:"week"`
	// Closed lists extra closed days: a date of the provider's clock, then its name if wanted, e.g.
	// "2026-09-25 Chuseok". The whole date is closed, and so are hours that would begin on it and end on
	// the next.
	Closed []string `yaml:"closed"`
	// ClosedKnownUntil is the last date for which Closed is complete; required beside Closed.
	ClosedKnownUntil string `yaml:"closed_known_until"`
	// MarginAfterOpening and MarginBeforeClosing are set aside, so that nothing is sent while the
	// provider's clock may say otherwise, or too late to be worked on. They are at most [MaxMargin]. Hours
	// that touch, such as 00:00-24:00 on days in a row, have no closing between them. A file gives the one before
	// closing by operation, so it is no key of this type.
	MarginAfterOpening  time.Duration `yaml:"margin_after_opening"`
	MarginBeforeClosing time.Duration
}

// Rule gives the hours of some days of each week.
type Rule struct {
	// Days, e.g. "mon-fri", "sat" or "mon-thu, sat".
	Days string `yaml:"days"`
	// Hours, e.g. "08:00-23:59" or "09:00-12:00, 13:00-18:00". At the second time it is closed:
	// "08:00-23:59" is closed from 23:59:00 on. Seconds may be given: "08:00-23:59:30". The end may be
	// 24:00, or lie on the next day: "22:00-02:00".
	Hours string `yaml:"hours"`
}

// ECommPayKorea returns the hours of ECommPay's "Banks of Korea": "Monday – Friday from 8:00 to 23:59
// (GMT+9)" (ECommPay's Korean banks page; it depends on the provider behind ECommPay). Whether the last minute is still open
// is not said, so it is closed, which costs a minute. Whether Korean public holidays are closed is not
// said either: there are none here, add those that the account manager names.
func ECommPayKorea() Config {
	return Config{Zone: "+09:00", Days: "mon-fri", Hours: "08:00-23:59"}
}

// Parse makes Hours. The error joins all problems; each begins with the key that it is about and shows
// no value.
func Parse(c Config) (Hours, error) {
	if reflect.ValueOf(c).IsZero() {
		return Hours{}, nil
	}
	var p parser
	p.zone(c.Zone)
	p.week(c)
	p.closed(c)
	p.margins(c)
	if len(p.problems) > 0 {
		return Hours{}, errors.Join(p.problems...)
	}
	return p.hours, nil
}

type parser struct {
	hours    Hours
	problems []error
}

func (p *parser) problem(key, text string) {
	p.problems = append(p.problems, fmt.Errorf("%s: %s", key, text))
}

func (p *parser) zone(name string) {
	p.hours.zone = time.UTC // for the checks that follow
	switch {
	case name == "":
		p.problem("zone", "is required")
	case name[0] == '+' || name[0] == '-':
		at, err := time.Parse("-07:00", name)
		_, offset := at.Zone()
		if err != nil || offset < -12*3600 || offset > 14*3600 {
			p.problem("zone", "must be an offset between -12:00 and +14:00")
			return
		}
		p.hours.zone = time.FixedZone(name, offset)
	case strings.HasPrefix(name, "Etc/GMT"):
		p.problem("zone", `has its sign reversed in the names of Etc/GMT: write an offset like "+09:00"`)
	default:
		zone, err := time.LoadLocation(name)
		if err != nil || name == "Local" { // Local would differ from machine to machine
			p.problem("zone", `must be an IANA name like "Asia/Seoul" or an offset like "+09:00"`)
			return
		}
		p.hours.zone = zone
	}
}

func (p *parser) week(c Config) {
	if len(c.Week) == 0 {
		p.rule("", Rule{Days: c.Days, Hours: c.Hours})
	} else if c.Days != "" || c.Hours != "" {
		p.problem("week", "excludes days and hours: set one of them")
	}
	for i, rule := range c.Week {
		p.rule(fmt.Sprintf("week[%d].", i), rule)
	}
	for _, day := range p.hours.week {
		slices.SortFunc(day, func(a, b interval) int { return cmp.Compare(a.from, b.from) })
	}
}

func (p *parser) rule(prefix string, rule Rule) {
	days, problem := parseDays(rule.Days)
	if problem != "" {
		p.problem(prefix+"days", problem)
	}
	intervals, problem := parseIntervals(rule.Hours)
	if problem != "" {
		p.problem(prefix+"hours", problem)
	}
	fits := true
	for _, weekday := range days {
		for _, iv := range intervals {
			if iv.from < iv.to {
				fits = p.add(weekday, iv) && fits
				continue
			}
			fits = p.add(weekday, interval{from: iv.from, to: fullDay}) && fits
			fits = p.add((weekday+1)%7, interval{to: iv.to, begun: true}) && fits
		}
	}
	if !fits {
		p.problem(prefix+"hours", "overlap with each other or with those of another rule")
	}
}

// add reports whether the interval is free of overlaps.
func (p *parser) add(weekday time.Weekday, iv interval) bool {
	known := p.hours.week[weekday]
	p.hours.week[weekday] = append(known, iv)
	return !slices.ContainsFunc(known, func(k interval) bool { return k.from < iv.to && iv.from < k.to })
}

func (p *parser) closed(c Config) {
	p.hours.closed = map[int64]string{}
	for i, line := range c.Closed {
		key := fmt.Sprintf("closed[%d]", i)
		date, name, _ := strings.Cut(line, " ")
		midnight, err := time.Parse(time.DateOnly, date)
		if err != nil {
			p.problem(key, `must be a date like 2026-09-25, then its name if wanted`)
			continue
		}
		number := dayOf(midnight.Unix())
		if _, twice := p.hours.closed[number]; twice {
			p.problem(key, "is in the list twice")
		}
		p.hours.closed[number] = strings.TrimSpace(name)
	}
	switch date, err := time.Parse(time.DateOnly, c.ClosedKnownUntil); {
	case c.ClosedKnownUntil == "" && len(c.Closed) > 0:
		p.problem("closed_known_until", "is required beside closed, so that there is a warning before the list runs out")
	case c.ClosedKnownUntil == "":
	case err != nil:
		p.problem("closed_known_until", "must be a date like 2026-12-31")
	default:
		year, month, day := date.Date()
		p.hours.knownUntil = time.Date(year, month, day+1, 0, 0, 0, 0, p.hours.zone)
		p.hours.knownDate = c.ClosedKnownUntil
	}
}

func (p *parser) margins(c Config) {
	p.hours.afterOpening, p.hours.beforeClosing = c.MarginAfterOpening, c.MarginBeforeClosing
	if c.MarginAfterOpening < 0 || c.MarginAfterOpening > MaxMargin {
		p.problem("margin_after_opening", "must be between 0 and 12h")
	}
	if c.MarginBeforeClosing < 0 || c.MarginBeforeClosing > MaxMargin {
		p.problem("margin_before_closing", "must be between 0 and 12h")
	}
	if len(p.problems) > 0 {
		return
	}
	ordinary := p.hours
	ordinary.closed = nil
	if _, opens := ordinary.NextOpening(time.Unix(0, 0)); !opens {
		p.problem("margin_before_closing", "and margin_after_opening leave no open time")
	}
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// parseDays reads "mon-thu, sat".
func parseDays(text string) (days []time.Weekday, problem string) {
	if text == "" {
		return nil, "is required"
	}
	for part := range strings.SplitSeq(text, ",") {
		from, to, ranged := strings.Cut(strings.TrimSpace(part), "-")
		first, last := slices.Index(weekdays, from), slices.Index(weekdays, to)
		if !ranged {
			last = first
		}
		if first < 0 || last < 0 {
			return nil, `must be days like "mon-fri" or "mon-thu, sat"`
		}
		for n := range (last-first+7)%7 + 1 {
			weekday := time.Weekday((first + n) % 7)
			if slices.Contains(days, weekday) {
				return nil, "has a day twice"
			}
			days = append(days, weekday)
		}
	}
	return days, ""
}

// parseIntervals reads "09:00-12:00, 22:00-02:00". An interval that ends on the next day has its end
// before its beginning.
func parseIntervals(text string) (intervals []interval, problem string) {
	if text == "" {
		return nil, "is required"
	}
	for part := range strings.SplitSeq(text, ",") {
		opens, closes, _ := strings.Cut(strings.TrimSpace(part), "-")
		from, ok1 := parseClock(opens)
		to, ok2 := parseClock(closes)
		if !ok1 || !ok2 || from == fullDay {
			return nil, `must be hours like "08:00-23:59" or "09:00-12:00, 22:00-02:00"`
		}
		if from == to {
			return nil, "has an interval that ends as it begins: a whole day is 00:00-24:00"
		}
		intervals = append(intervals, interval{from: from, to: to})
	}
	return intervals, ""
}

// parseClock reads "08:00" or "08:00:30", to "24:00", as seconds since midnight.
func parseClock(text string) (int64, bool) {
	if text == "24:00" {
		return fullDay, true
	}
	layout := time.TimeOnly
	if len(text) == len("15:04") {
		layout = "15:04"
	}
	at, err := time.Parse(layout, text)
	if err != nil || len(text) != len(layout) { // time.Parse also takes fractions, and hours of one digit
		return 0, false
	}
	return int64(at.Hour()*3600 + at.Minute()*60 + at.Second()), true
}
