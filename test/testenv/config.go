// Package testenv runs payonce on one machine, for tests and, with [Run], for programs: servers as processes that can be killed,
// accounts at the providers' sandbox, the configuration that belongs to them, services in this process or as others, and all ways of
// paying.
package testenv

import (
	"bytes"
	"cmp"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"os"
	"path/filepath"
	"text/template"

	"payonce/pkg/ingress"
)

// Addresses say where the parts of a test environment are.
type Addresses struct {
	NATS     []string // URLs
	Replicas int      // of each stream; 0 is one
	Redis    string   // host:port
	Listen   string   // host:port of the ingress
	Sandbox  string   // base URL
	// SandboxListen is the host:port of a sandbox in this process; empty is a free one.
	SandboxListen string
	// Callbacks is the host:port that the sandbox calls back at; empty is Listen.
	Callbacks string
}

// CallbackURL is where the sandbox sends the callbacks of a provider.
func (a Addresses) CallbackURL(provider string) string {
	return "http://" + cmp.Or(a.Callbacks, a.Listen) + "/webhooks/" + provider
}

//go:embed config.yaml.tmpl
var configText string

var configTemplate = template.Must(template.New("config").Parse(configText))

// WriteConfig writes the configuration of ingress and workers into dir, with the keys beside it, and
// returns the file's path and the API key of the ingress, which is that of an earlier configuration in the folder, if there is
// one. The times in it are short, so that a test environment need not wait long for the end of a lease.
func (k Keys) WriteConfig(dir string, at Addresses) (path, apiKey string, err error) {
	if err := k.write(filepath.Join(dir, keysFolder)); err != nil {
		return "", "", err
	}
	if apiKey, err = keptAPIKey(filepath.Join(dir, keysFolder, apiKeyFile)); err != nil {
		return "", "", err
	}
	hash, err := ingress.HashKey(apiKey)
	if err != nil {
		return "", "", err
	}
	var text bytes.Buffer
	err = configTemplate.Execute(&text, map[string]any{
		"At": at, "Hash": hash, "AppCode": appCode, "ProjectID": projectID, "PlatformID": PlatformID,
	})
	if err != nil {
		return "", "", err
	}
	path = filepath.Join(dir, "payonce.yaml")
	return path, apiKey, os.WriteFile(path, text.Bytes(), 0o600)
}

// keptAPIKey returns the key that a file has, or makes one and writes it there.
func keptAPIKey(path string) (string, error) {
	kept, err := os.ReadFile(path)
	if err == nil {
		return string(kept), nil
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return "", err
	}
	key := hex.EncodeToString(secret)
	return key, os.WriteFile(path, []byte(key), 0o600)
}

// Where the keys are, beside the configuration, which names them.
const (
	keysFolder = "keys"
	sharedFile = "shared_secret"
	tokenFile  = "token"
	apiKeyFile = "api_key"
)

func (k Keys) write(dir string) error {
	if k.written {
		return nil
	}
	if err := k.teemopay.Write(dir); err != nil { // makes the folder
		return err
	}
	for name, text := range map[string]string{sharedFile: k.shared, tokenFile: k.token} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
