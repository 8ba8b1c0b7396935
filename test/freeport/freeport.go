// Package freeport finds ports on the loopback for servers that are given their port before they start, or
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
// on (Linux; others begin higher). A port of that range that is free now can be another process's connection when the
// server starts, so these are below it.
const first, last = 10_000, 32_000

// block is how many ports a process takes at once: it listens on the first of them as long as it lives, and so the
// others are for it alone. Tests of several packages run at the same time, each a process of its own, and a port that
// is given is free until its server starts, and again while that is stopped.
const block = 100

var (
	mu        sync.Mutex
	held      []net.Listener // the first ports of the blocks of this process
	next, end int            // what is left of the last of them
)

// Address returns an address like "127.0.0.1:14711" on which no process listens. No process that lives is given the same
// by this package, and none is given it twice. It is safe for concurrent use.
func Address(ctx context.Context) (string, error) {
	mu.Lock()
	defer mu.Unlock()
	for {
		if next == end {
			if err := takeBlock(ctx); err != nil {
				return "", err
			}
		}
		port := next
		next++
		listener, err := listen(ctx, port)
		if err != nil {
			return "", err
		}
		if listener != nil {
			return listener.Addr().String(), listener.Close()
		}
	}
}

// takeBlock takes one of the blocks that no process has.
func takeBlock(ctx context.Context) error {
	for _, n := range rand.Perm((last - first) / block) {
		port := first + n*block
		listener, err := listen(ctx, port)
		if err != nil {
			return err
		}
		if listener != nil {
			held, next, end = append(held, listener), port+1, port+block
			return nil
		}
	}
	return errors.New("find a free port: others have them all")
}

// listen returns nil where another process has the port.
func listen(ctx context.Context, port int) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EACCES) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	return listener, nil
}
