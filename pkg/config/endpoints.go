package config

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"payonce/pkg/endpoints"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

// Endpoint is a URL of an upstream to which the program "notifier" sends events of payments, signed as Standard Webhooks says.
type Endpoint struct {
	// URL begins with https://, or with http:// for addresses of AllowNetworks.
	URL string `yaml:"url"`
	// Secrets are one or two, each "whsec_" and base64 of 24 to 64 bytes. With two each request has two signatures. Only the
	// notifier reads them.
	Secrets []secret.Value `yaml:"secrets"`
	// APIKey names the key of the ingress whose upstream's payments are sent, within the key's providers and operations.
	// EveryUpstream sends those of all instead.
	APIKey        string `yaml:"api_key"`
	EveryUpstream bool   `yaml:"every_upstream"`
	// Providers and Operations that are sent; empty means all.
	Providers  []string            `yaml:"providers"`
	Operations []payment.Operation `yaml:"operations"`
	// Statuses that are sent; empty means the outcomes: settled, failed, reversed and conflict.
	Statuses []payment.Status `yaml:"statuses"`
	// Concurrency is how many requests one notifier sends to it at the same time; 0 means notifier.concurrency.
	Concurrency int `yaml:"concurrency"`
	// AllowNetworks may be reached although their addresses are private, loopback or link-local.
	AllowNetworks []netip.Prefix `yaml:"allow_networks"`
}

// Notifier says how events are sent to endpoints.
type Notifier struct {
	Concurrency int `yaml:"concurrency"`
	// Timeout bounds one request.
	Timeout time.Duration `yaml:"timeout"`
	// RetryMin and RetryMax bound the pause between two attempts of an event. GiveUpAfter is how long after the first one it
	// is sent again; then it becomes a dead letter.
	RetryMin    time.Duration `yaml:"retry_min"`
	RetryMax    time.Duration `yaml:"retry_max"`
	GiveUpAfter time.Duration `yaml:"give_up_after"`
	// BreakerFailures requests in a row that fail stop the requests to an endpoint; every BreakerOpenFor one tries whether it
	// is back.
	BreakerFailures int           `yaml:"breaker_failures"`
	BreakerOpenFor  time.Duration `yaml:"breaker_open_for"`
	// AdminListen is as that of the ingress.
	AdminListen string `yaml:"admin_listen"`
}

// RoleNotifier needs endpoints.
const RoleNotifier Role = "notifier"

// maxGiveUp bounds notifier.give_up_after: events wait for it in the broker.
const maxGiveUp = 30 * day

func defaultNotifier() Notifier {
	return Notifier{
		Concurrency: 8, Timeout: 15 * time.Second, RetryMin: 5 * time.Second, RetryMax: 8 * time.Hour, GiveUpAfter: 3 * day,
		BreakerFailures: 5, BreakerOpenFor: 30 * time.Second,
	}
}

func (n Notifier) validate(p *problems) {
	p.within("notifier.concurrency", n.Concurrency, 1, maxSlots)
	p.positive("notifier.timeout", n.Timeout)
	p.check(n.Timeout <= time.Minute, "notifier.timeout", "must be at most 1m")
	p.positive("notifier.retry_min", n.RetryMin)
	p.notShorter("notifier.retry_max", n.RetryMax, "notifier.retry_min", n.RetryMin, "the pause grows from one to the other")
	p.notShorter("notifier.give_up_after", n.GiveUpAfter, "notifier.retry_min", n.RetryMin, "an event would be sent once only")
	p.check(n.GiveUpAfter <= maxGiveUp, "notifier.give_up_after", "must be at most %s", showDuration(maxGiveUp))
	p.within("notifier.breaker_failures", n.BreakerFailures, 1, maxFailures)
	p.positive("notifier.breaker_open_for", n.BreakerOpenFor)
	if n.AdminListen != "" {
		p.checkAddress("notifier.admin_listen", n.AdminListen, false)
	}
}

