package payctl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"payonce/internal/app"
	"payonce/internal/streamconfig"
	"payonce/pkg/config"
	"payonce/pkg/connectors"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
)

// addConfig adds the flag that names the configuration, which is the file of the services.
func addConfig(c *cobra.Command) *string {
	return c.Flags().String("config", config.DefaultPath(os.LookupEnv), "configuration `FILE` of the services, also by PAYONCE_CONFIG")
}

func addJSON(c *cobra.Command) *bool {
	return c.Flags().Bool("json", false, "print JSON")
}

// load reads the configuration. Operators need no role: nothing of it is required of them but what is
// required of all.
func load(path string) (config.Config, error) {
	cfg, err := config.Load(path, config.OS())
	if _, absent := os.Stat(path); err != nil && errors.Is(absent, fs.ErrNotExist) {
		return config.Config{}, usagef("%w\nNext: name the configuration file with --config FILE or PAYONCE_CONFIG", err)
	}
	if err != nil {
		return config.Config{}, usageError{err}
	}
	return cfg, nil
}

// connector makes the connector of one provider, which needs the provider's secrets.
func (e Env) connector(cfg config.Config, provider string) (connectors.Connector, error) {
	if _, known := cfg.Providers[provider]; !known {
		return nil, usagef("provider %q is not configured; configured: %s", provider, providers(cfg))
	}
	registry, err := cfg.Connectors(e.Kinds, e.Now)
	if err != nil {
		return nil, usageError{err}
	}
	c, _ := registry.Get(provider)
	return c, nil
}

// connect connects to NATS and wants the streams to exist: payctl streams apply makes them, and services
// that may.
func (e Env) connect(ctx context.Context, cfg config.Config) (*admin.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	conn, err := e.dial(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := checkStreams(ctx, conn); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// dial connects to NATS and looks at nothing there.
func (e Env) dial(ctx context.Context, cfg config.Config) (*admin.Conn, error) {
	tlsConfig, err := cfg.NATS.TLS.Client()
	if err != nil {
		return nil, usagef("nats.tls: %w", err)
	}
	streams := streamconfig.Of(cfg)
	streams.GroupCommit = jetstream.GroupCommitNever // only workers append much at once
	conn, err := jetstream.Connect(ctx, jetstream.Options{
		URLs: cfg.NATS.URLs, Name: "payctl", Inbox: app.Inbox("payctl"), RequiredUser: "an operator or the administrator",
		Credentials: cfg.NATS.Credentials, NKeySeed: cfg.NATS.NKeySeed, User: cfg.NATS.User, Password: cfg.NATS.Password,
		TLS: tlsConfig, Config: streams, Now: e.Now,
		Logger: slog.New(slog.NewTextHandler(e.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return nil, fmt.Errorf("%w\nNext: %s", err, nextToConnect(err))
	}
	if e.Clock != nil {
		e.measure(ctx, conn)
	}
	return admin.New(conn), nil
}

// clockWarning is how far this machine's clock may differ from NATS's before a person is told.
const clockWarning = 2 * time.Second

// measure asks NATS for its time. Where the streams do not exist yet there is no answer, and this machine's time is taken.
func (e Env) measure(ctx context.Context, conn *jetstream.Conn) {
	ctx, cancel := context.WithTimeout(ctx, clockWarning)
	defer cancel()
	sent := e.Clock.Local()
	at, err := conn.ServerTime(ctx)
	if err != nil {
		return
	}
	e.Clock.Observe(sent, e.Clock.Local(), at)
	if s := e.Clock.State(); s.Exceeds(clockWarning) {
		_, _ = fmt.Fprintf(e.Stderr, "note: this machine's clock is %s; using the time of NATS\n", s.Direction())
	}
}

// nextToConnect says what to look at when NATS cannot be used. What its client and Go's TLS say is recognised by their words.
func nextToConnect(err error) string {
	text := strings.ToLower(err.Error())
	switch {
	case strings.Contains(text, "authorization") || strings.Contains(text, "authentication"):
		return "the server does not know this user: set nats.nkey_seed_file to your own seed (payctl credentials make --operator NAME writes operator-NAME.seed)"
	case strings.Contains(text, "tls") || strings.Contains(text, "x509"):
		return "set nats.tls.ca_file to the CA of the server, and use a host name of its certificate in nats.urls"
	case jetstream.Denied(err):
		return "this user lacks the permissions of an operator: set nats.nkey_seed_file to your own seed; for payctl streams apply to the administrator's"
	case strings.Contains(text, "permission") || strings.Contains(text, "jetstream is not available"):
		return "the server has no JetStream, or this user lacks an operator's permissions: set nats.nkey_seed_file to your own seed"
	}
	return "check that nats-server runs and that nats.urls names it"
}

// checkStreams wants all streams to exist, but for what only endpoints need. That one is set up differently is the services' matter.
func checkStreams(ctx context.Context, conn *admin.Conn) error {
	differences, err := conn.CheckStreams(ctx)
	if err != nil {
		return err
	}
	var missing []string
	for _, d := range differences {
		if d.Field == "" && !admin.OfEndpoints(d) {
			missing = append(missing, d.Name())
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("NATS has no stream %s: create it with payctl streams apply",
			strings.Join(missing, ", "))
	}
	return nil
}
