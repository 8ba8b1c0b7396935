// Composetest builds and starts docker-compose.yml as a test environment, pays through it from outside in every way that the
// providers have, kills containers on the way, compares every outcome with the records of the providers' sandbox, looks for it in the
// archive, in the console and at the shop's endpoint, kills all containers and looks again, and takes everything down. It wants Docker, Compose, and the base images or a way to them. See
// docs/deploy-docker.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"payonce/pkg/payment"
	"payonce/test/freeport"
	"payonce/test/testenv"
	"payonce/test/testmerchant"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := options{}
	flag.StringVar(&o.compose, "compose", "", "the command; by default docker-compose, or docker compose where it is missing")
	flag.BoolVar(&o.ha, "ha", false, "three NATS servers and Redis with Sentinel; also stops the masters")
	flag.BoolVar(&o.observability, "observability", false, "Prometheus, Grafana and Jaeger too; also asks them what they saw")
	flag.StringVar(&o.without, "without", "", "services that are left out, by commas: of which there is no image, or to see what is missed")
	flag.BoolVar(&o.built, "built", false, "the images are built already")
	flag.IntVar(&o.times, "times", 4, "how often every way of paying is taken")
	flag.DurationVar(&o.timeout, "timeout", 40*time.Minute, "of everything; the payments have a quarter of it")
	flag.BoolVar(&o.keep, "keep", false, "leave it running")
	flag.Parse()
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "compose-test: FAILED:", err)
		cancel()
		stop()
		os.Exit(1)
	}
	fmt.Println("compose-test: all as it must be")
}

type options struct {
	compose           string
	ha, observability bool
	without           string
	built, keep       bool
	times             int
	timeout           time.Duration
}

func run(ctx context.Context, o options) (err error) {
	s, err := newStack(ctx, o)
	if err != nil {
		return err
	}
	if o.keep {
		fmt.Println("==> take it down with:", strings.Join(s.command, " "), "down --volumes; rm -r", s.secrets)
	} else {
		defer func() { err = errors.Join(err, s.down()) }()
	}
	if err := s.up(ctx); err != nil {
		return errors.Join(err, s.logs(ctx))
	}
	if err := s.pay(ctx); err != nil {
		return errors.Join(err, s.logs(ctx))
	}
	if err := s.audit(ctx); err != nil {
		return errors.Join(err, s.logs(ctx))
	}
	if err := s.everything(ctx); err != nil {
		return errors.Join(err, s.logs(ctx))
	}
	return nil
}

// stack is one testenv: a project of Compose with its own name, secrets and ports.
type stack struct {
	options
	command                     []string
	env                         []string
	secrets                     string
	override                    string // a file of Compose, or empty
	prometheus, grafana, jaeger string // base URLs
	shop                        testmerchant.Shop
	strikes                     []strike
	aftermath                   errgroup.Group         // what goes on after a kill
	taken                       []testmerchant.Outcome // of payments that were under way in a call at a kill
	payments                    int                    // so many were made, of which all must be in the records
	one                         payment.Ref            // of them
	consoleURL, usedLink        string
	browser                     *http.Client // that is signed in to the console, or nil
}

func newStack(ctx context.Context, o options) (*stack, error) {
	s := &stack{options: o, command: composeCommand(o.compose)}
	var err error
	if s.secrets, err = os.MkdirTemp("", "payonce-compose-"); err != nil {
		return nil, err
	}
	s.env = append(os.Environ(), "PAYONCE_SECRETS="+s.secrets)
	var urls [7]string
	for i, name := range []string{"PAYONCE_PORT", "SANDBOX_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT", "JAEGER_PORT", "CONSOLE_PORT", "RECEIVER_PORT"} {
		if urls[i], err = freeport.Address(ctx); err != nil {
			return nil, err
		}
		s.env = append(s.env, name+"="+urls[i][strings.LastIndexByte(urls[i], ':')+1:])
	}
	s.shop = testmerchant.Shop{Ingress: "https://" + urls[0], Sandbox: "https://" + urls[1], Endpoint: "https://" + urls[6]}
	s.consoleURL = "http://" + urls[5]
	s.env = append(s.env, "CONSOLE_URL="+s.consoleURL)
	s.prometheus, s.grafana, s.jaeger = "http://"+urls[2], "http://"+urls[3], "http://"+urls[4]
	switch {
	case o.ha && o.observability: // Compose 1 takes one file only, and what is set counts more
		s.command = append(s.command, "--env-file", "deploy/docker/ha.env")
		s.env = append(s.env, "COMPOSE_PROFILES=ha,observability", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://jaeger:4318/v1/traces")
	case o.ha:
		s.command = append(s.command, "--env-file", "deploy/docker/ha.env")
	case o.observability:
		s.command = append(s.command, "--env-file", "deploy/docker/observability.env")
	}
	if err := s.leaveOut(); err != nil {
		return nil, err
	}
	// No other project has this name, so that nothing of another project is taken down.
	s.command = append(s.command, "--project-name", fmt.Sprintf("payonce-test-%d", os.Getpid()))
	s.strikes = strikes(o.ha, o.times*len(testenv.Variants()))
	return s, nil
}

// up does what README says, and then starts a second worker. With profile ha everything must be started before
// the first payment.
func (s *stack) up(ctx context.Context) error {
	var steps [][]string
	if !s.built {
		steps = append(steps, []string{"build", "streams", "sandbox"}) // the others have their images
	}
	steps = append(steps, []string{"run", "--rm", "secrets"})
	if !s.ha {
		pay := []string{"run", "--rm", "shop"}
		if s.without != "" { // which it would start
			steps, pay = append(steps, s.start()), []string{"run", "--rm", "--no-deps", "shop"}
		}
		steps = append(steps, pay)
		s.payments += len(testenv.Variants())
	}
	for _, step := range append(steps, s.start()) {
		if err := s.compose(ctx, step...); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(step, " "), err)
		}
	}
	key, err := os.ReadFile(filepath.Join(s.secrets, "ingress", "api.key"))
	if err != nil {
		return err
	}
	s.shop.Key = strings.TrimSpace(string(key))
	return s.shop.Trust(filepath.Join(s.secrets, "nats", "clients", "ca.pem"))
}

// start is the command of Compose that starts everything.
func (s *stack) start() []string {
	start := []string{"up", "--no-build", "-d", "--scale", "worker=2"}
	for _, name := range leftOut(s.without) {
		start = append(start, "--scale", name+"=0")
	}
	return start
}

func (s *stack) down() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	return errors.Join(s.compose(ctx, "down", "--volumes", "--remove-orphans"), s.removeSecrets(ctx))
}

func (s *stack) logs(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return s.compose(ctx, "logs", "--tail", "40")
}
