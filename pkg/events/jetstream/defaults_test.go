package jetstream

import "time"

// DefaultConfig is the configuration of the tests that do not change it. Programs get theirs from pkg/config.
func DefaultConfig() Config {
	const day = 24 * time.Hour
	c := BaseConfig()
	c.Replicas, c.AckWait, c.OrphanAfter, c.GroupCommit = 1, time.Minute, time.Minute, GroupCommitAuto
	c.PaymentRetention, c.WebhookRetention, c.DeadLetterRetention, c.AuditRetention, c.ActionRetention = 400*day, 30*day, 400*day, 1825*day, 35*day
	c.DeadLetterBytes = 256 << 20
	return c
}
