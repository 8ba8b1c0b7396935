package streamconfig_test

import (
	"reflect"
	"slices"
	"testing"

	"payonce/internal/streamconfig"
	"payonce/pkg/config"
)

// Every setting of the streams comes from the configuration or has a value of its own; one that is left out here would be
// zero, whatever the file says.
func TestEverySettingHasAValue(t *testing.T) {
	cfg := config.Defaults()
	cfg.NATS.Accounts, cfg.NATS.Upstreams, cfg.NATS.Ledgers = true, []string{"shop"}, []string{"accounting"}
	cfg.NATS.Replicas, cfg.Archive.File = 3, "archive.db"
	cfg.Endpoints = map[string]config.Endpoint{"shop": {EveryUpstream: true, Providers: []string{"acme"}}}
	streams := streamconfig.Of(cfg)
	if err := streams.Validate(); err != nil {
		t.Error(err)
	}
	value := reflect.ValueOf(streams)
	var zero []string
	for i := range value.NumField() {
		if value.Field(i).IsZero() {
			zero = append(zero, value.Type().Field(i).Name)
		}
	}
	if len(zero) > 0 {
		t.Errorf("%q are zero", zero)
	}
	if e := streams.Endpoints[0]; e.Name != "shop" || !slices.Equal(e.Providers, []string{"acme"}) || len(e.Statuses) != 4 {
		t.Errorf("%+v", e)
	}
	if streams.Replicas != 3 || !slices.Equal(streams.Upstreams, cfg.NATS.Upstreams) || !slices.Equal(streams.Ledgers, cfg.NATS.Ledgers) ||
		streams.PaymentRetention != cfg.NATS.PaymentsRetention || streams.WebhookRetention != cfg.NATS.WebhooksRetention ||
		streams.DeadLetterRetention != cfg.NATS.DeadLettersRetention || streams.AuditRetention != cfg.NATS.AuditRetention ||
		streams.ActionRetention != cfg.NATS.ActionsRetention || streams.AckWait != cfg.Worker.AckWait ||
		streams.OrphanAfter != cfg.Worker.UnknownProviderFor || streams.DeadLetterBytes != int64(cfg.NATS.DeadLettersBytes) {
		t.Errorf("of %+v: %+v", cfg.NATS, streams)
	}
	cfg.NATS.Accounts = false // the archive makes its consumer itself
	if streams.Archive != "archive" || streamconfig.Of(cfg).Archive != "" {
		t.Errorf("consumer %q", streams.Archive)
	}
}
