package deploytest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"payonce/internal/credentials"
	"payonce/test/testenv"
)

// TestAStolenKeyIsReplaced does what SECURITY.md says: a new public key in the servers' file and a reload end the thief's
// connection and refuse its key, without a restart and without any other client noticing.
func TestAStolenKeyIsReplaced(t *testing.T) {
	b := startBroker(t, "node.conf", "nats-1")
	fresh := filepath.Join(t.TempDir(), "fresh")
	testenv.Must(t, credentials.Make(credentials.Options{Dir: fresh, Operators: []string{"kim"}, Hosts: []string{"localhost"}, Now: time.Now()}))
	for _, replaced := range []struct{ user, file, before string }{
		{"worker", "keys.conf", "WORKER_NKEY: "}, {"operator-kim", "third-parties.conf", "operator-kim: {\n  users: [ { nkey: "},
	} {
		closed := make(chan struct{})
		thief, other := b.login(t, replaced.user), b.login(t, "ingress")
		thief.SetClosedHandler(func(*nats.Conn) { close(closed) })
		thief.SetDisconnectErrHandler(func(nc *nats.Conn, _ error) { go nc.Close() })
		old := publicKey(t, filepath.Join(b.dir, credentials.ServerDir, replaced.file), replaced.before)
		path := filepath.Join(b.dir, credentials.ServerDir, replaced.file)
		text, err := os.ReadFile(path)
		testenv.Must(t, err)
		changed := strings.Replace(string(text), old, publicKey(t, filepath.Join(fresh, credentials.ServerDir, replaced.file), replaced.before), 1)
		testenv.Must(t, os.WriteFile(path, []byte(changed), 0o600))
		b.reload(t)
		select {
		case <-closed:
		case <-time.After(timeout):
			t.Errorf("%s is still connected", replaced.user)
		}
		if b.enters(t, b.seedFile(replaced.user)) {
			t.Errorf("the old key of %s still opens", replaced.user)
		}
		if !b.enters(t, filepath.Join(fresh, credentials.ClientsDir, replaced.user+".seed")) {
			t.Errorf("the new key of %s does not open", replaced.user)
		}
		if err := other.FlushTimeout(timeout); err != nil || other.Reconnects != 0 {
			t.Errorf("the ingress: %v, %d reconnects", err, other.Reconnects)
		}
	}
}

func publicKey(t *testing.T, file, before string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	testenv.Must(t, err)
	_, rest, found := strings.Cut(string(text), before)
	if !found || len(rest) < 56 {
		t.Fatalf("%s has no %q", file, before)
	}
	return rest[:56]
}

// reload does what the signal does: the server reads its files again. Ports stay those of the test.
func (b broker) reload(t *testing.T) {
	t.Helper()
	for _, s := range b.servers {
		o, err := server.ProcessConfigFile(filepath.Join(b.dir, credentials.ServerDir, "node.conf"))
		testenv.Must(t, err)
		o.Host, o.Port, o.HTTPPort, o.NoSigs, o.NoLog = "127.0.0.1", server.RANDOM_PORT, 0, true, true
		testenv.Must(t, s.ReloadOptions(o))
	}
}

// enters reports whether the servers let a key in.
func (b broker) enters(t *testing.T, seedFile string) bool {
	t.Helper()
	seed, err := nats.NkeyOptionFromSeed(seedFile)
	testenv.Must(t, err)
	nc, err := nats.Connect(strings.Join(b.urls(), ","), seed, nats.RootCAs(b.ca()), nats.Timeout(timeout))
	if err != nil {
		return false
	}
	nc.Close()
	return true
}