func (c *Config) validateEndpoints(p *problems, needed bool) {
	c.Notifier.validate(p)
	p.check(len(c.Endpoints) > 0 || !needed, "endpoints", "requires at least one endpoint")
	for _, name := range slices.Sorted(maps.Keys(c.Endpoints)) {
		key, e := join("endpoints", name), c.Endpoints[name]
		p.check(payment.ValidProvider(name), key, `an endpoint's name must be 1 to 32 characters of a-z, 0-9 and "-"`)
		problem := endpoints.URLProblem(e.URL, e.AllowNetworks)
		p.check(problem == "", key+".url", "%s", problem)
		p.check(!p.origin.sends || len(e.Secrets) > 0 && len(e.Secrets) <= endpoints.MaxSecrets || p.has(key+".secrets"), key+".secrets", "must be one secret, or two while it is changed")
		for i, value := range e.Secrets {
			c.checkEndpointSecret(p, index(key+".secrets", i), value)
		}
		c.checkEndpointUpstream(p, key, e)
		for i, provider := range e.Providers {
			_, known := c.Providers[provider]
			p.check(known, index(key+".providers", i), "is not one of the providers of this file")
			p.check(!slices.Contains(e.Providers[:i], provider), index(key+".providers", i), "occurs twice")
		}
		for i, operation := range e.Operations {
			p.check(operation.Valid(), index(key+".operations", i), "must be deposit or payout")
		}
		for i, status := range e.Statuses {
			p.check(status.Valid() && status != payment.Requested, index(key+".statuses", i), "must be a status of docs/state-machine.md")
			p.check(!slices.Contains(e.Statuses[:i], status), index(key+".statuses", i), "occurs twice")
		}
		p.within(key+".concurrency", e.Concurrency, 0, maxSlots)
	}
}

func (c *Config) checkEndpointSecret(p *problems, key string, value secret.Value) {
	if value.Empty() || p.has(key) {
		return
	}
	if problem := endpoints.SecretProblem(value.Reveal()); problem != "" {
		p.add(key, "%s", problem)
		return
	}
	c.weak(p, key, weakness(strings.TrimPrefix(value.Reveal(), "whsec_")))
}

func (c *Config) checkEndpointUpstream(p *problems, key string, e Endpoint) {
	p.check((e.APIKey == "") == e.EveryUpstream, key+".api_key", "must name a key of ingress.api_keys; or set every_upstream: true, which sends the payments of all")
	k, known := c.apiKey(e.APIKey)
	p.check(e.APIKey == "" || known, key+".api_key", "is not the name of one of ingress.api_keys")
	for i, provider := range e.Providers {
		p.check(len(k.Providers) == 0 || slices.Contains(k.Providers, provider), index(key+".providers", i), "is not one of the API key's providers")
	}
	for i, operation := range e.Operations {
		p.check(len(k.Operations) == 0 || slices.Contains(k.Operations, operation), index(key+".operations", i), "is not one of the API key's operations")
	}
}

func (c *Config) apiKey(name string) (APIKey, bool) {
	at := slices.IndexFunc(c.Ingress.APIKeys, func(k APIKey) bool { return k.Name == name })
	if at < 0 {
		return APIKey{}, false
	}
	return c.Ingress.APIKeys[at], true
}

// SendTo returns the endpoints with their defaults, by name. Providers and operations are the endpoint's, or else its API key's.
func (c *Config) SendTo() []endpoints.Endpoint {
	var all []endpoints.Endpoint
	for _, name := range slices.Sorted(maps.Keys(c.Endpoints)) {
		e := c.Endpoints[name]
		to := endpoints.Endpoint{
			Name: name, URL: e.URL, Secrets: e.Secrets, EveryUpstream: e.EveryUpstream, Providers: e.Providers, Operations: e.Operations,
			Statuses: e.Statuses, Concurrency: cmp.Or(e.Concurrency, c.Notifier.Concurrency), Networks: e.AllowNetworks,
		}
		if len(to.Statuses) == 0 {
			to.Statuses = []payment.Status{payment.Settled, payment.Failed, payment.Reversed, payment.Conflict}
		}
		if k, known := c.apiKey(e.APIKey); known {
			to.Upstream = cmp.Or(k.Upstream, k.Name)
			if len(to.Providers) == 0 { // else they are among the key's
				to.Providers = k.Providers
			}
			if len(to.Operations) == 0 {
				to.Operations = k.Operations
			}
		}
		all = append(all, to)
	}
	return all
}
