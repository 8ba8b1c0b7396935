// Package streamconfig makes the settings of the streams out of the configuration: programs and what starts them in tests must
// agree on them.
package streamconfig

import (
	"payonce/pkg/config"
	"payonce/pkg/events/jetstream"
)

// Of returns the settings of the streams.
func Of(cfg config.Config) jetstream.Config {
	streams := jetstream.BaseConfig()
	streams.Replicas = cfg.NATS.Replicas
	streams.PaymentRetention = cfg.NATS.PaymentsRetention
	streams.WebhookRetention = cfg.NATS.WebhooksRetention
	streams.DeadLetterRetention = cfg.NATS.DeadLettersRetention
	streams.DeadLetterBytes = int64(cfg.NATS.DeadLettersBytes)
	streams.AuditRetention = cfg.NATS.AuditRetention
	streams.ActionRetention = cfg.NATS.ActionsRetention
	streams.AckWait, streams.OrphanAfter = cfg.Worker.AckWait, cfg.Worker.UnknownProviderFor
	streams.Accounts, streams.GroupCommit = cfg.NATS.Accounts, cfg.NATS.GroupCommit
	streams.Upstreams, streams.Ledgers = cfg.NATS.Upstreams, cfg.NATS.Ledgers
	for _, e := range cfg.SendTo() {
		streams.Endpoints = append(streams.Endpoints, jetstream.Endpoint{Name: e.Name, Providers: e.Providers, Statuses: e.Statuses})
	}
	if cfg.NATS.Accounts && cfg.Archive.Configured() {
		streams.Archive = cfg.Archive.Consumer
	}
	return streams
}
