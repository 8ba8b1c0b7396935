package freeport

import (
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

func TestAddress(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		address, err := Address(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		listener, err := net.Listen("tcp", address)
		if err != nil || seen[address] {
			t.Fatalf("%s: given before %t, %v", address, seen[address], err)
		}
		seen[address] = true
		t.Cleanup(func() { _ = listener.Close() })
	}
}

// No connection of this machine can get one of our ports.
func TestPortsAreNotThoseThatTheSystemGives(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // others begin at 49152
	}
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		t.Fatal(err)
	}
	if lowest, err := strconv.Atoi(strings.Fields(string(text))[0]); err != nil || lowest < last {
		t.Errorf("the system gives ports from %d on, %v", lowest, err)
	}
}
