// Composetest builds and starts docker-compose.yml as a trial, pays through it from outside in every way that the
// providers have, kills containers on the way, checks every outcome, and takes everything down again. It wants
// Docker, Compose, and the base images or a way to them. See docs/deploy-docker.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"payonce/internal/freeport"
	"payonce/internal/shop"
	"payonce/internal/trial"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := options{}
	flag.StringVar(&o.compose, "compose", "", "the command; by default docker-compose, or docker compose where it is missing")
	flag.BoolVar(&o.ha, "ha", false, "three NATS servers and Redis with Sentinel; also stops the masters")
	flag.BoolVar(&o.built, "built", false, "the images are built already")
	flag.IntVar(&o.times, "times", 2, "how often every way of paying is taken")
	flag.DurationVar(&o.timeout, "timeout", 20*time.Minute, "of everything")
	flag.BoolVar(&o.keep, "keep", false, "leave it running")
	flag.Parse()
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "compose-test:", err)
		cancel()
		stop()
		os.Exit(1)
	}
}

type options struct {
	compose  string
	ha, keep bool
	built    bool
	times    int
	timeout  time.Duration
}

func run(ctx context.Context, o options) (err error) {
	s, err := newStack(ctx, o)
	if err != nil {
		return err
	}
	if !o.keep {
		defer func() { err = errors.Join(err, s.down()) }()
	}
	if err := s.up(ctx); err != nil {
		return errors.Join(err, s.logs(ctx))
	}
	if err := s.pay(ctx); err != nil {
		return errors.Join(err, s.logs(ctx))
	}
	return s.audit(ctx)
}

// stack is one trial: a project of Compose with its own name, secrets and ports.
type stack struct {
	options
	command []string
	env     []string
	secrets string
	shop    shop.Shop
	strikes []strike
}

func newStack(ctx context.Context, o options) (*stack, error) {
	s := &stack{options: o, command: strings.Fields(o.compose)}
	if len(s.command) == 0 {
		s.command = []string{"docker-compose"}
		if _, err := exec.LookPath("docker-compose"); err != nil {
			s.command = []string{"docker", "compose"}
		}
	}
	var err error
	if s.secrets, err = os.MkdirTemp("", "payonce-compose-"); err != nil {
		return nil, err
	}
	var ports [2]string
	for i := range ports {
		address, err := freeport.Address(ctx)
		if err != nil {
			return nil, err
		}
		ports[i] = address[strings.LastIndexByte(address, ':')+1:]
	}
	project := "payonce-test"
	if o.ha {
		s.command = append(s.command, "--env-file", "deploy/docker/ha.env")
		project += "-ha"
	}
	s.command = append(s.command, "--project-name", project)
	s.env = append(os.Environ(), "PAYONCE_SECRETS="+s.secrets, "PAYONCE_PORT="+ports[0], "SANDBOX_PORT="+ports[1])
	s.shop = shop.Shop{Ingress: "https://127.0.0.1:" + ports[0], Sandbox: "https://127.0.0.1:" + ports[1]}
	s.strikes = strikes(o.ha, o.times*len(trial.Variants()))
	return s, nil
}

// compose runs a command of Compose and shows what it says.
func (s *stack) compose(ctx context.Context, args ...string) error {
	fmt.Printf("==> %s\n", strings.Join(args, " "))
	return s.prepare(ctx, os.Stdout, args...).Run()
}

func (s *stack) prepare(ctx context.Context, out io.Writer, args ...string) *exec.Cmd {
	all := append(append([]string{}, s.command...), args...)
	cmd := exec.CommandContext(ctx, all[0], all[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, out, os.Stderr
	return cmd
}

func (s *stack) up(ctx context.Context) error {
	build := "--build"
	if s.built {
		build = "--no-build"
	} else if err := s.compose(ctx, "build", "secrets"); err != nil {
		return err
	}
	if err := s.compose(ctx, "run", "--rm", "secrets"); err != nil {
		return err
	}
	if err := s.compose(ctx, "up", build, "-d", "--scale", "worker=2"); err != nil {
		return err
	}
	key, err := os.ReadFile(filepath.Join(s.secrets, "ingress", "api.key"))
	if err != nil {
		return err
	}
	s.shop.Key = strings.TrimSpace(string(key))
	return s.shop.Trust(filepath.Join(s.secrets, "nats", "clients", "ca.pem"))
}

func (s *stack) down() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return errors.Join(s.compose(ctx, "down", "--volumes", "--remove-orphans"), s.removeSecrets(ctx))
}

// removeSecrets needs root, as which the container made them.
func (s *stack) removeSecrets(ctx context.Context) error {
	if os.RemoveAll(s.secrets) == nil {
		return nil
	}
	cmd := exec.CommandContext(ctx, "docker", "run", "--rm", "--volume", s.secrets+":/secrets", "--entrypoint", "rm", "redis:7.2.7-alpine",
		"-rf", "/secrets/nats", "/secrets/redis", "/secrets/ingress", "/secrets/providers")
	return errors.Join(cmd.Run(), os.RemoveAll(s.secrets))
}

func (s *stack) logs(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return s.compose(ctx, "logs", "--tail", "40")
}
