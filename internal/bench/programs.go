package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"payonce/internal/bench/baseline"
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
		folder := filepath.Join(strings.TrimSpace(string(root)), p.module)
		// Another module than ours is brought up to date in a copy: what we import changes more often than it.
		copied := filepath.Join(dir, p.name+".mod")
		if err := copyModule(folder, copied); err != nil {
			b.remove()
			return nil, err
		}
		build := exec.CommandContext(ctx, "go", "build", "-C", folder, "-mod=mod", "-modfile", copied, "-o", b.path(p.name), p.source)
		if out, err := build.CombinedOutput(); err != nil {
			b.remove()
			return nil, fmt.Errorf("build %s: %w\n%s", p.name, err, out)
		}
	}
	return b, nil
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
