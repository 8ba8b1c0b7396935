// Package freeport finds ports on the loopback for servers that are told their port before they start, or
// that stop and start again on it.
package freeport

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// Systems give ports of their own choice, to listeners on port 0 and to every outgoing connection, from 32768
// on (Linux; others begin higher). A port of that range that is free now can be somebody's connection when the
// server starts, so these are below it.
const first, last = 10_000, 32_000

var (
	mu    sync.Mutex
	given = map[int]bool{}
)

// Address returns an address like "127.0.0.1:14711" on which nobody listens. It returns none twice, and is safe
// for concurrent use.
func Address(ctx context.Context) (string, error) {
	mu.Lock()
	defer mu.Unlock()
	var listen net.ListenConfig
	for range 100 {
		port := first + rand.IntN(last-first)
		if given[port] {
			continue
		}
		given[port] = true
		listener, err := listen.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EACCES) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("find a free port: %w", err)
		}
		return listener.Addr().String(), listener.Close()
	}
	return "", errors.New("find a free port: none of 100 is free")
}
