package connectors

import (
	"fmt"
	"slices"
	"time"

	"payonce/pkg/payment"
)

// Kind is a family of connectors that configuration can name.
type Kind struct {
	// Name in configuration, e.g. "teemopay".
	Name string
	// New makes a connector for the account called provider. decode fills a pointer to the kind's own
	// settings struct from the configuration, strictly. Errors name every problem, joined.
	New func(provider string, decode func(settings any) error, now func() time.Time) (Connector, error)
}

// Registry holds the configured providers by name. It is made at start and constant afterwards.
type Registry struct{ byName map[string]Connector }

// NewRegistry returns a registry of these connectors by provider name.
func NewRegistry(byName map[string]Connector) *Registry { return &Registry{byName: byName} }

// Get returns the connector of a provider.
func (r *Registry) Get(provider string) (Connector, bool) {
	c, ok := r.byName[provider]
	return c, ok
}

// Names returns the providers' names, sorted.
func (r *Registry) Names() []string {
	names := make([]string, 0, len(r.byName))
	for name := range r.byName {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Check validates a command for the connector that will execute it: the general rules, the traits, and
// the connector's own. It returns a [*payment.FieldError] for the first problem.
func Check(c Connector, cmd payment.Command) error {
	if err := cmd.Validate(); err != nil {
		return err
	}
	t := c.Traits()
	if len(cmd.Order) > t.MaxOrderLength {
		return &payment.FieldError{Field: "order", Problem: fmt.Sprintf("this provider takes at most %d characters", t.MaxOrderLength)}
	}
	if !slices.Contains(t.Operations, cmd.Operation) {
		return &payment.FieldError{Field: "operation", Problem: "this provider does not execute it"}
	}
	if !slices.Contains(t.Currencies, cmd.Amount.Currency) {
		return &payment.FieldError{Field: "amount.currency", Problem: fmt.Sprintf("this provider takes %v", t.Currencies)}
	}
	if methods := t.Methods[cmd.Operation]; cmd.Method != "" && !slices.Contains(methods, cmd.Method) {
		return &payment.FieldError{Field: "method", Problem: fmt.Sprintf("this provider takes %v", methods)}
	}
	if checker, ok := c.(Checker); ok {
		return checker.Check(cmd)
	}
	return nil
}
