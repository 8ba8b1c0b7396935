package ingress

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clients knows from where webhooks may come.
type clients struct {
	sources map[string][]netip.Prefix // by provider; no entry for anywhere
	proxies []netip.Prefix
	header  string
}

// mayCall reports whether a request comes from one of the provider's networks. An address that cannot
// be told is none of them.
func (c clients) mayCall(provider string, r *http.Request) bool {
	networks, limited := c.sources[provider]
	if !limited {
		return true
	}
	address, known := c.address(r)
	return known && contains(networks, address)
}

// address returns the client's address: the connection's own or, behind a trusted proxy, the last one
// in the proxy's header that is not itself a trusted proxy. What is before that was written by the
// client.
func (c clients) address(r *http.Request) (netip.Addr, bool) {
	address, ok := parseAddress(r.RemoteAddr)
	if !ok || !contains(c.proxies, address) {
		return address, ok
	}
	chain := strings.Split(strings.Join(r.Header.Values(c.header), ","), ",")
	for _, text := range slices.Backward(chain) {
		address, ok = parseAddress(strings.TrimSpace(text))
		if !ok || !contains(c.proxies, address) {
			break
		}
	}
	return address, ok
}

// neighbours returns what counts as one address: for IPv6 the network of one customer.
func neighbours(address netip.Addr) netip.Addr {
	if network, err := address.Prefix(64); err == nil && address.Is6() {
		return network.Addr()
	}
	return address
}

// parseAddress reads an address with or without a port. An IPv4 address written as IPv6 is IPv4.
func parseAddress(text string) (netip.Addr, bool) {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().Unmap().WithZone(""), true
	}
	address, err := netip.ParseAddr(text)
	return address.Unmap().WithZone(""), err == nil
}

func contains(networks []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(address) })
}
