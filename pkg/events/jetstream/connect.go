package jetstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/secret"
)

// Options says where NATS is and who connects. At most one way to log in may be set.
type Options struct {
	URLs []string // e.g. "nats://127.0.0.1:4222"
	Name string   // of this client, shown by the server's monitoring

	Credentials secret.Value // content of a .creds file (JWT and seed)
	NKeySeed    secret.Value // seed of a user nkey, "SU…"
	User        string
	Password    secret.Value

	// Inbox is the prefix of the subjects on which answers come, e.g. "_INBOX.worker"; empty takes "_INBOX".
	// Where each program has its own, none can read another's answers.
	Inbox string

	// RequiredUser is the name that deploy/nats/accounts.conf has for the user that this program needs, e.g. "worker". A
	// permission that is refused is reported with it; empty says nothing.
	RequiredUser string

	// Ingress says that this is an ingress in an account of its own, see [Config.Accounts].
	Ingress bool

	TLS    *tls.Config // nil connects in the clear, unless a URL says tls://
	Config Config
	Logger *slog.Logger
	// Now is the clock for ages and headers. Timers do not use it.
	Now func() time.Time
	// Fit, if set, returns nil while this process may work on messages, and else why not. Consumers then take none, give
	// back what comes all the same, and go on by themselves when it returns nil again. What a handler has begun it ends.
	// It is called concurrently, before each message and several times a second.
	Fit     func() error
	Tracers trace.TracerProvider // take the traces; nil takes the global ones
}

func (o Options) tracers() trace.TracerProvider {
	if o.Tracers == nil {
		return otel.GetTracerProvider()
	}
	return o.Tracers
}

// Validate reports everything that is wrong, joined.
func (o Options) Validate() error {
	var problems []error
	if len(o.URLs) == 0 {
		problems = append(problems, errors.New("at least one URL of NATS is required"))
	}
	if o.Name == "" {
		problems = append(problems, errors.New("a client name is required"))
	}
	if o.Logger == nil || o.Now == nil {
		problems = append(problems, errors.New("a logger and a clock are required"))
	}
	ways := 0
	for _, set := range []bool{!o.Credentials.Empty(), !o.NKeySeed.Empty(), o.User != ""} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		problems = append(problems, errors.New("set only one of credentials, nkey seed and user"))
	}
	if err := o.Config.Validate(); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// How the connection behaves. A dead peer is noticed after about two ping intervals.
const (
	dialTimeout   = 5 * time.Second
	pingInterval  = 10 * time.Second
	reconnectWait = 500 * time.Millisecond
)

// Conn is the log and the queue, on a connection to NATS. It reconnects by itself, for ever.
// All methods are safe for concurrent use.
type Conn struct {
	broker   *broker.Client
	cfg      Config
	log      *slog.Logger
	notifier *notifier
	past     *past
	group    *groupCommit // nil: events are appended one by one
	// actionGroup is that of what customers must do.
	actionGroup *groupCommit
	// unreadable are the payments of which this process met a last event that cannot be read.
	unreadable unreadables
	fit        fitness
	outage     outage
	pace       func(ctx context.Context, upstream string, size int) error // see PaceIntake; nil for none
	tracer     trace.Tracer
	// ownTracer says that tracer is not the global one.
	ownTracer bool

	mu        sync.Mutex
	consumers map[*consumer]struct{}
}

// ErrClosed says that Close was called.
var ErrClosed = errors.New("the connection to NATS is closed")

