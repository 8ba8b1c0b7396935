package idempotency_test

import (
	"strings"
	"testing"
	"time"

	"payonce/pkg/idempotency"
)

func TestRequestValidate(t *testing.T) {
	good := idempotency.Request{Owner: "w1", Fingerprint: "f", Lease: time.Second, Retention: time.Minute}
	if err := good.Validate(); err != nil {
		t.Errorf("a good request: %v", err)
	}
	err := idempotency.Request{}.Validate()
	if err == nil {
		t.Fatal("an empty request is taken")
	}
	for _, problem := range []string{"owner", "fingerprint", "lease", "retention"} {
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

func TestHeldAndSnapshotValidate(t *testing.T) {
	for _, bad := range []interface{ Validate() error }{
		idempotency.Held{}, idempotency.Held{Owner: "w1"}, idempotency.Held{Fence: 1},
		idempotency.Snapshot{}, idempotency.Snapshot{Sequence: 1}, idempotency.Snapshot{Payment: []byte("{}")},
	} {
		if bad.Validate() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	for _, good := range []interface{ Validate() error }{
		idempotency.Held{Owner: "w1", Fence: 1}, idempotency.Snapshot{Sequence: 1, Payment: []byte("{}")},
	} {
		if err := good.Validate(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	for _, validate := range []func(time.Duration) error{idempotency.ValidateLease, idempotency.ValidateRetention} {
		if validate(time.Microsecond) == nil || validate(0) == nil || validate(-time.Second) == nil || validate(time.Millisecond) != nil {
			t.Error("the shortest time is not a millisecond")
		}
	}
}

// A forgotten outcome must never be a "go ahead".
func TestZeroOutcomeIsNone(t *testing.T) {
	var none idempotency.Outcome
	if none == idempotency.Won || none == idempotency.Busy || none == idempotency.Reused {
		t.Error("the zero outcome means something")
	}
}
