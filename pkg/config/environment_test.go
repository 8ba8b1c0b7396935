package config_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"payonce/pkg/config"
)

// A production configuration refuses the sandbox's keys, wherever they are.
func TestProductionRefusesSandboxKeys(t *testing.T) {
	const pem = "-----BEGIN PRIVATE KEY-----\nSandbox: payonce\n\nAA==\n-----END PRIVATE KEY-----\n"
	type settings struct {
		Key    string   `yaml:"key"`
		Public []string `yaml:"public"`
	}
	source := config.Source{
		Env: func(string) (string, bool) { return "sandbox-0123456789abcdef", true },
		ReadFile: func(path string) ([]byte, error) {
			switch {
			case strings.HasSuffix(path, ".pem"):
				return []byte(pem), nil
			case strings.HasSuffix(path, "payonce.yaml"):
				return nil, nil
			}
			return nil, fs.ErrNotExist
		},
	}
	text := func(environment string) string {
		return environment + "redis:\n  password: ${REDIS}\nproviders:\n  acme:\n    kind: x\n    settings:\n      key_file: merchant.pem\n      public: [\"" + "Sandbox: payonce" + "\"]\n"
	}
	load := func(environment string) error {
		files := source
		files.ReadFile = func(path string) ([]byte, error) {
			if strings.HasSuffix(path, "payonce.yaml") {
				return []byte(text(environment)), nil
			}
			return source.ReadFile(path)
		}
		c, err := config.Load("payonce.yaml", files, config.RoleWorker)
		if err != nil {
			return err
		}
		return c.Providers["acme"].Decode(&settings{})
	}
	for _, environment := range []string{"", "environment: production\n"} {
		err := load(environment)
		var problems *config.Error
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), "redis.password: is a key of the sandbox") {
			t.Errorf("%q: %v", environment, err)
		}
	}
	if err := load("environment: test\n"); err != nil {
		t.Errorf("test: %v", err)
	}
	if err := load("environment: staging\n"); err == nil || !strings.Contains(err.Error(), "environment: must be one of") {
		t.Errorf("staging: %v", err)
	}
	// The settings of providers are read later, and refused as well.
	late := source
	late.ReadFile = func(path string) ([]byte, error) {
		if strings.HasSuffix(path, "payonce.yaml") {
			return []byte(strings.Replace(text("allow_insecure: [redis_without_password]\n"), "  password: ${REDIS}\n", "", 1)), nil
		}
		return source.ReadFile(path)
	}
	c, err := config.Load("payonce.yaml", late, config.RoleWorker)
	if err != nil {
		t.Fatal(err)
	}
	err = c.Providers["acme"].Decode(&settings{})
	if err == nil || strings.Count(err.Error(), "is a key of the sandbox") != 2 {
		t.Errorf("the settings: %v", err)
	}
}
