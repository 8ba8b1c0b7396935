package connectors

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"payonce/pkg/payment"
)

// Meaning is what an error code in the answer to a create request means for the money. Its text appears in
// configuration, where an account can give a code another meaning than the connector does.
type Meaning string

// The meanings.
const (
	MeansInDoubt       Meaning = "in_doubt"      // the payment may exist: look it up
	MeansDuplicate     Meaning = "duplicate"     // the provider has the order already: look it up and adopt it
	MeansRejected      Meaning = "rejected"      // this payment was refused and will not be executed
	MeansLowBalance    Meaning = "low_balance"   // not executed: the merchant's balance is too low
	MeansThrottled     Meaning = "throttled"     // not executed: try again later
	MeansMisconfigured Meaning = "misconfigured" // not executed: our account or its settings are wrong
)

// meanings holds, for each [Meaning], the error that a create request gets.
var meanings = map[Meaning]Error{
	MeansInDoubt:       {Class: InDoubt, Code: payment.ReasonIndeterminate},
	MeansDuplicate:     {Class: InDoubt, Code: payment.ReasonIndeterminate, Known: true},
	MeansRejected:      {Class: Rejected, Code: payment.ReasonDeclined},
	MeansLowBalance:    {Class: NotSent, Code: payment.ReasonBalance},
	MeansThrottled:     {Class: Throttled, Code: payment.ReasonThrottled},
	MeansMisconfigured: {Class: Misconfigured, Code: payment.ReasonAccountMisconfigured},
}

// Error returns an error of this meaning. An unknown meaning is in doubt. The caller adds the provider's
// code, its text and the evidence.
func (m Meaning) Error() *Error {
	e, known := meanings[m]
	if !known {
		e = meanings[MeansInDoubt]
	}
	return &e
}

// ValidateMeanings checks the key "codes" of an account's settings: codes must match what valid accepts, and
// each meaning must be known. The error names every problem, joined by semicolons, or is nil.
func ValidateMeanings(codes map[string]Meaning, valid func(code string) bool) error {
	var problems []string
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		if !valid(code) {
			problems = append(problems, fmt.Sprintf("%q is not an error code of this provider", code))
		}
		if _, known := meanings[codes[code]]; !known {
			problems = append(problems, fmt.Sprintf("%s must be one of %s", code, MeaningNames()))
		}
	}
	if problems == nil {
		return nil
	}
	return fmt.Errorf("codes: %s", strings.Join(problems, "; "))
}

// MeaningNames lists all meanings for people.
func MeaningNames() string {
	var names []string
	for _, m := range slices.Sorted(maps.Keys(meanings)) {
		names = append(names, string(m))
	}
	return strings.Join(names, ", ")
}
