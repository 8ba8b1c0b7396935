package connectors

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Kind is a family of connectors that configuration can name.
type Kind struct {
	// Name in configuration, e.g. "teemopay".
	Name string
	// New makes a connector for the account called provider. decode fills a pointer to the kind's own
	// settings struct from the configuration, strictly. Errors name every problem, joined.
	New func(provider string, decode func(settings any) error, now func() time.Time) (Connector, error)
}

// Registry holds the configured providers by name. Which providers there are is constant; their connectors
// can be replaced all at once. It is safe for concurrent use.
type Registry struct {
	byName atomic.Pointer[map[string]Connector]
}

// NewRegistry returns a registry of these connectors by provider name.
func NewRegistry(byName map[string]Connector) *Registry {
	r := &Registry{}
	r.byName.Store(&byName)
	return r
}

// ErrOtherProviders says that connectors cannot take the place of others, because they are not for the same
// providers.
var ErrOtherProviders = errors.New("a provider was added or removed, or its kind was changed")

// ErrOtherAccount says that connectors cannot take the place of others, because one works with another account
// ([Traits].Account): payments that may have been sent to the old one would be looked up, and sent again, at the new one.
var ErrOtherAccount = errors.New("a provider's account was changed")

// AccountOf returns which account a connector works with: its kind and [Traits].Account.
func AccountOf(c Connector) string {
	t := c.Traits()
	return strings.TrimSpace(t.Kind + " " + t.Account)
}

// Replace puts the connectors of next in the place of ours, e.g. with new secrets. Calls that are under way
// end with the connectors that they began with. next must have the same providers of the same kinds, else
// nothing is replaced and the error is [ErrOtherProviders], and the same accounts, else it is [ErrOtherAccount].
func (r *Registry) Replace(next *Registry) error {
	current, replacing := *r.byName.Load(), *next.byName.Load()
	sameKind := func(a, b Connector) bool { return a.Traits().Kind == b.Traits().Kind }
	if !maps.EqualFunc(current, replacing, sameKind) {
		return ErrOtherProviders
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(current)) {
		if before, after := AccountOf(current[name]), AccountOf(replacing[name]); before != after {
			problems = append(problems, fmt.Errorf("%s: %w from %q to %q", name, ErrOtherAccount, before, after))
		}
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	r.byName.Store(&replacing)
	return nil
}

// Get returns the connector of a provider.
func (r *Registry) Get(provider string) (Connector, bool) {
	c, ok := (*r.byName.Load())[provider]
	return c, ok
}

// Names returns the providers' names, sorted.
func (r *Registry) Names() []string {
	return slices.Sorted(maps.Keys(*r.byName.Load()))
}
