package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	"payonce/pkg/secret"
)

// TLS says how a connection to NATS or Redis is encrypted. CA, Cert and Key are PEM texts, so they are
// given as ca_file, cert_file and key_file.
type TLS struct {
	Enabled bool `yaml:"enabled"`
	// CA that signed the server's certificate; empty means the CAs of the system.
	CA string `yaml:"ca"`
	// Cert and Key are our own certificate, where the server wants one.
	Cert string       `yaml:"cert"`
	Key  secret.Value `yaml:"key"`
}

// Client returns the settings of a TLS client, or nil where TLS is not enabled.
func (t TLS) Client() (*tls.Config, error) {
	if !t.Enabled {
		if t.CA != "" || t.Cert != "" || !t.Key.Empty() {
			return nil, errors.New("enabled must be true where ca, cert or key is given")
		}
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM([]byte(t.CA)) {
			return nil, errors.New("ca holds no certificate in PEM form")
		}
	}
	if (t.Cert == "") != t.Key.Empty() {
		return nil, errors.New("cert and key must be given together")
	}
	if t.Cert != "" {
		pair, err := tls.X509KeyPair([]byte(t.Cert), []byte(t.Key.Reveal()))
		if err != nil {
			return nil, errors.New("cert and key are not a pair in PEM form") // the cause could hold a part of the key
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}
