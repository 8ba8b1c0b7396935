package config

import (
	"maps"
	"net"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"

	"payonce/pkg/connectors"
)

// checkAccounts refuses two providers that are one account at the payment provider. They would have one space of order
// numbers there and two here: one charge would be settled twice, or in another currency.
func (c *Config) checkAccounts(found *problems, made map[string]connectors.Connector) {
	first := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(made)) {
		traits := made[name].Traits()
		shared := false
		for _, endpoint := range traits.Endpoints {
			at := c.serverOf(endpoint)
			if strings.ContainsFunc(at, func(r rune) bool { return r > unicode.MaxASCII }) { // its other text could be another provider's
				found.add(join("providers", name), "is at %s: write its host in ASCII (xn--…), so that accounts can be compared", at)
				break
			}
			id := strings.Join([]string{traits.Kind, strings.ToLower(traits.Merchant), at}, "\n")
			if other, known := first[id]; known && other != name && !shared {
				shared = true
				found.add(join("providers", name), "is the same account as provider %s (%s at %s), so both would have the same order numbers: "+
					"merge them into one provider, and select the way of paying by a command's method and currency", other, traits.Merchant, at)
			} else if !known && traits.Merchant != "" {
				first[id] = name
			}
		}
	}
}

// serverOf returns the server that an endpoint is at, in one way of writing. A path makes no other server of it, except
// in tests on this machine, where one simulator plays several providers.
func (c *Config) serverOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return endpoint
	}
	host, port := strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), strings.TrimLeft(u.Port(), "0")
	if address, err := netip.ParseAddr(host); err == nil { // the parts of one address can be written in many ways
		host = address.Unmap().String()
	}
	here := loopback(host)
	if here {
		host = "localhost"
	}
	if port != "" && port != map[string]string{"https": "443", "http": "80"}[strings.ToLower(u.Scheme)] {
		host = net.JoinHostPort(host, port)
	}
	if here && c.Environment == Test {
		host += strings.TrimSuffix(path.Clean("/"+u.Path), "/")
	}
	return host
}

// loopback reports whether a host, without a port, is this machine. It asks no name server.
func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") || err == nil && address.Unmap().IsLoopback()
}
