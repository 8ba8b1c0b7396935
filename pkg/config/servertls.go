package config

import (
	"crypto/tls"
	"errors"

	"payonce/pkg/secret"
)

// Who must show a client certificate where ServerTLS has a ClientCA.
const (
	CertificatesAPI = "api" // upstream services; providers and probes need none
	CertificatesAll = "all" // every client
)

// ServerTLS says how the ingress encrypts. Cert, Key and ClientCA are PEM texts, so they are given as
// cert_file, key_file and client_ca_file. They are taken again when the files change.
type ServerTLS struct {
	Enabled bool         `yaml:"enabled"`
	Cert    string       `yaml:"cert"`
	Key     secret.Value `yaml:"key"`
	// ClientCA signs the certificates of clients; empty means that none is asked for.
	ClientCA string `yaml:"client_ca"`
	// ClientCertificates says who must show one where ClientCA is set: "api", the default, or "all".
	ClientCertificates string `yaml:"client_certificates"`
}

// Server returns the settings of a TLS server that speaks HTTP/1.1, or nil where TLS is not enabled. A
// certificate that a client shows is always verified. The error joins all problems.
func (t ServerTLS) Server() (*tls.Config, error) {
	var problems [3]error
	if t.ClientCertificates != CertificatesAPI && t.ClientCertificates != CertificatesAll {
		problems[0] = errors.New("client_certificates must be api or all")
	}
	if !t.Enabled {
		if t.Cert != "" || !t.Key.Empty() || t.ClientCA != "" {
			problems[1] = errors.New("enabled must be true if cert, key or client_ca is set")
		}
		return nil, errors.Join(problems[:]...)
	}
	// HTTP/1.1 only: the limits of the ingress count connections and requests, and a connection of HTTP/2
	// can hold many.
	out := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	out.Certificates, problems[1] = pair(t.Cert, t.Key)
	if t.ClientCA != "" {
		out.ClientCAs, problems[2] = authorities("client_ca", t.ClientCA)
		out.ClientAuth = tls.VerifyClientCertIfGiven
		if t.ClientCertificates == CertificatesAll {
			out.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	return out, errors.Join(problems[:]...)
}
