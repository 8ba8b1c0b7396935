package endpoints

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

// Every address that leads into a private network is refused, however it is written. A list of what is refused would miss one:
// of IPv6 only what is given out is let through.
func TestOnlyPublicAddressesAreDialled(t *testing.T) {
	check := guard(nil, false)
	for _, address := range []string{
		"127.0.0.1", "127.255.0.7", "::1", "0.0.0.0", "0.1.2.3", "::", "169.254.169.254", "fe80::1", "fe80::1%eth0", "fd00:ec2::254",
		"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255", "fc00::1", "fdff::1", "fec0::1",
		"::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
		"2002:a9fe:a9fe::1", "2001:0:a9fe:a9fe::1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "240.0.0.1", "255.255.255.255",
		"224.0.0.1", "ff02::1", "2001:db8::1", "3fff::1", "100::1", "192.88.99.1",
	} {
		if err := check("tcp", net.JoinHostPort(address, "443"), nil); !errors.Is(err, ErrAddress) {
			t.Errorf("%s: %v, want %v", address, err, ErrAddress)
		}
	}
	for _, address := range []string{"1.1.1.1", "8.8.8.8", "100.63.0.1", "100.128.0.1", "172.32.0.1", "169.253.0.1", "2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1"} {
		if err := check("tcp", net.JoinHostPort(address, "443"), nil); err != nil {
			t.Errorf("%s: %v, and it is public", address, err)
		}
	}
	if err := check("tcp", "shop:443", nil); !errors.Is(err, ErrAddress) {
		t.Errorf("no address: %v", err)
	}
}

// Networks are allowed for the endpoint that names them, however the address is written; plain HTTP goes nowhere else.
func TestAllowedNetworks(t *testing.T) {
	allowed := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32")}
	for address, ok := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "fd00:1::5": true, "10.2.0.1": false, "fd00:2::1": false, "1.1.1.1": true} {
		if err := guard(allowed, false)("tcp", net.JoinHostPort(address, "443"), nil); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
	for address, ok := range map[string]bool{"10.1.2.3": true, "1.1.1.1": false} {
		if err := guard(allowed, true)("tcp", net.JoinHostPort(address, "80"), nil); (err == nil) != ok {
			t.Errorf("plain to %s: %v", address, err)
		}
	}
}
