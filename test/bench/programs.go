package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

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
	// fed says that it has a queue of its own, into which it puts commands when it is started with --feed.
	fed bool
	// early says that its processes are ready before commands are published: else the first of its subscribers get all of a
	// backlog, one after the other.
	early bool
	// options are tried by a sweep: flags, separated by blanks.
	options []string
}

// all lists the programs.
var all = []program{
	{name: "bare", source: "./test/bench/bare", module: ".", events: 1, options: []string{
		"--ack-pending=0", "--ack-pending=10000", "--ack-pending=10000 --await-ack",
		"--push --ack-pending=0", "--push --ack-pending=10000",
	}},
	{name: "watermill", source: ".", module: "test/bench/watermill", events: 1, early: true, options: []string{
		"--ack-pending=0", "--ack-pending=1000", "--ack-pending=10000", "--ack-pending=0 --manual-ack",
		"--ack-pending=10000 --manual-ack", "--ack-pending=0 --await-ack",
	}},
	{name: "asynq", source: ".", module: "test/bench/asynq", events: 1, fed: true, options: []string{"--pool=0", "--pool=600"}},
	{name: "payonce", source: "./test/bench/worker", module: ".", events: 2},
}

// payonce is ours.
func payonce() program { return all[len(all)-1] }

// before is another build of payonce.
func before(built string) program { return program{name: "before", built: built, events: 2} }

// arguments of its process, with the options of a baseline.
func (p program) arguments(s *system, options string) []string {
	if p.source == payonce().source || p.built != "" {
		return []string{"--config", s.config}
	}
	own := []string{"--nats", strings.Join(s.urls(), ","), "--redis", s.redis.Addr(), "--provider", s.provider, "--slots", strconv.Itoa(s.slots)}
	return append(own, strings.Fields(options)...)
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
