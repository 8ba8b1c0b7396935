package check

import (
	"errors"
	"fmt"
)

// Problems collects what is wrong with the settings of an account. The zero value is ready. It is not safe
// for concurrent use.
type Problems []error

// Must adds a problem unless ok. The text begins with the setting's key and never holds a secret.
func (p *Problems) Must(ok bool, format string, args ...any) {
	if !ok {
		*p = append(*p, fmt.Errorf(format, args...))
	}
}

// Err returns all problems, joined, or nil when there is none.
func (p Problems) Err() error { return errors.Join(p...) }
