package campaign

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/streamconfig"
	"payonce/pkg/config"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/test/natstest"
	"payonce/test/redistest"
	"payonce/test/testenv"
)

// natsNodes is how many nats-servers there are, and how many replicas each stream has.
const natsNodes = 3

// system is everything that runs. Its services are started again whenever they end, and all ways between them can be cut: a test
// environment's own processes are not.
type system struct {
	*testenv.System
	program string // this program
	note    func(format string, args ...any)

	nats    []*service
	redis   *service
	sandbox *service
	ingress *service
	workers []*service
	links   *links

	natsURLs  []string  // without a proxy
	redisAt   string    // without a proxy
	sandboxAt string    // base URL, without a proxy
	ingressAt string    // base URL
	begin     time.Time // of the load
	closings  []closing

	js njs.JetStream
}

// startSystem starts everything in a folder, within ctx, until the test ends.
func startSystem(ctx context.Context, t testing.TB, dir string, o Options, note func(format string, args ...any)) *system {
	s := &system{program: o.Program, note: note, links: newLinks()}
	t.Cleanup(s.stop)
	s.startNATS(ctx, t, dir)
	s.startRedis(ctx, t, dir)
	s.startServices(ctx, t, dir)
	s.connect(ctx)
	// About when all will run: workers begin with the hours of the provider that closes.
	s.begin = time.Now().Add(2*time.Second + time.Duration(o.Workers)*500*time.Millisecond)
	s.closings = closings(s.begin, o.Duration)
	edit(s.System, hoursOf(s.closings), slotsFor(o.Orders))
	// The ingress makes the streams; workers that begin at the same time would only get in its way.
	s.ingress = s.own("ingress", "listening on", roleIngress, "--config", s.Config)
	s.Must(s.ingress.launch(ctx, dir))
	for i := range o.Workers {
		w := s.own(fmt.Sprintf("worker-%d", i+1), "msg=working", roleWorker, "--config", s.Config)
		s.workers = append(s.workers, w)
		s.Must(w.launch(ctx, dir))
	}
	select {
	case <-time.After(time.Until(s.begin)):
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	}
	return s
}

// own makes a service that is this program in another role.
func (s *system) own(name, working string, args ...string) *service {
	return &service{name: name, program: s.program, args: args, working: working, note: s.note}
}

// startNATS starts the cluster. Clients get to know the proxies in front of the servers only.
func (s *system) startNATS(ctx context.Context, t testing.TB, dir string) {
	var clients, routes, routeURLs []string
	for range natsNodes {
		route := testenv.FreeAddress(t)
		clients, routes, routeURLs = append(clients, testenv.FreeAddress(t)), append(routes, route), append(routeURLs, "nats://"+route)
	}
	for i := range natsNodes {
		s.natsURLs = append(s.natsURLs, "nats://"+clients[i])
		text := fmt.Sprintf(`server_name: %[1]s
listen: %[2]q
logtime: true
logtime_utc: true
client_advertise: %[3]q
jetstream { store_dir: %[4]q, sync_interval: always }
cluster { name: campaign, listen: %[5]q, routes: ["%[6]s"] }
`, natsName(i), clients[i], s.links.add(t, natsName(i), clients[i]), filepath.Join(dir, natsName(i)), routes[i], strings.Join(routeURLs, `", "`))
		path := filepath.Join(dir, natsName(i)+".conf")
		testenv.Must(t, os.WriteFile(path, []byte(text), 0o600))
		node := s.own(natsName(i), "Server is ready", roleNATS, path)
		s.nats = append(s.nats, node)
		testenv.Must(t, node.launch(ctx, dir))
	}
}

func natsName(i int) string { return fmt.Sprintf("nats-%d", i+1) }

func (s *system) startRedis(ctx context.Context, t testing.TB, dir string) {
	binary := redistest.Require(t)
	s.redisAt = testenv.FreeAddress(t)
	_, port, _ := net.SplitHostPort(s.redisAt)
	own := filepath.Join(dir, "redis")
	testenv.Must(t, os.Mkdir(own, 0o700))
	s.redis = &service{
		name: "redis", program: binary, working: "Ready to accept connections", note: s.note,
		args: []string{
			"--bind", "127.0.0.1", "--port", port, "--dir", own, "--logfile", "/dev/stderr",
			"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction",
		},
	}
	testenv.Must(t, s.redis.launch(ctx, dir))
}

// startServices puts proxies in front of what is there, writes the configuration, and starts the sandbox.
func (s *system) startServices(ctx context.Context, t testing.TB, dir string) {
	box := testenv.FreeAddress(t)
	at := testenv.Addresses{
		Replicas: natsNodes, Listen: testenv.FreeAddress(t), Redis: s.links.add(t, "redis", s.redisAt), Sandbox: "http://" + s.links.add(t, "sandbox", box),
	}
	for i := range natsNodes {
		at.NATS = append(at.NATS, "nats://"+s.links.proxies[natsName(i)].Listen)
	}
	at.Callbacks = s.links.add(t, "webhooks", at.Listen)
	s.sandboxAt, s.ingressAt = "http://"+box, "http://"+at.Listen
	s.System = testenv.NewSystem(t, dir, at, nil)
	text, err := json.Marshal(sandboxFile{Listen: box, At: at})
	s.Must(err)
	path := filepath.Join(dir, "sandbox.json")
	s.Must(os.WriteFile(path, text, 0o600))
	s.sandbox = s.own("sandbox", listening, roleSandbox, path)
	s.Must(s.sandbox.launch(ctx, dir))
}

// connect connects the campaign itself, without a proxy, once the cluster has a leader.
func (s *system) connect(ctx context.Context) {
	s.js = natstest.JetStream(s.T, strings.Join(s.natsURLs, ","), nats.Name("campaign"), nats.Timeout(startTimeout/3), nats.MaxReconnects(-1),
		nats.ReconnectWait(200*time.Millisecond), nats.IgnoreDiscoveredServers())
	var err error
	testenv.Await(ctx, s.T, "a leader of the cluster", func() bool {
		s.Log, err = s.connectLog(ctx)
		return err == nil
	})
	s.T.Cleanup(func() { _ = s.Log.Close() })
}

// connectLog is cut off soon: what the cluster is asked before it has a leader is never answered.
func (s *system) connectLog(ctx context.Context) (*admin.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	conn, err := jetstream.Connect(ctx, jetstream.Options{
		URLs: s.natsURLs, Name: "campaign", Config: streamConfig(), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	return admin.New(conn), nil
}

func streamConfig() jetstream.Config {
	streams := streamconfig.Of(config.Defaults())
	streams.Replicas = natsNodes
	return streams
}

// services lists all processes in the order in which they are stopped.
func (s *system) services() []*service {
	all := append([]*service{}, s.workers...)
	for _, one := range append([]*service{s.ingress, s.sandbox, s.redis}, s.nats...) {
		if one != nil {
			all = append(all, one)
		}
	}
	return all
}

func (s *system) stop() {
	for _, one := range s.services() {
		one.end()
	}
	s.links.close()
}
