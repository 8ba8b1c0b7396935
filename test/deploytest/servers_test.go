package deploytest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/credentials"
	"payonce/test/testenv"
)

// timeout bounds waits for what must happen. The machine can be slow.
const timeout = time.Minute

// shop, game and accounting are the third parties of all tests.
var (
	shop       = credentials.Upstream{Name: "shop", Providers: []string{"teemopay-kr", "ecommpay-kr"}}
	game       = credentials.Upstream{Name: "game", Providers: []string{"diamondpay-tw"}}
	accounting = "accounting"
)

// broker is a secured nats-server, or three of them, from the shipped files and nothing else.
type broker struct {
	dir     string
	servers []*server.Server
}

func (b broker) urls() []string {
	var all []string
	for _, s := range b.servers {
		all = append(all, fmt.Sprintf("tls://127.0.0.1:%d", s.Addr().(*net.TCPAddr).Port))
	}
	return all
}

func (b broker) seedFile(user string) string {
	return filepath.Join(b.dir, credentials.ClientsDir, user+".seed")
}

func (b broker) ca() string { return filepath.Join(b.dir, credentials.ClientsDir, "ca.pem") }

// startBroker makes credentials and starts as many servers as the names, each with its own store.
func startBroker(t *testing.T, file string, names ...string) broker {
	t.Helper()
	b := broker{dir: t.TempDir()}
	if err := credentials.Make(credentials.Options{
		Dir: b.dir, Upstreams: []credentials.Upstream{shop, game}, Ledgers: []string{accounting}, Endpoints: []string{"shop"}, Operators: []string{"kim", "lee"},
		Hosts: []string{"localhost", "127.0.0.1"}, Now: time.Now(),
	}); err != nil {
		t.Fatal(err)
	}
	environ(t, filepath.Join(b.dir, credentials.ServerDir, "nats.env"))
	routes := make([]string, len(names))
	for i := range names {
		routes[i] = "nats-route://" + testenv.FreeAddress(t)
	}
	for i, name := range names {
		t.Setenv("NATS_NAME", name)
		t.Setenv("NATS_STORE", filepath.Join(b.dir, name))
		b.servers = append(b.servers, startServer(t, filepath.Join(b.dir, credentials.ServerDir, file), routes[i], routes))
	}
	for _, s := range b.servers {
		s := s
		eventually(t, "a leader of JetStream", func() bool { return len(names) == 1 || s.JetStreamIsCurrent() })
	}
	return b
}

// startServer starts a server from a file. Only what the flags -a, -p, -m, --cluster and --routes of
// nats-server change is changed.
func startServer(t *testing.T, file, route string, routes []string) *server.Server {
	t.Helper()
	o, err := server.ProcessConfigFile(file)
	testenv.Must(t, err)
	if !o.SyncAlways || o.StoreDir == "" || o.JetStreamKey == "" || o.TLSConfig == nil {
		t.Fatalf("%s: sync always %t, store %q, encrypted %t, TLS %t", file, o.SyncAlways, o.StoreDir, o.JetStreamKey != "", o.TLSConfig != nil)
	}
	o.Host, o.Port, o.HTTPPort, o.NoSigs, o.NoLog = "127.0.0.1", server.RANDOM_PORT, 0, true, true
	if o.Cluster.Name != "" {
		if !o.Cluster.TLSConfig.ClientCAs.Equal(o.Cluster.TLSConfig.RootCAs) {
			t.Fatal("routes do not ask for a certificate of our CA")
		}
		host, port, _ := net.SplitHostPort(strings.TrimPrefix(route, "nats-route://"))
		o.Cluster.Host = host
		if _, err := fmt.Sscan(port, &o.Cluster.Port); err != nil {
			t.Fatal(err)
		}
		o.Routes = server.RoutesFromStr(strings.Join(routes, ","))
	}
	s, err := server.NewServer(o)
	testenv.Must(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(timeout) {
		t.Fatal("the server is not ready")
	}
	return s
}

// environ sets the variables of a file for the length of the test.
func environ(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	testenv.Must(t, err)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		t.Setenv(name, value)
	}
}

// login connects as a user, with the inbox that its program has.
func (b broker) login(t *testing.T, user string) *nats.Conn {
	t.Helper()
	seed, err := nats.NkeyOptionFromSeed(b.seedFile(user))
	testenv.Must(t, err)
	options := []nats.Option{seed, nats.RootCAs(b.ca()), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})}
	switch user {
	case "operator-kim", "operator-lee", "administrator":
		options = append(options, nats.CustomInboxPrefix("_INBOX.payctl"))
	case "ingress", "worker", "archive", "console", "monitor", "notifier":
		options = append(options, nats.CustomInboxPrefix("_INBOX."+user))
	case "viewer": // of the program console
		options = append(options, nats.CustomInboxPrefix("_INBOX.console"))
	}
	var nc *nats.Conn
	eventually(t, "a connection of "+user, func() bool {
		nc, err = nats.Connect(strings.Join(b.urls(), ","), options...)
		return err == nil
	})
	t.Cleanup(nc.Close)
	return nc
}

// jetStream is a client of what a user may do with JetStream.
func (b broker) jetStream(t *testing.T, user string) njs.JetStream {
	t.Helper()
	js, err := njs.New(b.login(t, user))
	testenv.Must(t, err)
	return js
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*timeout)
	t.Cleanup(cancel)
	return ctx
}

// eventually polls a condition for which there is no signal.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	testenv.Await(ctx, t, what, condition)
}
