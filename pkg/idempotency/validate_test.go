package idempotency_test

import (
	"strings"
	"testing"
	"time"

	"payonce/pkg/idempotency"
)

func TestRequestValidate(t *testing.T) {
	good := idempotency.Request{Owner: "w1", Lease: time.Second, Retention: time.Minute}
	if err := good.Validate(); err != nil {
		t.Errorf("a good request: %v", err)
	}
	err := idempotency.Request{}.Validate()
	if err == nil {
		t.Fatal("an empty request is taken")
	}
	for _, problem := range []string{"owner", "lease", "retention"} {
		if !strings.Contains(err.Error(), problem) {
			t.Errorf("%q is not named in %q", problem, err)
		}
	}
	same := good
	same.Retention = same.Lease
	if same.Validate() == nil {
		t.Error("a record that is forgotten with its lease is taken")
	}
}

func TestHeldValidate(t *testing.T) {
	for _, bad := range []idempotency.Held{{}, {Owner: "w1"}, {Fence: 1}, {Owner: "w1", Fence: -1}} {
		if bad.Validate() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	if err := (idempotency.Held{Owner: "w1", Fence: 1}).Validate(); err != nil {
		t.Error(err)
	}
	for d, good := range map[time.Duration]bool{time.Microsecond: false, 0: false, -time.Second: false, time.Millisecond: true} {
		if (idempotency.ValidateLease(d) == nil) != good {
			t.Errorf("a lease of %s: taken %t", d, !good)
		}
	}
}

// A forgotten outcome must never be a "go ahead".
func TestZeroOutcomeIsNone(t *testing.T) {
	var none idempotency.Outcome
	if none == idempotency.Won || none == idempotency.Busy {
		t.Error("the zero outcome means something")
	}
}
