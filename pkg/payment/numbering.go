package payment

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MaxOrderPrefix is the longest prefix of order numbers that can be reserved.
const MaxOrderPrefix = 16

// OrderPrefixes reserves order numbers for upstreams: an upstream that has a prefix uses the numbers that begin with it and no
// others, and no other upstream uses these. The prefix is a part of the number everywhere, also at the provider.
type OrderPrefixes map[string]string

// Validate returns all problems, joined.
func (o OrderPrefixes) Validate() error {
	var problems []error
	names := slices.Sorted(maps.Keys(o))
	for i, name := range names {
		if !ValidUpstream(name) {
			problems = append(problems, fmt.Errorf(`upstream %q must be 1 to 64 characters of A-Z, a-z, 0-9, "_" and "-"`, name))
		}
		if !named(o[name], MaxOrderPrefix, orderCharacters) {
			problems = append(problems, fmt.Errorf(`the prefix of %s must be 1 to %d characters of A-Z, a-z, 0-9, "_" and "-"`, name, MaxOrderPrefix))
		}
		for _, other := range names[:i] {
			if strings.HasPrefix(o[name], o[other]) || strings.HasPrefix(o[other], o[name]) {
				problems = append(problems, fmt.Errorf("the prefixes of %s and %s have numbers in common", other, name))
			}
		}
	}
	return errors.Join(problems...)
}

// Check returns a [*FieldError] if an upstream may not use an order number. It says nothing of whom the number is reserved for.
func (o OrderPrefixes) Check(upstream, order string) error {
	if own, has := o[upstream]; has {
		if !strings.HasPrefix(order, own) {
			return &FieldError{Field: "order", Problem: fmt.Sprintf("must begin with %q, which is reserved for this upstream", own)}
		}
		return nil
	}
	for _, prefix := range o {
		if strings.HasPrefix(order, prefix) {
			return &FieldError{Field: "order", Problem: "begins as the numbers that are reserved for another upstream"}
		}
	}
	return nil
}
