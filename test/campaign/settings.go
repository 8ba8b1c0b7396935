package campaign

import (
	"fmt"
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/config"
	"payonce/test/testenv"
)

// Times of the services under testenv, short enough for a run of a minute.
const (
	basicTime       = 10 * time.Second // a payment without news is looked up; the longest settling delay
	threshold       = 2 * time.Minute  // until a person is alerted, and a new lookup schedule begins: a customer may come late
	unknownOrderFor = 15 * time.Second // a webhook waits for the command of its order
	resumeSpread    = 3 * time.Second
	shutdownTimeout = 4 * time.Second
	// parkMax lets what is parked again and again stay so for longer each time, until payctl, which takes seconds on a
	// machine that is busy, finds it there.
	parkMax = 30 * time.Second
	// The margins are as documented: a lease (3 s) and the difference of the clocks before the closing, the
	// difference of the clocks after the opening.
	marginBeforeClosing = 4 * time.Second
	marginAfterOpening  = time.Second
)

// closes is the account that closes and opens. It has deposits and payouts, and no payment pages: a customer
// who opens one asks the provider at any hour.
const closes = testenv.DiamondPayV2

// It goes on closing for a while when the load is in, because a machine that is busy works it off late. In a
// long run it stops after so many closings.
const (
	closesOn    = 4 * time.Minute
	maxClosings = 30
)

// closing is a time in which a provider is closed: from the first instant until the second, which is open.
type closing struct{ from, to time.Time }

// closings returns when a provider is closed during a load that begins at the given time: in a third of it,
// in whole seconds.
func closings(begin time.Time, length time.Duration) []closing {
	period := min(max(length/2, 12*time.Second), time.Minute)
	var all []closing
	for at := begin.Add(period / 4); at.Before(begin.Add(length+closesOn)) && len(all) < maxClosings; at = at.Add(period) {
		from := at.Truncate(time.Second)
		all = append(all, closing{from, from.Add((period / 3).Truncate(time.Second))})
	}
	return all
}

// hoursOf writes closings as opening hours, without margins. The zone makes it noon, so that no closing
// meets midnight.
func hoursOf(all []closing) calendar.Config {
	offset := 12 - all[0].from.UTC().Hour()
	zone := time.FixedZone("noon", offset*3600)
	text := "00:00"
	for _, one := range all {
		text += fmt.Sprintf("-%s, %s", one.from.In(zone).Format(time.TimeOnly), one.to.In(zone).Format(time.TimeOnly))
	}
	return calendar.Config{Zone: fmt.Sprintf("%+03d:00", offset), Days: "sun-sat", Hours: text + "-24:00"}
}

// slotsFor is how many payments of one provider a worker has at the same time: few orders need few. On a machine that is
// slow, what many do at once takes each of them longer than its timeout, is begun again, and nothing ends any more.
func slotsFor(orders int) int { return min(max(orders/40, 4), config.Defaults().Worker.Slots) }

// edit changes a test environment's configuration to the times and slots of a campaign.
func edit(s *testenv.System, hours calendar.Config, slots int) {
	s.Edit("\nworker:\n", fmt.Sprintf("\nworker:\n  slots: %d\n  unknown_order_for: %s\n  resume_spread: %s\n  shutdown_timeout: %s\n", slots, unknownOrderFor, resumeSpread, shutdownTimeout),
		"\n  park_max: 5s\n", fmt.Sprintf("\n  park_max: %s\n", parkMax),
		"    breaker: {open_for: 2s}\n", fmt.Sprintf("    breaker: {open_for: 2s}\n    basic_time: %s\n    threshold: %s\n", basicTime, threshold),
		"\n  "+closes+":\n", fmt.Sprintf("\n  %s:\n    hours: {zone: %q, days: %q, hours: %q, margin_before_closing: %s, margin_after_opening: %s}\n",
			closes, hours.Zone, hours.Days, hours.Hours, marginBeforeClosing, marginAfterOpening))
}
