package campaign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/freeport"
	"payonce/internal/testenv"
	"payonce/pkg/events/jetstream"
)

// natsNodes is how many nats-servers there are, and how many replicas each stream has.
const natsNodes = 3

// system is everything that runs.
type system struct {
	dir     string
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
	config    string    // file of ingress and workers
	begin     time.Time // of the load
	closings  []closing
	apiKey    string

	conn *nats.Conn
	js   njs.JetStream
	log  *jetstream.Conn
}

// ErrNoRedis says that the program redis-server was not found.
var ErrNoRedis = errors.New("redis-server is not installed (apt-get install redis-server, brew install redis)")

// startSystem starts everything in a folder. What was started must be stopped also after an error.
func startSystem(ctx context.Context, s *system, o Options) error {
	for _, step := range []func(context.Context) error{s.startNATS, s.startRedis, s.startServices, s.connect} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	// About when all will run: workers begin with the hours of the provider that closes.
	s.begin = time.Now().Add(2*time.Second + time.Duration(o.Workers)*500*time.Millisecond)
	s.closings = closings(s.begin, o.Duration)
	if err := edit(s.config, hoursOf(s.closings), slotsFor(o.Orders)); err != nil {
		return err
	}
	// The ingress makes the streams; workers that begin at the same time would only get in its way.
	s.ingress = s.own("ingress", "listening on", roleIngress, "--config", s.config)
	if err := s.ingress.launch(ctx, s.dir); err != nil {
		return err
	}
	for i := range o.Workers {
		w := s.own(fmt.Sprintf("worker-%d", i+1), "msg=working", roleWorker, "--config", s.config)
		s.workers = append(s.workers, w)
		if err := w.launch(ctx, s.dir); err != nil {
			return err
		}
	}
	select {
	case <-time.After(time.Until(s.begin)):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// own makes a service that is this program in another role.
func (s *system) own(name, working string, args ...string) *service {
	return &service{name: name, program: s.program, args: args, working: working, note: s.note}
}

// startNATS starts the cluster. Clients get to know the proxies in front of the servers only.
func (s *system) startNATS(ctx context.Context) error {
	s.links = newLinks()
	var clients, routes, routeURLs, proxies []string
	for i := range natsNodes {
		client, err := freeport.Address(ctx)
		if err != nil {
			return err
		}
		route, err := freeport.Address(ctx)
		if err != nil {
			return err
		}
		proxy, err := s.links.add(ctx, natsName(i), client)
		if err != nil {
			return err
		}
		clients, routes, proxies = append(clients, client), append(routes, route), append(proxies, proxy)
		routeURLs = append(routeURLs, "nats://"+route)
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
`, natsName(i), clients[i], proxies[i], filepath.Join(s.dir, natsName(i)), routes[i], strings.Join(routeURLs, `", "`))
		path := filepath.Join(s.dir, natsName(i)+".conf")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
		node := s.own(natsName(i), "Server is ready", roleNATS, path)
		s.nats = append(s.nats, node)
		if err := node.launch(ctx, s.dir); err != nil {
			return err
		}
	}
	return nil
}

func natsName(i int) string { return fmt.Sprintf("nats-%d", i+1) }

func (s *system) startRedis(ctx context.Context) error {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return ErrNoRedis
	}
	if s.redisAt, err = freeport.Address(ctx); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(s.redisAt)
	if err != nil {
		return err
	}
	dir := filepath.Join(s.dir, "redis")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	s.redis = &service{
		name: "redis", program: binary, working: "Ready to accept connections", note: s.note,
		args: []string{
			"--bind", "127.0.0.1", "--port", port, "--dir", dir, "--logfile", "/dev/stderr",
			"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction",
		},
	}
	return s.redis.launch(ctx, s.dir)
}

// startServices puts proxies in front of what is there, writes the configuration, and starts the sandbox.
func (s *system) startServices(ctx context.Context) error {
	at := testenv.Addresses{Replicas: natsNodes}
	for i := range natsNodes {
		at.NATS = append(at.NATS, "nats://"+s.links.proxies[natsName(i)].Listen)
	}
	box, err := freeport.Address(ctx)
	if err == nil {
		at.Listen, err = freeport.Address(ctx)
	}
	if err != nil {
		return err
	}
	if at.Redis, err = s.links.add(ctx, "redis", s.redisAt); err != nil {
		return err
	}
	front, err := s.links.add(ctx, "sandbox", box)
	if err != nil {
		return err
	}
	if at.Callbacks, err = s.links.add(ctx, "webhooks", at.Listen); err != nil {
		return err
	}
	at.Sandbox, s.sandboxAt, s.ingressAt = "http://"+front, "http://"+box, "http://"+at.Listen
	keys, err := testenv.NewKeys()
	if err != nil {
		return err
	}
	if s.config, s.apiKey, err = keys.WriteConfig(s.dir, at); err != nil {
		return err
	}
	text, err := json.Marshal(sandboxFile{Listen: box, At: at})
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir, "sandbox.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return err
	}
	s.sandbox = s.own("sandbox", listening, roleSandbox, path)
	return s.sandbox.launch(ctx, s.dir)
}

// connect connects the campaign itself, without a proxy, once the cluster has a leader.
func (s *system) connect(ctx context.Context) error {
	var err error
	if s.conn, err = nats.Connect(strings.Join(s.natsURLs, ","), nats.Name("campaign"), nats.Timeout(startTimeout/3), nats.MaxReconnects(-1), nats.ReconnectWait(200*time.Millisecond), nats.IgnoreDiscoveredServers()); err != nil {
		return fmt.Errorf("NATS: %w", err)
	}
	if s.js, err = njs.New(s.conn); err != nil {
		return fmt.Errorf("NATS: %w", err)
	}
	for {
		if s.log, err = s.connectLog(ctx); err == nil {
			return nil
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("NATS: the cluster has no leader: %w", errors.Join(ctx.Err(), err))
		}
	}
}

// connectLog is cut off soon: what the cluster is asked before it has a leader is never answered.
func (s *system) connectLog(ctx context.Context) (*jetstream.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return jetstream.Connect(ctx, jetstream.Options{
		URLs: s.natsURLs, Name: "campaign", Config: streamConfig(), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
}

func streamConfig() jetstream.Config {
	config := jetstream.DefaultConfig()
	config.Replicas = natsNodes
	return config
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
	if s.log != nil {
		_ = s.log.Close()
	}
	if s.conn != nil {
		s.conn.Close()
	}
	for _, one := range s.services() {
		one.end()
	}
	if s.links != nil {
		s.links.close()
	}
}
