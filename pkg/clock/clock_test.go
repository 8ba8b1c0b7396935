package clock_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"payonce/pkg/clock"
)

// machine is a machine and a broker whose clocks a test moves.
type machine struct {
	t            *testing.T
	now          time.Duration // of the world, unseen by all
	wall         time.Duration // what the machine's wall clock is ahead by
	still        time.Duration // what its monotonic clock has missed
	broker       time.Duration // what the broker's clock is ahead by
	clock        *clock.Clock
	there, lasts time.Duration // to the broker, and the whole round trip
}

var epoch = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

const steady = time.Minute

func newMachine(t *testing.T) *machine {
	m := &machine{t: t, there: time.Millisecond, lasts: 2 * time.Millisecond}
	m.clock = clock.New(func() clock.Reading {
		return clock.Reading{Wall: epoch.Add(m.now + m.wall), Mono: m.now - m.still}
	}, clock.Limits{Bound: time.Second, Difference: 10 * time.Second, Steady: steady})
	return m
}

func (m *machine) measure() {
	sent := m.clock.Local()
	m.now += m.there
	at := epoch.Add(m.now + m.broker)
	m.now += m.lasts - m.there
	m.clock.Observe(sent, m.clock.Local(), at)
}

// off is how far the clock is ahead of the broker's.
func (m *machine) off() time.Duration { return m.clock.Now().Sub(epoch.Add(m.now + m.broker)) }

func (m *machine) near(within time.Duration) {
	m.t.Helper()
	if off := m.off(); off.Abs() > within {
		m.t.Errorf("it is off by %s", off)
	}
}

func (m *machine) check(want error) {
	m.t.Helper()
	if err := m.clock.Check(); !errors.Is(err, want) {
		m.t.Errorf("check: %v, want %v", err, want)
	}
}

func TestBeforeAnyMeasurementItIsTheMachines(t *testing.T) {
	m := newMachine(t)
	m.wall = time.Hour
	if now := m.clock.Now(); !now.Equal(epoch.Add(time.Hour)) {
		t.Errorf("it is %s", now)
	}
	m.check(clock.ErrUnmeasured)
	if s := m.clock.State(); s.Measured || s.Exceeds(0) {
		t.Errorf("%+v", s)
	}
}

// Whatever the machine's clock shows, the time is the broker's.
func TestTheTimeIsTheBrokers(t *testing.T) {
	for _, wall := range []time.Duration{0, 3 * time.Second, -9 * time.Second, 10 * time.Minute, -10 * time.Minute, -24 * time.Hour} {
		m := newMachine(t)
		m.wall = wall
		m.measure()
		m.near(time.Millisecond)
		m.now += time.Minute
		m.near(time.Millisecond)
		s := m.clock.State()
		if (s.Difference-wall).Abs() > 2*time.Millisecond || s.Exceeds(2*time.Second) != (wall.Abs() > 2*time.Second) {
			t.Errorf("%s: %+v", wall, s)
		}
		if err := m.clock.Check(); (err != nil) != (wall.Abs() > 10*time.Second) {
			t.Errorf("%s: %v", wall, err)
		}
	}
}

func TestADifferenceBeyondTheLimit(t *testing.T) {
	for wall, says := range map[time.Duration]string{10 * time.Minute: "10m0s ahead of the broker's", -11 * time.Second: "11s behind the broker's"} {
		m := newMachine(t)
		m.wall = wall
		m.measure()
		m.check(clock.ErrDiffers)
		if err := m.clock.Check(); !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "10s are allowed") {
			t.Errorf("%v", err)
		}
		m.wall = 0 // NTP has set it
		m.check(clock.ErrJumped)
		m.measure()
		m.check(nil)
		m.near(time.Millisecond)
	}
}

// The wall clock is set between two measurements: the time goes on as before, and nothing is taken until it is measured again.
func TestTheWallClockIsSet(t *testing.T) {
	for _, by := range []time.Duration{time.Second, -time.Second, 5 * time.Minute, -5 * time.Minute} {
		m := newMachine(t)
		m.measure()
		m.now += time.Second
		m.wall += by
		m.near(5 * time.Millisecond)
		m.check(clock.ErrJumped)
		m.measure()
		m.near(5 * time.Millisecond)
		if err := m.clock.Check(); by.Abs() < 10*time.Second && err != nil || errors.Is(err, clock.ErrUnsteady) {
			t.Errorf("%s: %v", by, err)
		}
	}
}

