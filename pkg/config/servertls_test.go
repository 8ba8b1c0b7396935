package config_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"

	"payonce/pkg/config"
	"payonce/pkg/secret"
)

// handshake returns what the server and the client say of each other.
func handshake(server, client *tls.Config) (serverErr, clientErr error) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	done := make(chan error, 1)
	go func() {
		conn := tls.Server(a, server)
		err := conn.Handshake()
		if err == nil {
			_, err = conn.Write([]byte("x"))
		}
		_ = a.Close()
		done <- err
	}()
	conn := tls.Client(b, client)
	_, clientErr = conn.Read(make([]byte, 1)) // TLS 1.3: the client learns of a refusal when it reads
	_ = b.Close()
	return <-done, clientErr
}

func TestTLSServer(t *testing.T) {
	cert, key := selfSigned(t)
	otherCert, otherKey := selfSigned(t)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(cert))
	pair := func(cert, key string) []tls.Certificate {
		one, err := tls.X509KeyPair([]byte(cert), []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{one}
	}
	with := func(clientCA, who string) config.ServerTLS {
		return config.ServerTLS{Enabled: true, Cert: cert, Key: secret.New(key), ClientCA: clientCA, ClientCertificates: who}
	}
	none, ours, other := []tls.Certificate(nil), pair(cert, key), pair(otherCert, otherKey)
	for name, c := range map[string]struct {
		server config.ServerTLS
		shown  []tls.Certificate
		ok     bool
	}{
		"nobody asks":               {with("", "api"), none, true},
		"api: none shown":           {with(cert, "api"), none, true}, // /v1 refuses it
		"api: ours":                 {with(cert, "api"), ours, true},
		"api: an outsider's":        {with(cert, "api"), other, false},
		"all: none shown":           {with(cert, "all"), none, false},
		"all: ours":                 {with(cert, "all"), ours, true},
		"all: an outsider's":        {with(cert, "all"), other, false},
		"an outsider is the server": {config.ServerTLS{Enabled: true, Cert: otherCert, Key: secret.New(otherKey), ClientCertificates: "api"}, none, false},
	} {
		server, err := c.server.Server()
		if err != nil {
			t.Fatal(err)
		}
		client := &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
		if c.shown != nil { // whatever the server asks for
			client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c.shown[0], nil }
		}
		serverErr, clientErr := handshake(server, client)
		if ok := serverErr == nil && clientErr == nil; ok != c.ok {
			t.Errorf("%s: server says %v, client %v", name, serverErr, clientErr)
		}
		client.MinVersion, client.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		if serverErr, _ := handshake(server, client); serverErr == nil {
			t.Errorf("%s: TLS 1.1 is spoken", name)
		}
	}
}

func TestBadTLSServer(t *testing.T) {
	cert, key := selfSigned(t)
	_, otherKey := selfSigned(t)
	for want, bad := range map[string]config.ServerTLS{
		"are not a pair":          {Enabled: true, Cert: cert, Key: secret.New(otherKey), ClientCertificates: "api"},
		"client_ca holds no":      {Enabled: true, Cert: cert, Key: secret.New(key), ClientCA: "x", ClientCertificates: "api"},
		"must be api or all":      {},
		"enabled must be true if": {ClientCA: cert, ClientCertificates: "all"},
	} {
		if _, err := bad.Server(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("want %q, have %v", want, err)
		}
	}
	if got, err := (config.ServerTLS{ClientCertificates: "api"}).Server(); got != nil || err != nil {
		t.Errorf("off: %v, %v", got, err)
	}
}
