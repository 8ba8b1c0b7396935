package campaign

import (
	"testing"
	"time"

	"payonce/internal/app"
	"payonce/pkg/calendar"
	"payonce/pkg/config"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

// The hours that are written close exactly when the audit believes, at any hour of the day, and a load of any
// length has a closing that ends within it.
func TestClosingsAreTheHours(t *testing.T) {
	for hour := range 24 {
		for _, length := range []time.Duration{8 * time.Second, 25 * time.Second, time.Minute, time.Hour} {
			begin := time.Date(2026, 11, 22, hour, 59, 58, 123, time.UTC)
			all := closings(begin, length)
			if len(all) == 0 || !all[0].to.Before(begin.Add(length)) || all[0].to.Sub(all[0].from) < 4*time.Second {
				t.Fatalf("%d h, %s: %v", hour, length, all)
			}
			hours, err := calendar.Parse(hoursOf(all))
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range all {
				for _, at := range []struct {
					instant time.Time
					open    bool
				}{{one.from.Add(-1), true}, {one.from, false}, {one.to.Add(-1), false}, {one.to, true}} {
					if hours.Open(at.instant) != at.open {
						t.Errorf("%s is open: %t, closing %v", at.instant, !at.open, one)
					}
				}
			}
		}
	}
}

// Few orders get few slots, and the orders of make campaign as many as a file has that says nothing of them.
func TestSlotsAreForTheLoad(t *testing.T) {
	if few, all := slotsFor(smallest.Orders), slotsFor(DefaultOrders); few != 4 || all != config.Defaults().Worker.Slots {
		t.Errorf("%d and %d", few, all)
	}
}

// What is edited is in effect in the services' own eyes.
func TestEdit(t *testing.T) {
	s := testenv.NewSystem(t, t.TempDir(), testenv.Addresses{NATS: []string{"nats://127.0.0.1:1"}, Redis: "127.0.0.1:1", Sandbox: "http://127.0.0.1:1"}, nil)
	begin := time.Now()
	all := closings(begin, 12*time.Second)
	edit(s, hoursOf(all), slotsFor(150))
	cfg, err := config.Load(s.Config, config.OS())
	s.Must(err)
	if _, err := cfg.Connectors(app.Kinds(), time.Now); err != nil {
		t.Fatal(err)
	}
	if cfg.Worker.UnknownOrderFor != unknownOrderFor || cfg.Worker.ResumeSpread != resumeSpread || cfg.Worker.ShutdownTimeout != shutdownTimeout || cfg.Worker.ParkMax != parkMax || cfg.ProviderSlots(closes) != 4 {
		t.Errorf("%+v", cfg.Worker)
	}
	if cfg.Worker.Lease >= marginBeforeClosing {
		t.Errorf("a lease of %s needs a longer margin", cfg.Worker.Lease)
	}
	for name, provider := range cfg.Providers {
		if provider.BasicTime != basicTime || provider.Threshold != threshold {
			t.Errorf("%s: looked up after %s until %s", name, provider.BasicTime, provider.Threshold)
		}
		hours := app.Opening(cfg)(name, payment.Payout).Hours
		for at, open := range map[time.Time]bool{
			all[0].from.Add(-marginBeforeClosing): name != closes, all[0].to.Add(marginAfterOpening - 1): name != closes,
			all[0].from.Add(-marginBeforeClosing - 1): true, all[0].to.Add(marginAfterOpening): true,
		} {
			if hours.Open(at) != open {
				t.Errorf("%s at %s: open is %t", name, at, !open)
			}
		}
	}
}
