package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"
	goredis "github.com/redis/go-redis/v9"

	"payonce/internal/streamconfig"
	"payonce/pkg/config"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/idempotency/redis"
)

// startTimeout bounds what a service asks of NATS and Redis before it begins.
const startTimeout = 30 * time.Second

// How long a service waits before it tries again to reach NATS at its start.
const (
	awayFirst = time.Second
	awayMost  = 10 * time.Second
)

// connectNATS connects and makes sure that the streams are as they are declared. While NATS is away it waits until ctx ends,
// says so in the log, and the service is not ready. What waiting cannot change is an error at once: a login that is refused,
// a certificate, streams with another definition.
func connectNATS(ctx context.Context, rt Runtime) (*jetstream.Conn, error) {
	return connectWith(ctx, rt, tryNATS)
}

func connectWith(ctx context.Context, rt Runtime, try func(context.Context, Runtime) (*jetstream.Conn, error)) (*jetstream.Conn, error) {
	pauses := backoff.NewExponentialBackOff(backoff.WithInitialInterval(awayFirst), backoff.WithMultiplier(2),
		backoff.WithMaxInterval(awayMost), backoff.WithMaxElapsedTime(0))
	began, said := rt.local(), map[string]bool{}
	for {
		conn, err := try(ctx, rt)
		var start *startError
		if err == nil || ctx.Err() != nil || !errors.As(err, &start) || !jetstream.Away(err) {
			rt.health.becomes(func() error { return errStarting })
			if err == nil && len(said) > 0 {
				rt.Logger.Info("connected to NATS", "after", rt.local().Sub(began).Round(time.Second))
			}
			return conn, err
		}
		wait := pauses.NextBackOff()
		rt.health.becomes(func() error { return fmt.Errorf("waiting for NATS: %w", err) })
		if !said[err.Error()] { // once for each cause
			said[err.Error()] = true
			rt.Logger.Warn("cannot connect to NATS; will retry", "error", err, "next", start.next)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// tryNATS is one attempt of connectNATS.
func tryNATS(ctx context.Context, rt Runtime) (*jetstream.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	conn, err := dialNATS(ctx, rt)
	if err != nil {
		return nil, &startError{err, adviceForNATS(err, natsUser(rt))}
	}
	if err := admin.New(conn).EnsureStreams(ctx); err != nil {
		_ = conn.Close()
		return nil, &startError{err, adviceForStreams(err, natsUser(rt))}
	}
	return conn, nil
}

func dialNATS(ctx context.Context, rt Runtime) (*jetstream.Conn, error) {
	cfg := rt.Config.NATS
	tlsConfig, err := cfg.TLS.Client()
	if err != nil {
		return nil, fmt.Errorf("nats.tls: %w", err)
	}
	streams := streamconfig.Of(rt.Config)
	if rt.role != config.RoleNotifier { // no payment waits until an endpoint's consumers are made or changed
		streams.Endpoints = nil
	}
	if rt.role != config.RoleWorker { // only workers append much at once
		streams.GroupCommit = jetstream.GroupCommitNever
	}
	return jetstream.Connect(ctx, jetstream.Options{
		URLs: cfg.URLs, Name: rt.Name, Inbox: Inbox(rt.Service), RequiredUser: natsUser(rt), Ingress: rt.Service == Ingress().Name,
		Credentials: cfg.Credentials, NKeySeed: cfg.NKeySeed, User: cfg.User, Password: cfg.Password,
		TLS: tlsConfig, Config: streams, Logger: rt.Logger, Now: rt.Now, Fit: rt.fit(),
	})
}

// Inbox is where a program gets its answers from NATS: each kind of program has its own prefix, so that
// the server's permissions can keep the others away (deploy/nats/accounts.conf).
func Inbox(program string) string { return "_INBOX." + program }

// natsUser is the user of deploy/nats/accounts.conf that a service logs in as.
func natsUser(rt Runtime) string {
	if rt.Service == Console().Name && !rt.Config.Console.Actions {
		return "viewer"
	}
	return rt.Service
}

// connectRedis makes the claim store and its client, which the caller closes. A Redis that is down is no reason not to start, unless the
// configuration says that claims are required; one that throws keys away is.
func connectRedis(ctx context.Context, rt Runtime) (store *redis.Store, client goredis.UniversalClient, err error) {
	store, client, err = dialRedis(rt)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := logFindings(rt, askRedis(ctx, rt, store)); err != nil {
		_ = client.Close()
		return nil, nil, err
	}
	return store, client, nil
}

// dialRedis makes the claim store and its client, which connects when it is used.
func dialRedis(rt Runtime) (*redis.Store, goredis.UniversalClient, error) {
	cfg := rt.Config.Redis
	tlsConfig, err := cfg.TLS.Client()
	if err != nil {
		return nil, nil, fmt.Errorf("redis.tls: %w", err)
	}
	client, err := redis.NewClient(redis.Config{
		Addresses: cfg.Addresses, MasterName: cfg.SentinelMaster, Username: cfg.Username, Password: cfg.Password,
		SentinelPassword: cfg.SentinelPassword, Database: cfg.DB, TLS: tlsConfig,
	})
	if err != nil {
		return nil, nil, err
	}
	return redis.New(client, redis.Options{}), client, nil
}