// Connect connects and checks that the server has what payonce needs: JetStream, and at least version
// 2.12 for scheduled messages. It does not wait for a server that is down, but until ctx ends for a
// cluster that has no leader yet.
func Connect(ctx context.Context, o Options) (*Conn, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	c := &Conn{
		broker: broker.New(ctx, o.Logger, o.Now), cfg: o.Config, log: o.Logger,
		consumers: map[*consumer]struct{}{}, past: newPast(), fit: fitness{ask: o.Fit},
	}
	c.broker.Apart, c.broker.PublishTimeout = o.Ingress && o.Config.Accounts, o.Config.PublishTimeout
	c.group = newGroupCommit(events.StreamPayments, o.Config, c.broker, o.Logger, c.past.wait)
	c.actionGroup = newGroupCommit(events.StreamActions, o.Config, c.broker, o.Logger, c.past.wait)
	c.tracer, c.ownTracer = o.tracers().Tracer(tracerName), o.Tracers != nil
	c.notifier = newNotifier(c)
	options, err := c.natsOptions(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	if c.broker.NATS, err = nats.Connect(strings.Join(o.URLs, ","), options...); err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	if c.broker.JS, err = njs.New(c.broker.NATS); err == nil {
		err = c.checkServer(ctx)
	}
	if err == nil && o.Fit != nil {
		c.broker.Go(func() { c.fit.watch(c.broker.Stopping) })
	}
	if err != nil {
		err = c.broker.Denied(err)
		c.broker.NATS.Close()
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	return c, nil
}

func (c *Conn) natsOptions(ctx context.Context, o Options) ([]nats.Option, error) {
	timeout := dialTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline))
	}
	options := []nats.Option{
		nats.Name(o.Name), nats.Timeout(timeout),
		nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectWait/5, reconnectWait/5),
		// Credentials may be rotated while we are away.
		nats.IgnoreAuthErrorAbort(),
		// Nothing is written later than its caller believes: no buffer while the connection is down.
		nats.ReconnectBufSize(-1),
		nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(c.disconnected),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { c.outage.failed(c.log, err) }),
		nats.ReconnectHandler(c.reconnected),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { c.reportError(err, o.RequiredUser) }),
	}
	if o.Inbox != "" {
		options = append(options, nats.CustomInboxPrefix(o.Inbox))
	}
	if o.TLS != nil {
		options = append(options, nats.Secure(o.TLS))
	}
	switch {
	case !o.Credentials.Empty():
		if _, err := nkeys.ParseDecoratedUserNKey([]byte(o.Credentials.Reveal())); err != nil {
			return nil, errors.New("the credentials are not the content of a .creds file") // the cause could show it
		}
		options = append(options, nats.UserCredentialBytes([]byte(o.Credentials.Reveal())))
	case o.User != "":
		options = append(options, nats.UserInfo(o.User, o.Password.Reveal()))
	case !o.NKeySeed.Empty():
		login, err := nkeyLogin(o.NKeySeed)
		if err != nil {
			return nil, err
		}
		options = append(options, login)
	}
	return options, nil
}

func nkeyLogin(seed secret.Value) (nats.Option, error) {
	pair, err := nkeys.FromSeed([]byte(seed.Reveal()))
	if err != nil {
		return nil, errors.New("the nkey seed is not valid") // the cause could show it
	}
	public, err := pair.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("nkey: %w", err)
	}
	return nats.Nkey(public, pair.Sign), nil
}

func (c *Conn) checkServer(ctx context.Context) error {
	if err := checkVersion(c.broker.NATS.ConnectedServerVersion()); err != nil {
		return err
	}
	err := c.broker.Ask(broker.AtStart(ctx), func(ctx context.Context) error {
		_, err := c.broker.JS.AccountInfo(ctx)
		return err
	})
	if err != nil && !errors.Is(err, broker.ErrDenied) {
		return fmt.Errorf("JetStream is not available to this account: %w", err)
	}
	return err
}

// Oldest server that knows scheduled messages (ADR-51).
const oldestMajor, oldestMinor = 2, 12

func checkVersion(version string) error {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) == 3 {
		major, errMajor := strconv.Atoi(parts[0])
		minor, errMinor := strconv.Atoi(parts[1])
		if errMajor == nil && errMinor == nil {
			if major > oldestMajor || major == oldestMajor && minor >= oldestMinor {
				return nil
			}
			return fmt.Errorf("%w: it is %s; scheduled messages require %d.%d or newer", ErrServerTooOld, version, oldestMajor, oldestMinor)
		}
	}
	return fmt.Errorf("cannot parse the nats-server version %q; %d.%d or newer is required", version, oldestMajor, oldestMinor)
}

// Ready returns nil when the connection is up, the log has not lost its past ([Conn.GuardLog]), this process may take
// messages (Options.Fit), no consumer is in trouble and each stream can be written as far as is known
// ([Conn.WatchWrites]), and else says why not.
func (c *Conn) Ready() error {
	if status := c.broker.NATS.Status(); status != nats.CONNECTED {
		return fmt.Errorf("NATS: %s", strings.ToLower(status.String()))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	problems := []error{c.past.ready(), c.fit.check(), c.broker.Writes.Err()}
	for consumer := range c.consumers {
		if err := consumer.trouble(); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// Close stops all consumers, waits for their handlers, flushes what they acknowledged and closes the
// connection, in this order: to close earlier would lose acknowledgements and repeat work. To close
// twice does nothing.
func (c *Conn) Close() error {
	return c.broker.Close()
}

// Config returns how this connection sets up streams and consumers.
func (c *Conn) Config() Config { return c.cfg }

// Broker is for the packages below this one.
func (c *Conn) Broker() *broker.Client { return c.broker }
