package sandbox

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

// SecretMark is what every text secret of a sandbox begins with, so that no person takes one for real, and
// production can refuse it.
const SecretMark = "sandbox-"

// maxSecretFile bounds a secret's file.
const maxSecretFile = 1 << 10

// NewSecret makes a secret of 256 random bits behind the mark.
func NewSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return SecretMark + hex.EncodeToString(b[:])
}

// WriteSecret makes a file with a new secret, readable by its owner only. It never replaces a file.
func WriteSecret(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(NewSecret() + "\n")
	return errors.Join(err, f.Close())
}

// ReadSecret reads a file with a marked secret: a real one has no business here. The error never quotes
// it.
func ReadSecret(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(content[:min(len(content), maxSecretFile)]))
	if !strings.HasPrefix(secret, SecretMark) || secret == SecretMark {
		return "", fmt.Errorf("%s: not marked as a sandbox secret (it must begin with %q)", path, SecretMark)
	}
	return secret, nil
}
