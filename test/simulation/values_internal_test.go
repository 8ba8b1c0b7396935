package simulation

import (
	"slices"
	"testing"

	"payonce/pkg/payment"
	"payonce/test/race"
)

// Every run that goes by what was written tells the same scenario when it reads the bytes, which finds events and commands that
// are read as something else.
func TestBytesAreReadAsTheyWereWritten(t *testing.T) {
	play := func(seed uint64, bytes bool) *world {
		w := newWorld(seed, Mutant{}, true)
		w.bytes = bytes
		w.run()
		return w
	}
	read := 0
	for seed := range uint64(race.Share(150, 10)) {
		values, bytes := play(seed, false), play(seed, true)
		if !slices.Equal(values.trace, bytes.trace) || len(bytes.problems) > 0 {
			t.Fatalf("seed %d: two traces, %v", seed, bytes.problems)
		}
		for _, m := range bytes.messages {
			if m.read {
				read++
			}
		}
		read += int(bytes.log.seq)
	}
	if read < race.Share(1500, 10) {
		t.Errorf("only %d events and commands were read", read)
	}
}

// A value that is read as another one breaks a promise.
func TestReadingAnotherValueIsFound(t *testing.T) {
	w := newWorld(1, Mutant{}, false)
	w.same(w.orders[0].ref, payment.KRW(1), payment.KRW(1))
	if len(w.problems) > 0 {
		t.Errorf("the same value: %v", w.problems)
	}
	if w.same(w.orders[0].ref, payment.KRW(1), payment.KRW(2)); len(w.problems) != 1 {
		t.Errorf("another value: %v", w.problems)
	}
}
