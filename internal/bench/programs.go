package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"payonce/internal/bench/yardstick"
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
	{name: "bare", source: "./internal/bench/bare", module: ".", events: 1, arguments: flagsOf},
	{name: "payonce", source: "./internal/bench/worker", module: ".", events: 2, arguments: configOf},
	{name: "watermill", source: ".", module: "internal/bench/watermill", events: 1, arguments: flagsOf},
}

// before is another build of payonce.
func before(built string) program {
	return program{name: "before", built: built, events: 2, arguments: configOf}
}

func configOf(s *system) []string { return []string{"--config", s.config} }

func flagsOf(s *system) []string {
	return []string{"--nats", s.natsURL, "--redis", s.redis, "--provider", s.provider.URL, "--slots", strconv.Itoa(s.slots)}
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

// builds is a folder with the programs.
type builds struct{ dir string }

// newBuilds builds the programs and a nats-server. Redis must be installed.
func newBuilds(ctx context.Context, programs []program) (*builds, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, fmt.Errorf("redis-server is needed (apt-get install redis-server, brew install redis): %w", err)
	}
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "payonce").Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	dir, err := os.MkdirTemp("", "payonce-bench-")
	if err != nil {
		return nil, err
	}
	b := &builds{dir: dir}
	sources := append([]program{{name: "nats-server", source: "github.com/nats-io/nats-server/v2", module: "."}}, programs...)
	for _, p := range sources {
		if p.built != "" {
			if err := os.Symlink(p.built, b.path(p.name)); err != nil {
				b.remove()
				return nil, err
			}
			continue
		}
		build := exec.CommandContext(ctx, "go", "build", "-C", filepath.Join(strings.TrimSpace(string(root)), p.module), "-o", b.path(p.name), p.source)
		if out, err := build.CombinedOutput(); err != nil {
			b.remove()
			return nil, fmt.Errorf("build %s: %w\n%s", p.name, err, out)
		}
	}
	return b, nil
}

func (b *builds) path(name string) string { return filepath.Join(b.dir, name) }
func (b *builds) remove()                 { _ = os.RemoveAll(b.dir) }

// configText is the configuration of payonce's workers: what a file has that says only what it must.
const configText = `environment: test
nats:
  urls: [%q]
redis:
  addresses: [%q]
worker:
  slots: %d
providers:
  ` + yardstick.Provider + `:
    kind: diamondpay
    settings:
      base_url: %s
      platform_id: ` + yardstick.PlatformID + `
      secret_file: secret
      sign_type: HMAC-SHA256
      currency: KRW
      version: v2
      notify_url: ` + yardstick.NotifyURL + `
      allow_plain_links: true
`
