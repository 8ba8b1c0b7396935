package race_test

import (
	"slices"
	"testing"

	"payonce/test/race"
)

func TestSample(t *testing.T) {
	cases := []int{0, 1, 2, 3, 4, 5, 6}
	want, repetitions := cases, 7
	if race.Enabled {
		want, repetitions = []int{0, 3, 6}, 2
	}
	if got := race.Sample(cases, 3); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := race.Share(7, 3); got != repetitions {
		t.Errorf("got %d repetitions, want %d", got, repetitions)
	}
	if race.Share(1, 10) != 1 {
		t.Error("not even one repetition is left")
	}
}
