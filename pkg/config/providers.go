package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"payonce/pkg/connectors"
)

// Settings are the keys of a provider that only its kind understands. They are read when the kind asks
// for them.
type Settings struct {
	origin *origin
	node   *yaml.Node
	key    string
	read   reflect.Value // what they were read into, for Summary
}

// Decode fills a pointer to the kind's own settings struct, whose fields have "yaml" tags. It is as
// strict as the rest of the file. The error is an [*Error] with all problems. It is to be called while
// the program starts, not concurrently.
func (p Provider) Decode(settings any) error {
	target := reflect.ValueOf(settings)
	if target.Kind() != reflect.Pointer || target.IsNil() || target.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("decode settings of kind %s: want a pointer to a struct, have %T", p.Kind, settings)
	}
	if p.Settings == nil {
		return nil // nothing given: the kind says what is missing
	}
	d := decoder{problems: &problems{origin: p.Settings.origin}}
	d.value(p.Settings.node, target.Elem(), p.Settings.key)
	p.Settings.read = target.Elem()
	return d.err()
}

// Connectors makes the connectors of all providers. The error is an [*Error] with all problems of the file, also those
// that [Load] found, when c was returned beside an error: those that the kinds find, those of opening hours and lookup
// schedules, and those between a connector's traits and the worker's times. now is the clock that the connectors get.
func (c *Config) Connectors(kinds []connectors.Kind, now func() time.Time) (*connectors.Registry, error) {
	at := c.origin
	if at == nil {
		at = &origin{}
	}
	found := &problems{origin: at, list: slices.Clone(at.problems)}
	byKind := map[string]connectors.Kind{}
	for _, kind := range kinds {
		byKind[kind.Name] = kind
	}
	made := map[string]connectors.Connector{}
	for _, name := range slices.Sorted(maps.Keys(c.Providers)) {
		key := join("providers", name)
		kind, known := byKind[c.Providers[name].Kind]
		var traits *connectors.Traits
		if known {
			traits = c.connector(found, key, name, kind, now, made)
		} else {
			found.check(found.has(key), key+".kind", "must be one of %s", strings.Join(slices.Sorted(maps.Keys(byKind)), ", "))
		}
		c.resolveSchedule(found, key, name, traits)
		c.resolveLimits(found, key, name)
		c.resolveHours(found, key, name, traits, now())
	}
	c.checkAccounts(found, made)
	c.checkSecrets(found)
	if err := found.err(); err != nil {
		return nil, err
	}
	return connectors.NewRegistry(made), nil
}

// connector makes one connector, or reports its problems. The traits are nil where nothing could be made.
func (c *Config) connector(found *problems, key, name string, kind connectors.Kind, now func() time.Time, made map[string]connectors.Connector) *connectors.Traits {
	known := map[string]reflect.Value{} // the keys of the settings that the kind asked for
	before := len(found.list)
	decode := func(settings any) error {
		if target := reflect.ValueOf(settings); target.Kind() == reflect.Pointer && target.Elem().Kind() == reflect.Struct {
			fieldsOf(target.Elem(), known, map[string]string{})
		}
		err := c.Providers[name].Decode(settings)
		var listed *Error
		if errors.As(err, &listed) { // the kind says what else is wrong
			found.list, err = append(found.list, listed.Problems...), nil
		}
		return err
	}
	connector, err := kind.New(name, decode, now)
	if err != nil {
		found.addErrors(key+".settings", err, known)
		if delay, ok := known["settling_delay"]; ok && !delay.IsZero() && delay.Type() == durationType {
			c.checkSettling(found, key, time.Duration(delay.Int()))
		}
		return nil
	}
	_, tells := connector.(connectors.Balancer)
	found.check(tells || c.Providers[name].BalanceInterval == 0 || found.has(key+".balance_interval"), key+".balance_interval", "must be 0s: this kind of provider has no balance query")
	if len(found.list) == before {
		made[name] = connector
	}
	traits := connector.Traits()
	c.checkSettling(found, key, traits.SettlingDelay)
	return &traits
}

// checkSettling makes sure that "I do not know this order" is not believed while a request that a worker has given up
// can still arrive.
func (c *Config) checkSettling(found *problems, key string, delay time.Duration) {
	least := c.Settling().Least()
	found.check(delay >= least || found.has("worker.lease", "worker.submit_timeout", "worker.clock_bound"), key+".settings.settling_delay",
		"is %s and must be at least worker.lease + worker.submit_timeout + worker.clock_bound (%s), "+
			"so that an abandoned request cannot arrive after the provider said that it does not know the order",
		showDuration(delay), showDuration(least))
}

// Settling returns what the least settling delay of every provider is made of.
func (c *Config) Settling() connectors.Settling {
	return connectors.Settling{Lease: c.Worker.Lease, SubmitTimeout: c.Worker.SubmitTimeout, ClockBound: c.Worker.ClockBound}
}

// fieldProblem is how a kind reports one of its keys: "base_url: must be https", or without the colon.
var fieldProblem = regexp.MustCompile(`^([a-z][a-z0-9_]*)((?:\[\d+\]|\.[a-z][a-z0-9_]*)*):? (.+)$`)

// addErrors reports what a kind found, problem by problem. One that begins with a key of the settings
// gets the line of that key.
func (p *problems) addErrors(key string, err error, settings map[string]reflect.Value) {
	for _, leaf := range leaves(err) {
		text, at := strings.ReplaceAll(leaf.Error(), "\n", "; "), key
		if parts := fieldProblem.FindStringSubmatch(text); parts != nil && settings[parts[1]].IsValid() {
			at, text = key+"."+parts[1]+parts[2], parts[3]
		}
		p.check(false, at, "%s", text)
	}
}

// leaves takes joined errors apart, also those that were wrapped after they were joined.
func leaves(err error) []error {
	for outer := err; outer != nil; outer = errors.Unwrap(outer) {
		joined, ok := outer.(interface{ Unwrap() []error })
		if !ok {
			continue
		}
		var all []error
		for _, inner := range joined.Unwrap() {
			all = append(all, leaves(inner)...)
		}
		return all
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
