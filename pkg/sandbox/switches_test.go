package sandbox

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestFaultsInOrder(t *testing.T) {
	for order, want := range map[string][]Fault{
		"D1":                     nil,
		"D1-x-drop-7":            {{Name: Drop}},
		"x-drop":                 {{Name: Drop}},
		"D1-x-drop_3-7":          {{Name: Drop, Times: 3}},
		"D1-x-hang-before-7":     {{Name: HangBefore}},
		"D1-x-hang-7":            {{Name: Hang}},
		"D1-x-hang-before_1":     {{Name: HangBefore, Times: 1}},
		"a-x-lag-x-drop_1-b":     {{Name: Lag}, {Name: Drop, Times: 1}},
		"x-accept-duplicates":    {{Name: AcceptDuplicates}},
		"D1-x-dropped-7":         nil,
		"D1-x-drop_0-7":          nil,
		"D1-x-drop_a":            nil,
		"D1x-drop":               nil,
		"D1-x-":                  nil,
		"D1-x-x-drop":            {{Name: Drop}},
		"D1-x-nothing-x-drop-7":  {{Name: Drop}},
		"D1-X-DROP-7":            nil,
		"x-error500-x-refuse503": {{Name: Error500}, {Name: Refuse503}},
	} {
		if got := faultsInOrder(order); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", order, got, want)
		}
	}
}

func TestEveryFaultHasAName(t *testing.T) {
	for _, name := range FaultNames() {
		got := faultsInOrder("D1-x-" + string(name) + "-7")
		if len(got) != 1 || got[0].Name != name {
			t.Errorf("%s is read as %+v", name, got)
		}
		if !strings.Contains(manual, string(name)) {
			t.Errorf("%s is not in the manual", name)
		}
	}
}

func TestRetryGrows(t *testing.T) {
	var waits []time.Duration
	for n := 1; n <= 8; n++ {
		waits = append(waits, Retry{}.wait(n))
	}
	s := time.Second
	if want := []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 60 * s, 60 * s}; !reflect.DeepEqual(waits, want) {
		t.Errorf("%v", waits)
	}
	if got := (Retry{First: 2 * time.Minute}).wait(3); got != 2*time.Minute {
		t.Error(got)
	}
	one := Retry{Waits: []time.Duration{s, 3 * s}, Attempts: 9, First: time.Hour}
	if one.attempts() != 3 || one.wait(1) != s || one.wait(2) != 3*s {
		t.Errorf("%d attempts, %s, %s", one.attempts(), one.wait(1), one.wait(2))
	}
	if (Retry{}).attempts() != 20 {
		t.Error("the default number of attempts changed")
	}
}
