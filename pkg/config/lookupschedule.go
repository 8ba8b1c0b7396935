package config

import (
	"cmp"
	"time"

	"payonce/pkg/connectors"
)

// The clocks in which a threshold can count.
const (
	WallClock = "wall" // also while the provider is closed
	OpenClock = "open" // only while it is open
)

// The times of a provider whose kind documents none; the first is ECommPay's.
const (
	basicTime        = 10 * time.Minute
	overdueThreshold = 2 * day
)

// resolveSchedule puts the times in effect at which open payments are looked up. The first comes when the
// provider's "I do not know this order" can be believed, the last while the log still knows the payment;
// defaults give way to that.
func (c *Config) resolveSchedule(found *problems, key, name string, traits *connectors.Traits) {
	provider := c.Providers[name]
	if traits != nil {
		basic := max(cmp.Or(traits.BasicTime, basicTime), traits.SettlingDelay)
		threshold := min(cmp.Or(traits.Threshold, overdueThreshold), c.NATS.PaymentsRetention/2)
		provider.BasicTime = cmp.Or(provider.BasicTime, basic)
		provider.Threshold = cmp.Or(provider.Threshold, threshold)
		byDefault := OpenClock
		if traits.ThresholdInWallClock {
			byDefault = WallClock
		}
		provider.ThresholdClock = cmp.Or(provider.ThresholdClock, byDefault)
		c.Providers[name] = provider
		found.check(provider.BasicTime >= traits.SettlingDelay, key+".basic_time", "is %s and must not be shorter than the settling_delay (%s): "+
			"before that, the provider may not report an order that it has", showDuration(provider.BasicTime), showDuration(traits.SettlingDelay))
	}
	if provider.Threshold > 0 { // else the kind is not known, and with it what is in effect
		found.shorter(key+".basic_time", provider.BasicTime, key+".threshold", provider.Threshold, "look-ups are made between the two")
		found.shorter(key+".threshold", provider.Threshold, "nats.payments_retention", c.NATS.PaymentsRetention,
			"a payment must be kept until it is reported as overdue")
	}
}
