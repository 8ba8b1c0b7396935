package connectors_test

import (
	"strings"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// Each meaning has its class and reason, and one that is not known never decides anything.
func TestMeanings(t *testing.T) {
	for meaning, want := range map[connectors.Meaning]connectors.Error{
		connectors.MeansInDoubt:       {Class: connectors.InDoubt, Code: payment.ReasonIndeterminate},
		connectors.MeansDuplicate:     {Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, Known: true},
		connectors.MeansRejected:      {Class: connectors.Rejected, Code: payment.ReasonDeclined},
		connectors.MeansLowBalance:    {Class: connectors.NotSent, Code: payment.ReasonBalance},
		connectors.MeansThrottled:     {Class: connectors.Throttled, Code: payment.ReasonThrottled},
		connectors.MeansMisconfigured: {Class: connectors.Misconfigured, Code: payment.ReasonAccountMisconfigured},
		"settled":                     {Class: connectors.InDoubt, Code: payment.ReasonIndeterminate},
	} {
		got := meaning.Error()
		if *got != want {
			t.Errorf("%s: %+v, want %+v", meaning, got, want)
		}
		if got.Message = "changed"; meaning.Error().Message != "" {
			t.Errorf("%s: an error is shared", meaning)
		}
	}
}

func TestValidateMeanings(t *testing.T) {
	digits := func(code string) bool { return strings.Trim(code, "0123456789") == "" }
	if err := connectors.ValidateMeanings(map[string]connectors.Meaning{"412": connectors.MeansRejected}, digits); err != nil {
		t.Error(err)
	}
	err := connectors.ValidateMeanings(map[string]connectors.Meaning{"E1": connectors.MeansRejected, "2": "paid", "3": ""}, digits)
	if err == nil {
		t.Fatal("nothing is refused")
	}
	for _, want := range []string{"codes: ", `"E1"`, "2 must be one of", "3 must be one of", connectors.MeaningNames()} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
}

// A refusal that cannot be distinguished from the answer to another request decides nothing, and keeps what it claimed.
func TestUnconfirmed(t *testing.T) {
	for _, meaning := range []connectors.Meaning{connectors.MeansRejected, connectors.MeansLowBalance, connectors.MeansThrottled, connectors.MeansMisconfigured} {
		if got := meaning.Error().Unconfirmed(); got.Class != connectors.InDoubt {
			t.Errorf("%s: %+v", meaning, got)
		}
	}
}

// The least settling delay is a sum that names its parts.
func TestSettlingIsASum(t *testing.T) {
	s := connectors.Settling{Lease: 40 * time.Second, SubmitTimeout: 15 * time.Second, ClockBound: time.Second}
	if s.Least() != 56*time.Second {
		t.Errorf("%s", s.Least())
	}
	for _, want := range []string{"40s", "15s", "1s", "56s"} {
		if !strings.Contains(s.String(), want) {
			t.Errorf("%q does not name %s", s, want)
		}
	}
}
