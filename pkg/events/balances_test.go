package events_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// A balance is read back as it was written, also by a version that does not know a later field. What could not be booked is neither
// written nor read.
func TestBalanceRoundTrips(t *testing.T) {
	want := exampleBalance()
	m, err := events.EncodeBalance(want, "id")
	if err != nil || m.Subject != "balance.reported.teemopay-kr" || m.Header.Get("ce-type") != events.BalanceType || m.Header.Get("ce-id") != "id" {
		t.Fatalf("%+v, %v", m, err)
	}
	later := []byte(strings.Replace(string(m.Data), "{", `{"later":"added",`, 1))
	for _, data := range [][]byte{m.Data, later} {
		if got, err := events.DecodeBalance(data); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s was read as %+v, %v", data, got, err)
		}
	}
	for name, change := range map[string]func(*events.BalanceReport){
		"no provider":    func(r *events.BalanceReport) { r.Provider = "" },
		"no time":        func(r *events.BalanceReport) { r.ReportedAt = time.Time{} },
		"nothing":        func(r *events.BalanceReport) { r.Balances = nil },
		"no currency":    func(r *events.BalanceReport) { r.Balances[0].Available = payment.Money{} },
		"two currencies": func(r *events.BalanceReport) { r.Balances[0].Frozen = payment.TWD(1) },
		"less than zero": func(r *events.BalanceReport) { r.Balances[0].Available.Minor = -1 },
	} {
		r := exampleBalance()
		change(&r)
		if m, err := events.EncodeBalance(r, "id"); err == nil {
			t.Errorf("%s: written as %s", name, m.Data)
		}
	}
	for _, bad := range []string{`{}`, `null`, `[]`, `{"provider":"a","reported_at":"2026-11-22T00:00:00Z","balances":[{"available":{"value":"1","currency":"KRW"}}]}`} {
		if r, err := events.DecodeBalance([]byte(bad)); err == nil {
			t.Errorf("%s was read as %+v", bad, r)
		}
	}
}
