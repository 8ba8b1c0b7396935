package sandbox

import (
	"errors"
	"slices"
	"time"
)

// Hours are the working hours of a provider. Outside them requests are accepted, but nothing is processed:
// money and instructions wait for the next opening, and so do all callbacks. The zero Hours are always.
type Hours struct {
	// Zone is the time zone of the clock; nil is always open.
	Zone *time.Location
	// Days on which it opens.
	Days []time.Weekday
	// From and To are times since midnight: open at From, closed at To.
	From, To time.Duration
}

func (h Hours) validate() error {
	if h.Zone == nil {
		return nil
	}
	if len(h.Days) == 0 || h.From < 0 || h.From >= h.To || h.To > 24*time.Hour {
		return errors.New("hours: they need days, and must open before they close")
	}
	return nil
}

// Until is how long it takes from t to the next opening; 0 while open.
func (h Hours) Until(t time.Time) time.Duration {
	if h.Zone == nil {
		return 0
	}
	local := t.In(h.Zone)
	for ahead := range 8 { // a week later the same day comes again
		midnight := time.Date(local.Year(), local.Month(), local.Day()+ahead, 0, 0, 0, 0, h.Zone)
		opens, closes := midnight.Add(h.From), midnight.Add(h.To)
		if slices.Contains(h.Days, midnight.Weekday()) && local.Before(closes) {
			return max(0, opens.Sub(local))
		}
	}
	return 0
}

// untilOpen blocks while the provider is closed. An error means that the sandbox ends.
func (d *Account) untilOpen() error {
	if wait := d.config.Hours.Until(d.Now()); wait > 0 {
		return d.box.options.Wait(d.box.ctx, wait)
	}
	return nil
}

// later works on the ledger after a delay, and not before the provider opens.
func (d *Account) later(delay time.Duration, work func()) {
	d.box.after(delay, func() {
		if d.untilOpen() != nil {
			return
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		work()
	})
}
