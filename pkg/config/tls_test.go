package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"payonce/pkg/config"
	"payonce/pkg/secret"
)

// selfSigned returns a certificate for 127.0.0.1 and its key in PEM form.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

// TestTLSClient shakes hands with a real server that wants our certificate.
func TestTLSClient(t *testing.T) {
	cert, key := selfSigned(t)
	files := map[string]string{"conf/ca.pem": cert, "conf/key.pem": key}
	c := load(t, least+"redis: {tls: {enabled: true, ca_file: ca.pem, cert_file: ca.pem, key_file: key.pem}}\n", nil, files)
	client, err := c.Redis.TLS.Client()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: client.Certificates, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: client.RootCAs})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	served := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			err = conn.(*tls.Conn).Handshake()
			conn.Close()
		}
		served <- err
	}()
	conn, err := tls.Dial("tcp", listener.Addr().String(), client)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	if client.MinVersion != tls.VersionTLS12 {
		t.Errorf("takes TLS version %x", client.MinVersion)
	}
}

func TestTLSIsOffByDefault(t *testing.T) {
	if client, err := (config.TLS{}).Client(); client != nil || err != nil {
		t.Errorf("got %v, %v", client, err)
	}
	if _, err := (config.TLS{Key: secret.New("x")}).Client(); err == nil {
		t.Error("a key without TLS is taken")
	}
}
