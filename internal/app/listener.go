package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync/atomic"

	"payonce/pkg/config"
	"payonce/pkg/ingress"
)

// listener is where the ingress listens: with a bound on open connections, and with TLS whose certificates can
// be replaced.
type listener struct {
	net.Listener
	connections  *ingress.Connections
	certificates atomic.Pointer[tls.Config]
}

func listen(ctx context.Context, cfg config.Ingress) (*listener, error) {
	certificates, err := cfg.TLS.Server()
	if err != nil {
		return nil, fmt.Errorf("ingress.tls: %w", err)
	}
	var network net.ListenConfig
	inner, err := network.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("ingress.listen: %w", err)
	}
	connections, err := ingress.LimitConnections(inner, cfg.MaxConnections, cfg.MaxConnectionsPerAddress, cfg.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("ingress: %w", err)
	}
	d := &listener{Listener: connections, connections: connections}
	if certificates != nil {
		d.certificates.Store(certificates)
		d.Listener = tls.NewListener(d.Listener, &tls.Config{
			MinVersion:         certificates.MinVersion,
			GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return d.certificates.Load(), nil },
		})
	}
	return d, nil
}

// replace lets connections from now on have other certificates. Whether there is TLS at all stays as it is.
func (d *listener) replace(certificates *tls.Config) {
	if certificates != nil && d.certificates.Load() != nil {
		d.certificates.Store(certificates)
	}
}
