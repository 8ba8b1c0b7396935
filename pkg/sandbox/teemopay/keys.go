package teemopay

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Keys are the two key pairs of an account: the merchant signs requests, the platform signs callbacks.
type Keys struct {
	Merchant, Platform *rsa.PrivateKey
}

// KeyBits is the provider's key length (docs.teemopay.com guides/authentication).
const KeyBits = 1024

// NewKeys makes key pairs for tests and demos.
func NewKeys() (Keys, error) {
	merchant, err := rsa.GenerateKey(rand.Reader, KeyBits)
	if err != nil {
		return Keys{}, fmt.Errorf("make the merchant key: %w", err)
	}
	platform, err := rsa.GenerateKey(rand.Reader, KeyBits)
	if err != nil {
		return Keys{}, fmt.Errorf("make the platform key: %w", err)
	}
	return Keys{Merchant: merchant, Platform: platform}, nil
}

// sandboxMark is in every PEM file, so that no person takes the keys for real ones.
var sandboxMark = map[string]string{"Sandbox": "payonce"}

// PrivatePEM writes a key as PKCS#8, the provider's form, marked as a sandbox key.
func PrivatePEM(key *rsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("write a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Headers: sandboxMark, Bytes: der}), nil
}

// PublicPEM writes a public key as X.509 SPKI, the provider's form, marked as a sandbox key.
func PublicPEM(key *rsa.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("write a public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Headers: sandboxMark, Bytes: der}), nil
}

// The files that Write makes.
const (
	MerchantPrivateFile = "merchant_private.pem"
	MerchantPublicFile  = "merchant_public.pem"
	PlatformPrivateFile = "platform_private.pem"
	PlatformPublicFile  = "platform_public.pem"
)

// Write makes the folder and the four files, readable by the owner only. It never replaces a file.
func (k Keys) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, file := range []struct {
		name    string
		private *rsa.PrivateKey
		public  *rsa.PublicKey
	}{
		{MerchantPrivateFile, k.Merchant, nil}, {MerchantPublicFile, nil, &k.Merchant.PublicKey},
		{PlatformPrivateFile, k.Platform, nil}, {PlatformPublicFile, nil, &k.Platform.PublicKey},
	} {
		var content []byte
		var err error
		if file.private != nil {
			content, err = PrivatePEM(file.private)
		} else {
			content, err = PublicPEM(file.public)
		}
		if err == nil {
			err = writeNew(filepath.Join(dir, file.name), content)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// maxKeyFile bounds a key file.
const maxKeyFile = 16 << 10

// readBlock reads the first PEM block of a file and insists on the sandbox mark: a real key has no
// business here.
func readBlock(path, kind string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content[:min(len(content), maxKeyFile)])
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s: no PEM block %q", path, kind)
	}
	if block.Headers["Sandbox"] != sandboxMark["Sandbox"] {
		return nil, fmt.Errorf("%s: not marked as a sandbox key (header \"Sandbox: payonce\")", path)
	}
	return block.Bytes, nil
}

// ReadPublic reads a file that Write made.
func ReadPublic(path string) (*rsa.PublicKey, error) {
	der, err := readBlock(path, "PUBLIC KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if rsaKey, ok := key.(*rsa.PublicKey); ok {
		return rsaKey, nil
	}
	return nil, fmt.Errorf("%s: not an RSA key", path)
}

// ReadPrivate reads a file that Write made.
func ReadPrivate(path string) (*rsa.PrivateKey, error) {
	der, err := readBlock(path, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, errors.New("not a PKCS#8 key")) // the cause could quote the key
	}
	if rsaKey, ok := key.(*rsa.PrivateKey); ok {
		return rsaKey, nil
	}
	return nil, fmt.Errorf("%s: not an RSA key", path)
}
