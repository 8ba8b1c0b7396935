package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"payonce/pkg/sandbox"
)

// Timeouts of the server. There is none on answers: the fault hang may hold one for long. There is none on
// whole requests either: Go leaves that deadline on the connection while the handler works, and would
// take it for a merchant who hung up.
const (
	headerTimeout   = 10 * time.Second
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 10 * time.Second
)

// serve runs the sandbox until ctx ends.
func serve(ctx context.Context, f *flags, changed func(flag string) bool, stdout io.Writer) error {
	if strings.EqualFold(strings.TrimSpace(os.Getenv("PAYONCE_ENV")), "production") {
		return usageError{errors.New("PAYONCE_ENV=production: the sandbox must not run with real payments")}
	}
	if err := checkListen(f.listen, f.allowNonLoopback); err != nil {
		return usageError{err}
	}
	accounts, err := f.accounts(changed, stdout)
	if err != nil {
		return err
	}
	box, err := sandbox.New(sandbox.Options{Accounts: accounts, Now: time.Now})
	if err != nil {
		return usageError{err}
	}
	defer box.Close()
	listener, scheme, err := f.open()
	if err != nil {
		return err
	}
	for _, a := range accounts {
		_, _ = fmt.Fprintf(stdout, "%s: %s://%s/%s\n", a.Name, scheme, listener.Addr(), a.Name)
	}
	_, _ = fmt.Fprintf(stdout, "listening on %s://%s\n", scheme, listener.Addr())
	return serveUntil(ctx, listener, box)
}

// open listens, with TLS where there is a certificate.
func (f *flags) open() (listener net.Listener, scheme string, err error) {
	var config *tls.Config
	if f.certificate != "" || f.key != "" {
		pair, err := tls.LoadX509KeyPair(f.certificate, f.key)
		if err != nil {
			return nil, "", usageError{fmt.Errorf("--tls-cert, --tls-key: %w", err)}
		}
		config = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	if listener, err = net.Listen("tcp", f.listen); err != nil {
		return nil, "", fmt.Errorf("listen: %w", err)
	}
	if config != nil {
		return tls.NewListener(listener, config), "https", nil
	}
	return listener, "http", nil
}

// serveUntil serves until ctx ends, lets go of what is held, and waits for the rest.
func serveUntil(ctx context.Context, listener net.Listener, box *sandbox.Sandbox) error {
	server := &http.Server{Handler: box, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	box.Close()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(stop)
	<-failed
	return err
}

// checkListen refuses addresses that other machines reach. A host name other than localhost counts as
// one, because it may mean anything.
func checkListen(address string, allowNonLoopback bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	if ip := net.ParseIP(host); allowNonLoopback || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("--listen %s: other machines could reach it; add --allow-non-loopback to allow that", address)
}
