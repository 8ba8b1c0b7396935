package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// profileFor is how long the broker's processor time is looked at, from the first message of a backlog on.
const profileFor = 5 * time.Second

// profileBroker writes what the broker spends its time on from now on, in a file whose name begins with to. The
// returned function waits for it.
func (s *system) profileBroker(ctx context.Context, to string) (wait func() error) {
	done := make(chan error, 1)
	go func() {
		done <- download(ctx, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", s.profiler, int(profileFor.Seconds())), to+"-nats-server.cpu")
	}()
	return func() error { return <-done }
}

func download(ctx context.Context, url, file string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}
