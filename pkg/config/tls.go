package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"reflect"
	"strings"

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

// Client returns the settings of a TLS client, or nil where TLS is not enabled. The error joins all problems.
func (t TLS) Client() (*tls.Config, error) {
	if !t.Enabled {
		if t.CA != "" || t.Cert != "" || !t.Key.Empty() {
			return nil, errors.New("enabled must be true if ca, cert or key is set")
		}
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	var problems [2]error
	if t.CA != "" {
		out.RootCAs, problems[0] = authorities("ca", t.CA)
	}
	if (t.Cert == "") != t.Key.Empty() {
		problems[1] = errors.New("cert and key must be set together")
	} else if t.Cert != "" {
		out.Certificates, problems[1] = pair(t.Cert, t.Key)
	}
	return out, errors.Join(problems[:]...)
}

// authorities reads the certificates of a key of the file.
func authorities(key, text string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(text)) {
		return nil, errors.New(key + " holds no certificate in PEM form")
	}
	return pool, nil
}

// pair reads a certificate and its private key.
func pair(cert string, key secret.Value) ([]tls.Certificate, error) {
	one, err := tls.X509KeyPair([]byte(cert), []byte(key.Reveal()))
	if err != nil {
		return nil, errors.New("cert and key are not a pair in PEM form") // the cause could hold a part of the key
	}
	return []tls.Certificate{one}, nil
}

// tls reports what is wrong with the keys of a tls section, which cannot be said of a pair of which one is not there.
func (p *problems) tls(key string, section any, err error) {
	keys := map[string]reflect.Value{}
	fieldsOf(reflect.ValueOf(section), keys, map[string]string{})
	for _, fault := range leaves(err) {
		if !strings.HasPrefix(fault.Error(), "cert ") || !p.has(key+".cert", key+".key") {
			p.addErrors(key, fault, keys)
		}
	}
}