// While the machine is suspended its monotonic clock stands still. The time is then early, never late, and the wall
// clock shows it.
func TestTheMachineIsSuspended(t *testing.T) {
	m := newMachine(t)
	m.measure()
	m.now += 26 * time.Second
	m.still += 26 * time.Second
	if off := m.off(); off > 0 || off < -27*time.Second {
		t.Errorf("it is off by %s", off)
	}
	m.check(clock.ErrJumped)
	m.measure()
	m.near(5 * time.Millisecond)
	m.check(nil) // our own pause is no reason to distrust the broker
}

// A hypervisor stops both clocks: only the broker shows it. It could be the broker's clock that jumped, so what was
// written before must grow old first.
func TestBothClocksStandStill(t *testing.T) {
	m := newMachine(t)
	m.measure()
	m.now += 26 * time.Second
	m.still += 26 * time.Second
	m.wall -= 26 * time.Second
	m.check(nil) // nothing on this machine shows it
	m.measure()
	m.near(5 * time.Millisecond)
	m.check(clock.ErrDiffers)
	m.wall += 26 * time.Second // NTP has set it
	m.measure()
	m.check(clock.ErrUnsteady)
	m.now += steady
	m.measure()
	m.check(nil)
}

func TestTheBrokersClockJumps(t *testing.T) {
	for _, by := range []time.Duration{3 * time.Second, -3 * time.Second} {
		m := newMachine(t)
		m.measure()
		m.now += 5 * time.Second
		m.broker += by // another server leads
		m.measure()
		m.near(5 * time.Millisecond)
		m.check(clock.ErrUnsteady)
		for range 11 {
			m.now += 5 * time.Second
			m.measure()
			m.check(clock.ErrUnsteady)
		}
		m.now += 6 * time.Second
		m.measure()
		m.check(nil)
		m.near(5 * time.Millisecond)
	}
}

// Servers whose clocks differ by less than the bound may take turns.
func TestServersThatDifferALittle(t *testing.T) {
	m := newMachine(t)
	for range 10 {
		m.measure()
		m.check(nil)
		m.near(10 * time.Millisecond)
		m.now += 5 * time.Second
		m.broker = 300*time.Millisecond - m.broker
	}
}

// One slow answer makes nothing worse; a clock that has only slow answers is not good enough.
func TestSlowAnswers(t *testing.T) {
	m := newMachine(t)
	m.measure()
	m.now += 5 * time.Second
	m.lasts, m.there = 2*time.Second, 1900*time.Millisecond
	m.measure()
	m.near(10 * time.Millisecond)
	m.check(nil)

	m = newMachine(t)
	m.lasts, m.there = 2*time.Second, 1900*time.Millisecond
	m.measure()
	m.check(clock.ErrUncertain)
	m.near(time.Second)
	m.lasts, m.there = 2*time.Millisecond, time.Millisecond
	m.measure()
	m.check(nil)
	m.near(time.Millisecond)
}

// What is not measured for long is not known any more.
func TestTheUncertaintyGrows(t *testing.T) {
	m := newMachine(t)
	m.measure()
	m.now += 8 * time.Minute
	m.check(nil)
	m.now += time.Minute
	m.check(clock.ErrUncertain)
	if err := m.clock.Check(); !strings.Contains(err.Error(), "9m0s ago") {
		t.Error(err)
	}
	m.measure()
	m.check(nil)
}

// A clock that drifts is followed.
func TestDrift(t *testing.T) {
	m := newMachine(t)
	for range 1000 {
		m.measure()
		m.near(10 * time.Millisecond)
		m.now += 5 * time.Second
		m.still += 2 * time.Millisecond // 400 ppm
		m.wall -= 2 * time.Millisecond
	}
	if s := m.clock.State(); s.Difference > -time.Second || s.Unsteady > 0 {
		t.Errorf("%+v", s)
	}
}

// No process can measure better than LeastBound allows it to be.
func TestTheLeastBound(t *testing.T) {
	m := newMachine(t)
	m.clock.Allow(clock.Limits{})
	m.measure()
	m.check(nil)
	if s := m.clock.State(); s.Allowed != clock.LeastBound/2 {
		t.Errorf("%+v", s)
	}
}

func TestMachine(t *testing.T) {
	now := time.Now()
	read := clock.Machine(func() time.Time { return now })
	now = now.Add(time.Second)
	if r := read(); r.Mono != time.Second || !r.Wall.Equal(now) || strings.Contains(r.Wall.String(), "m=") {
		t.Errorf("%+v", r)
	}
}
