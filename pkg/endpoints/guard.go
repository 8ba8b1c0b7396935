package endpoints

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// ErrAddress says that an endpoint's host resolves to an address that is not public.
var ErrAddress = errors.New("the address is not public")

var errPlain = errors.New("plain HTTP goes to allow_networks only")

// notPublic are the networks that lead into our own, besides those that package netip has names for: whatever an upstream's
// host name resolves to, a notifier must not reach a database or a cloud's metadata for it (IANA's special-purpose registries).
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("100.64.0.0/10"),   // shared by providers (CGNAT)
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and broadcast
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo among them, which holds an IPv4 address
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4, which holds an IPv4 address
	netip.MustParsePrefix("3fff::/20"),       // documentation
}

// globalIPv6 is what IANA has given out for global unicast. All else, ::/96 and 64:ff9b::/96 with IPv4 addresses in them, fc00::/7
// and fe80::/10, is not public.
var globalIPv6 = netip.MustParsePrefix("2000::/3")

// public reports whether an address belongs to the Internet and to no private network.
func public(address netip.Addr) bool {
	if address.Is6() && !globalIPv6.Contains(address) {
		return false
	}
	return address.IsGlobalUnicast() && !address.IsPrivate() &&
		!slices.ContainsFunc(notPublic, func(network netip.Prefix) bool { return network.Contains(address) })
}

// guard returns the check of each address that is dialled, after its name was resolved. Addresses of the allowed networks may be
// private, and plain HTTP goes to these alone.
func guard(allowed []netip.Prefix, plain bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %q cannot be read", ErrAddress, address)
		}
		ip := at.Addr().Unmap().WithZone("") // an IPv4 address can be written as an IPv6 one
		if slices.ContainsFunc(allowed, func(network netip.Prefix) bool { return network.Contains(ip) }) {
			return nil
		}
		switch {
		case !public(ip):
			return fmt.Errorf("%w: %s; allow_networks can allow it", ErrAddress, ip)
		case plain:
			return fmt.Errorf("%w, not to %s", errPlain, ip)
		}
		return nil
	}
}
