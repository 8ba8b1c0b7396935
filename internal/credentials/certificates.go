package credentials

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/netip"
	"path/filepath"
	"time"
)

// How long the certificates of a test environment are good.
const (
	caYears     = 10
	serverYears = 1
)

// certificates adds a CA and certificates for the servers of NATS and of Redis. Each serves clients, and both ends of a route.
func certificates(o Options, files map[string][]byte) error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("CA: %w", err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "payonce CA"},
		NotBefore: o.Now.Add(-time.Hour), NotAfter: o.Now.AddDate(caYears, 0, 0),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return fmt.Errorf("CA: %w", err)
	}
	caPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	files[filepath.Join(ServerDir, "ca.pem")], files[filepath.Join(ClientsDir, "ca.pem")] = caPEM, caPEM
	key, err := x509.MarshalPKCS8PrivateKey(caKey)
	if err != nil {
		return fmt.Errorf("CA: %w", err)
	}
	files["ca.key"] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	if ca, err = x509.ParseCertificate(caDER); err != nil {
		return fmt.Errorf("CA: %w", err)
	}
	signer := authority{ca, caKey, o.Now}
	if err := signer.server(files, filepath.Join(ServerDir, "server"), "payonce NATS server", 2, o.Hosts); err != nil {
		return err
	}
	if len(o.RedisHosts) == 0 {
		return nil
	}
	files[filepath.Join(RedisDir, "redis-ca.pem")], files[filepath.Join(ClientsDir, "redis-ca.pem")] = caPEM, caPEM
	return signer.server(files, filepath.Join(RedisDir, "redis"), "payonce Redis server", 3, o.RedisHosts)
}

// authority signs certificates.
type authority struct {
	ca  *x509.Certificate
	key *ecdsa.PrivateKey
	now time.Time
}

// server adds NAME.pem and NAME.key for servers with these names and addresses.
func (a authority) server(files map[string][]byte, name, subject string, serial int64, hosts []string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("certificate of %s: %w", name, err)
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: subject},
		NotBefore: a.now.Add(-time.Hour), NotAfter: a.now.AddDate(serverYears, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, host := range hosts {
		if address, err := netip.ParseAddr(host); err == nil {
			server.IPAddresses = append(server.IPAddresses, address.AsSlice())
		} else {
			server.DNSNames = append(server.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, server, a.ca, &key.PublicKey, a.key)
	if err != nil {
		return fmt.Errorf("certificate of %s: %w", name, err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("certificate of %s: %w", name, err)
	}
	files[name+".pem"] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	files[name+".key"] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return nil
}
