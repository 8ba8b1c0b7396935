package config

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"payonce/pkg/secret"
)

// Files remembers what a [Source] has read, so that a change of any of these files can be noticed. It is
// safe for concurrent use.
type Files struct {
	read func(path string) ([]byte, error)

	mu   sync.Mutex
	seen map[string]string // what each file looked like, by path
}

// Watched returns a source that reads as s does, and what it has read.
func (s Source) Watched() (Source, *Files) {
	files := &Files{read: s.ReadFile, seen: map[string]string{}}
	s.ReadFile = func(path string) ([]byte, error) {
		data, err := files.read(path)
		files.mu.Lock()
		defer files.mu.Unlock()
		files.seen[path] = look(data, err)
		return data, err
	}
	return s, files
}

// look distinguishes contents without keeping them. A file that cannot be read looks like its error.
func look(data []byte, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

// Read is what all files looked like when they were read.
func (f *Files) Read() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprint(f.seen) // in the order of the paths
}

// Now is what they look like now: the same text as Read as long as nothing has changed. A file is compared
// by its content, so it does not matter how it was replaced.
func (f *Files) Now() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := make(map[string]string, len(f.seen))
	for path := range f.seen {
		now[path] = look(f.read(path))
	}
	return fmt.Sprint(now)
}

// RequiresRestart lists what differs in next and cannot be taken while a service runs: everything but approvals, API
// keys, the certificates of the ingress and the settings of providers. Both configurations went through
// [Config.Connectors].
func (c *Config) RequiresRestart(next *Config) []string {
	var keys []string
	differ := func(key string, a, b any) {
		if !reflect.DeepEqual(a, b) {
			keys = append(keys, key)
		}
	}
	differ("environment", c.Environment, next.Environment)
	differ("nats", c.NATS, next.NATS)
	differ("redis", c.Redis, next.Redis)
	differ("ingress", fixed(c.Ingress), fixed(next.Ingress))
	differ("worker", c.Worker, next.Worker)
	differ("archive", c.Archive, next.Archive)
	differ("console", c.Console, next.Console)
	differ("order_prefixes", c.OrderPrefixes, next.OrderPrefixes)
	differ("log", c.Log, next.Log)
	differ("reload_every", c.ReloadEvery, next.ReloadEvery)
	for name, provider := range c.Providers {
		other, known := next.Providers[name]
		provider.Settings, other.Settings = nil, nil
		differ(join("providers", name), provider, other)
		if !known {
			keys = append(keys, join("providers", name))
		}
	}
	for name := range next.Providers {
		if _, known := c.Providers[name]; !known {
			keys = append(keys, join("providers", name))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// fixed leaves out what can be replaced while the ingress runs.
func fixed(in Ingress) Ingress {
	in.APIKeys = nil
	in.TLS.Cert, in.TLS.Key = "", secret.Value{}
	if in.TLS.ClientCA != "" { // another is taken, but not whether there is one
		in.TLS.ClientCA = "set"
	}
	return in
}
