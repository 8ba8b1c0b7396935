// Package testenv sets up what programs and tests that run the whole system have in common: accounts at the
// providers' sandbox, the configuration that belongs to them, all ways of paying, and services that are
// processes, so that they can be killed.
package testenv

import (
	"bytes"
	"cmp"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
// returns the file's path and the API key of the ingress. The times in it are short, so that a test environment
// need not wait long for the end of a lease.
func (k Keys) WriteConfig(dir string, at Addresses) (path, apiKey string, err error) {
	if err := k.write(filepath.Join(dir, keysFolder)); err != nil {
		return "", "", err
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return "", "", err
	}
	apiKey = hex.EncodeToString(secret)
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

// hurried are the times of a test environment that a machine exceeds which stands still for a second, with longer ones that fit
// batcher as the short ones do.
var hurried = []string{
	"submit_timeout: 1s\n", "submit_timeout: 2s\n", "lease: 3s\n", "lease: 5s\n", "ack_wait: 4s\n", "ack_wait: 6s\n",
	"settling_delay: 5s\n", "settling_delay: 7s\n",
}

// Unhurried writes a test environment's configuration with longer times beside it and returns its path: for a demonstration, and for
// tests that count events or calls. A call that is given up is then the fault of what is tested, and not of a machine that
// stood still, and no answer with a customer's link is given up. It costs seconds where a process is killed. It is an
// error if the configuration has not all times that are changed.
func Unhurried(path string) (longer string, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for i := 0; i < len(hurried); i += 2 {
		if !strings.Contains(string(data), hurried[i]) {
			return "", fmt.Errorf("%s has no %q", path, hurried[i])
		}
	}
	longer = filepath.Join(filepath.Dir(path), "unhurried.yaml")
	return longer, os.WriteFile(longer, []byte(strings.NewReplacer(hurried...).Replace(string(data))), 0o600)
}

// Where the keys stand, beside the configuration, which names them.
const (
	keysFolder = "keys"
	sharedFile = "shared_secret"
	tokenFile  = "token"
)

func (k Keys) write(dir string) error {
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
