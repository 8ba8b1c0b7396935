package config

import (
	"cmp"
	"slices"
	"strings"
)

// Quota is what one upstream may have worked on average. A number of [NATS.UpstreamQuotas] that is 0 is that of
// [NATS.UpstreamQuota].
type Quota struct {
	MessagesPerSecond int `yaml:"messages_per_second"`
	BytesPerSecond    int `yaml:"bytes_per_second"`
}

// QuotaOf returns the quota of an upstream.
func (n NATS) QuotaOf(upstream string) Quota {
	own := n.UpstreamQuotas[upstream]
	return Quota{
		MessagesPerSecond: cmp.Or(own.MessagesPerSecond, n.UpstreamQuota.MessagesPerSecond),
		BytesPerSecond:    cmp.Or(own.BytesPerSecond, n.UpstreamQuota.BytesPerSecond),
	}
}

func (q Quota) validate(p *problems, key string, least int) {
	p.within(key+".messages_per_second", q.MessagesPerSecond, least, maxRate)
	p.within(key+".bytes_per_second", q.BytesPerSecond, least, maxBytesRate)
}

// validateOrderPrefixes refuses a prefix of an unknown upstream, because a misspelt name would reserve nothing.
func (c *Config) validateOrderPrefixes(p *problems) {
	if err := c.OrderPrefixes.Validate(); err != nil {
		p.add("order_prefixes", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	for name := range c.OrderPrefixes {
		known := slices.Contains(c.NATS.Upstreams, name) ||
			slices.ContainsFunc(c.Ingress.APIKeys, func(k APIKey) bool { return cmp.Or(k.Upstream, k.Name) == name })
		p.check(known, join("order_prefixes", name), "is neither the upstream of an API key nor one of nats.upstreams")
	}
}
