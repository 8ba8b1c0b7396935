package simulation

import (
	"testing"
	"time"
)

// The engine must see both clocks of a machine, each with its own time.
func TestAReadingHasTwoClocks(t *testing.T) {
	a := reading(epoch.Add(time.Nanosecond), time.Second)
	if want := epoch.Add(time.Nanosecond); !a.Round(0).Equal(want) || a.Round(0) != want || a == want {
		t.Fatalf("the wall clock shows %s, want %s", a, want)
	}
	b := reading(epoch.Add(-time.Hour), 3*time.Second)
	if wall, mono := b.Round(0).Sub(a.Round(0)), b.Sub(a); wall != -time.Hour-time.Nanosecond || mono != 2*time.Second {
		t.Errorf("the wall clock moved by %s, the monotonic clock by %s", wall, mono)
	}
	if got := b.Add(time.Minute).Sub(a); got != time.Minute+2*time.Second {
		t.Errorf("a time and a minute is %s later", got)
	}
}
