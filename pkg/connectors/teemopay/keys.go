package teemopay

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// minKeyBits is the length that TeemoPay prescribes (guides/authentication), and Go's own minimum.
const minKeyBits = 1024

// ParsePrivateKey reads an RSA key of at least 1024 bits: PKCS#8 as PEM, PKCS#8 as base64 without the
// PEM lines (the form that TeemoPay's key tool gives out), or PKCS#1 as PEM. Errors hold no part of it.
func ParsePrivateKey(text string) (*rsa.PrivateKey, error) {
	der, kind, err := decodeKey(text)
	if err != nil {
		return nil, err
	}
	var parsed any
	switch kind {
	case "RSA PRIVATE KEY":
		parsed, err = x509.ParsePKCS1PrivateKey(der)
	case "PRIVATE KEY", "":
		parsed, err = x509.ParsePKCS8PrivateKey(der)
	default:
		return nil, fmt.Errorf("is a PEM block %q, want PRIVATE KEY or RSA PRIVATE KEY", kind)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	switch {
	case err != nil: // not wrapped: whatever it says, it is about the secret
		return nil, errors.New("is not a readable private key (PKCS#8, or PKCS#1 as PEM)")
	case !ok:
		return nil, errors.New("is not an RSA key")
	case key.N.BitLen() < minKeyBits:
		return nil, fmt.Errorf("has %d bits, want at least %d", key.N.BitLen(), minKeyBits)
	}
	return key, nil
}

// ParsePublicKey reads an RSA key of at least 1024 bits: X.509 SubjectPublicKeyInfo as PEM, or as
// base64 without the PEM lines (the form that the dashboard's "exchange public key" shows).
func ParsePublicKey(text string) (*rsa.PublicKey, error) {
	der, kind, err := decodeKey(text)
	if err != nil {
		return nil, err
	}
	if kind != "PUBLIC KEY" && kind != "" {
		return nil, fmt.Errorf("is a PEM block %q, want PUBLIC KEY", kind)
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	key, ok := parsed.(*rsa.PublicKey)
	switch {
	case err != nil: // not wrapped: an operator may have pasted the private key here
		return nil, errors.New("is not a readable public key (X.509)")
	case !ok:
		return nil, errors.New("is not an RSA key")
	case key.N.BitLen() < minKeyBits:
		return nil, fmt.Errorf("has %d bits, want at least %d", key.N.BitLen(), minKeyBits)
	}
	return key, nil
}

// decodeKey returns the DER of one PEM block and its type, or of bare base64 with no type.
func decodeKey(text string) (der []byte, kind string, err error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return nil, "", errors.New("is missing")
	case strings.HasPrefix(text, "-----BEGIN"):
		block, rest := pem.Decode([]byte(text))
		if block == nil || len(strings.TrimSpace(string(rest))) > 0 {
			return nil, "", errors.New("must be exactly one PEM block")
		}
		return block.Bytes, block.Type, nil
	}
	der, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, "", errors.New("is neither PEM nor base64")
	}
	return der, "", nil
}
