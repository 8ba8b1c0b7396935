package redis_test

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"

	"payonce/pkg/idempotency"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/secret"
	"payonce/test/redistest"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store := redis.New(connect(t, redis.Config{Addresses: []string{server.Addr()}}), redis.Options{})
	tests := []struct {
		set  string
		want []string
	}{
		{"CONFIG SET appendfsync always", nil},
		{"CONFIG SET appendfsync everysec", []string{"appendfsync"}},
		{"ACL SETUSER default -config", []string{"cannot tell appendfsync"}},
		{"ACL SETUSER default -info", []string{"cannot tell whether maxmemory-policy", "cannot tell whether appendonly"}},
		{"ACL SETUSER default +info +config", []string{"appendfsync"}},
		{"CONFIG SET appendonly no", []string{"appendonly is off"}},
	}
	for _, test := range tests {
		server.MustDo(test.set)
		got, err := store.Check(t.Context())
		warned(t, test.set, got, err, test.want)
	}
	server.MustDo("CONFIG SET maxmemory-policy volatile-ttl")
	if _, err := store.Check(t.Context()); !errors.Is(err, redis.ErrEvicts) || !strings.Contains(err.Error(), "volatile-ttl") {
		t.Errorf("a server that evicts: %v", err)
	}
	server.Stop()
	if _, err := store.Check(t.Context()); err == nil || errors.Is(err, redis.ErrEvicts) {
		t.Errorf("a server that is down: %v", err)
	}
}

func warned(t *testing.T, name string, got []string, err error, want []string) {
	t.Helper()
	if err != nil || len(got) != len(want) {
		t.Errorf("%s: warnings %q, %v; want %q", name, got, err, want)
		return
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("%s: warning %q, want %q", name, got[i], want[i])
		}
	}
}

func TestCheckCluster(t *testing.T) {
	t.Parallel()
	server := redistest.StartCluster(t)
	store := redis.New(connect(t, redis.Config{Addresses: []string{server.Addr()}, Cluster: true}), redis.Options{})
	server.MustDo("CONFIG SET appendfsync no")
	got, err := store.Check(t.Context())
	warned(t, "cluster", got, err, []string{strings.TrimPrefix(server.Addr(), "127.0.0.1") + ": appendfsync"})
	server.MustDo("CONFIG SET maxmemory-policy allkeys-lru")
	if _, err := store.Check(t.Context()); !errors.Is(err, redis.ErrEvicts) {
		t.Errorf("a cluster that evicts: %v", err)
	}
}

func TestCheckMiniredis(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	store := redis.New(connect(t, redis.Config{Addresses: []string{server.Addr()}}), redis.Options{})
	got, err := store.Check(t.Context())
	warned(t, "miniredis", got, err, []string{"cannot tell whether maxmemory-policy", "cannot tell whether appendonly"})
}

func TestConfigValidate(t *testing.T) {
	one, two := []string{"127.0.0.1:1"}, []string{"127.0.0.1:1", "127.0.0.1:2"}
	tests := []struct {
		name     string
		config   redis.Config
		problems []string
	}{
		{"one node", redis.Config{Addresses: one, Database: 3}, nil},
		{"cluster", redis.Config{Addresses: two}, nil},
		{"sentinel", redis.Config{Addresses: two, MasterName: "m", Database: 3}, nil},
		{"nothing", redis.Config{}, []string{"no address"}},
		{"empty address", redis.Config{Addresses: []string{""}}, []string{"an address is empty"}},
		{"cluster and sentinel", redis.Config{Addresses: one, Cluster: true, MasterName: "m"}, []string{"master name"}},
		{"database of a cluster", redis.Config{Addresses: two, Database: 1}, []string{"database"}},
		{"negative", redis.Config{Addresses: one, Database: -1, ReadTimeout: -1}, []string{"database", "timeout"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.config.Validate()
			client, clientErr := redis.NewClient(test.config)
			if (err == nil) != (len(test.problems) == 0) || (clientErr == nil) != (err == nil) {
				t.Fatalf("got %v and %v, want %q", err, clientErr, test.problems)
			}
			if err == nil {
				_ = client.Close()
				return
			}
			warned(t, test.name, strings.Split(err.Error(), "\n"), nil, test.problems)
		})
	}
}

func TestNewClient(t *testing.T) {
	security := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: "redis.test"}
	client, err := redis.NewClient(redis.Config{
		Addresses: []string{"127.0.0.1:1"}, Username: "u", Password: secret.New("p"), Database: 2, TLS: security,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	got := client.(*goredis.Client).Options()
	if got.Addr != "127.0.0.1:1" || got.Username != "u" || got.Password != "p" || got.DB != 2 || got.TLSConfig != security {
		t.Errorf("options %+v", got)
	}
	if got.DialTimeout != redis.DefaultDialTimeout || got.ReadTimeout != redis.DefaultReadTimeout || got.WriteTimeout != redis.DefaultWriteTimeout || !got.ContextTimeoutEnabled {
		t.Errorf("timeouts %s, %s, %s", got.DialTimeout, got.ReadTimeout, got.WriteTimeout)
	}
}

// TestPassword and database are used on the wire.
func TestPassword(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	server.RequireUserAuth("worker", "correct")
	for password, let := range map[string]bool{"correct": true, "wrong": false} {
		client := connect(t, redis.Config{
			Addresses: []string{server.Addr()}, Username: "worker", Password: secret.New(password), Database: 5,
		})
		_, err := redis.New(client, redis.Options{}).Claim(t.Context(), order, request("a"))
		if (err == nil) != let {
			t.Errorf("with the %s password: %v", password, err)
		}
		if err != nil && strings.Contains(err.Error(), password+"\"") {
			t.Errorf("the password shows in %v", err)
		}
	}
	if len(server.DB(5).Keys()) != 1 {
		t.Error("the claim is not in its database")
	}
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client := connect(t, redis.Config{Addresses: []string{server.Addr()}})
	claim(t, redis.New(client, redis.Options{Prefix: "p"}), "a", idempotency.Won)
	if keys := server.Keys(); len(keys) != 1 || keys[0] != "p:{teemopay-kr:D-1}" {
		t.Errorf("keys %q", keys)
	}
	defer func() {
		if recover() == nil {
			t.Error("a prefix with braces is taken")
		}
	}()
	redis.New(client, redis.Options{Prefix: "{p}"})
}
