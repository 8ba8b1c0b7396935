package jetstream

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
)

// Why a connection cannot be made again is told once for each cause of an outage, whichever port our end has.
func TestEachCauseOfAnOutageIsToldOnce(t *testing.T) {
	var lines bytes.Buffer
	log := slog.New(slog.NewTextHandler(&lines, nil))
	refused := func(ours int, server string, why string) error {
		at, _ := net.ResolveTCPAddr("tcp", server)
		return &net.OpError{Op: "read", Net: "tcp", Source: &net.TCPAddr{Port: ours}, Addr: at, Err: errors.New(why)}
	}
	var o outage
	o.failed(log, errors.New("before any outage"))
	for range 2 {
		o.begin()
		for i := range 5 {
			o.failed(log, refused(i, "127.0.0.1:4222", "reset"))
			o.failed(log, refused(i, "127.0.0.2:4222", "reset"))
			o.failed(log, errors.New("Authorization Violation"))
		}
	}
	if n := strings.Count(lines.String(), "NATS: cannot connect again"); n != 6 {
		t.Errorf("%d lines, want three in each outage:\n%s", n, lines.String())
	}
}
