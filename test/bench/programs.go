package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"payonce/test/bench/baseline"
	"payonce/test/testenv"
)

// program is one that is measured.
type program struct {
	name string
	// source is the package, and module the folder of the module that it belongs to, within our own.
	source, module string
	// built is the program itself, where it is not built here.
	built string
	// events is how many the program writes for a payment.
	events int
	// arguments of its process.
	arguments func(s *system) []string
}

// all lists the programs.
var all = []program{
	{name: "bare", source: "./test/bench/bare", module: ".", events: 1, arguments: flagsOf},
	{name: "payonce", source: "./test/bench/worker", module: ".", events: 2, arguments: configOf},
	{name: "watermill", source: ".", module: "test/bench/watermill", events: 1, arguments: flagsOf},
}

// before is another build of payonce.
func before(built string) program {
	return program{name: "before", built: built, events: 2, arguments: configOf}
}

func configOf(s *system) []string { return []string{"--config", s.config} }

func flagsOf(s *system) []string {
	return []string{"--nats", s.nats.URL, "--redis", s.redis.Addr(), "--provider", s.provider, "--slots", strconv.Itoa(s.slots)}
}

func named(names string) (programs []program, err error) {
	for _, name := range strings.Split(names, ",") {
		found := false
		for _, p := range all {
			if p.name == name {
				found, programs = true, append(programs, p)
			}
		}
		if !found {
			return nil, fmt.Errorf("no program is called %q", name)
		}
	}
	return programs, nil
}

// build returns the program's file.
func (p program) build(t testing.TB) string {
	t.Helper()
	if p.built != "" {
		return p.built
	}
	root, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "payonce").Output()
	testenv.Must(t, err)
	folder := filepath.Join(strings.TrimSpace(string(root)), p.module)
	// Another module than ours is brought up to date in a copy: what we import changes more often than it.
	copied := filepath.Join(os.TempDir(), fmt.Sprintf("payonce-bench-%d-%s.mod", os.Getpid(), p.name))
	testenv.Must(t, copyModule(folder, copied))
	t.Cleanup(func() { _ = os.Remove(copied); _ = os.Remove(strings.TrimSuffix(copied, ".mod") + ".sum") })
	return testenv.Build(t, "-C", folder, "-mod=mod", "-modfile", copied, p.source)
}

// copyModule copies a folder's go.mod and go.sum. Paths in it stay relative to the folder.
func copyModule(folder, to string) error {
	for file, copied := range map[string]string{"go.mod": to, "go.sum": strings.TrimSuffix(to, ".mod") + ".sum"} {
		text, err := os.ReadFile(filepath.Join(folder, file))
		if err == nil {
			err = os.WriteFile(copied, text, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// configText is the configuration of payonce's workers: what a file has that says only what it must.
const configText = `environment: test
nats:
  urls: [%q]
redis:
  addresses: [%q]
worker:
  slots: %d
providers:
  ` + baseline.Provider + `:
    kind: diamondpay
    settings:
      base_url: %s
      platform_id: ` + baseline.PlatformID + `
      secret_file: secret
      sign_type: HMAC-SHA256
      currency: KRW
      version: v2
      callback_url: ` + baseline.NotifyURL + `
      allow_plain_links: true
`
