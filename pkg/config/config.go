package config

import (
	"net/netip"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

// Config is the whole configuration. It is constant after [Load] and [Config.Connectors].
type Config struct {
	// Environment is "production", the default, or "test". In production no key of the sandbox is taken, no weak or
	// shared secret, and nothing insecure that AllowInsecure does not name; the sandbox in turn refuses to start in
	// production.
	Environment string  `yaml:"environment"`
	NATS        NATS    `yaml:"nats"`
	Redis       Redis   `yaml:"redis"`
	Ingress     Ingress `yaml:"ingress"`
	Worker      Worker  `yaml:"worker"`
	Archive     Archive `yaml:"archive"`
	Console     Console `yaml:"console"`
	// Endpoints are the URLs to which events are sent, by name, and Notifier says how.
	Endpoints map[string]Endpoint `yaml:"endpoints"`
	Notifier  Notifier            `yaml:"notifier"`
	// Providers are the accounts at payment providers, by name. At least one is needed.
	Providers map[string]Provider `yaml:"providers"`
	// OrderPrefixes reserves order numbers by upstream: see [payment.OrderPrefixes].
	OrderPrefixes payment.OrderPrefixes `yaml:"order_prefixes"`
	Approvals     Approvals             `yaml:"approvals"`
	Log           Log                   `yaml:"log"`
	// ReloadEvery is how often a service looks whether this file, or one that it names, has changed; 0
	// never. Keys, secrets and certificates are then taken without a restart.
	ReloadEvery time.Duration `yaml:"reload_every"`
	// AllowInsecure names what production refuses otherwise: [PlainNATS], [PlainRedis], [RedisWithoutPassword],
	// [WideTrustedProxies]. It is warned of all the same.
	AllowInsecure []string `yaml:"allow_insecure"`

	origin *origin
	// badSecret is true where a secret was warned of that production would refuse.
	badSecret bool
}

// NATS says where the broker is and how long its streams keep what they hold.
type NATS struct {
	// URLs of the servers. They contain no user or password.
	URLs []string `yaml:"urls"`
	// Credentials is the content of a ".creds" file: a JWT and an nkey seed.
	Credentials secret.Value `yaml:"credentials"`
	// NKeySeed is the seed of a user's nkey ("SU…"), where credentials are not used.
	NKeySeed secret.Value `yaml:"nkey_seed"`
	// User and Password, where neither is used.
	User     string       `yaml:"user"`
	Password secret.Value `yaml:"password"`
	TLS      TLS          `yaml:"tls"`
	// Replicas of every stream: 1, 3 or 5.
	Replicas int `yaml:"replicas"`
	// PaymentsRetention is how long the log keeps an event of a payment. Each payment costs the server
	// about 0.8 KB of memory for that long. A command that is older is refused.
	PaymentsRetention time.Duration `yaml:"payments_retention"`
	// GroupCommit says when events of concurrent payments are appended to the log together: "auto", the default, where it is
	// quicker, as measured under way; "always" whenever two wait; "never".
	GroupCommit string `yaml:"group_commit"`
	// WebhooksRetention is how long a webhook is kept as it was received.
	WebhooksRetention time.Duration `yaml:"webhooks_retention"`
	// DeadLettersRetention is how long a message that was given up is kept.
	DeadLettersRetention time.Duration `yaml:"dead_letters_retention"`
	// DeadLettersBytes bounds the dead letters that no operator has handled yet. Beyond it messages that would become
	// one are tried again, until there is room.
	DeadLettersBytes int `yaml:"dead_letters_bytes"`
	// ActionsRetention is how long it is kept what the customer of a payment must do: the provider's page, or the account
	// to transfer to. Both are personal, and worth nothing when the customer's time is over.
	ActionsRetention time.Duration `yaml:"actions_retention"`
	// AuditRetention is how long it is kept what people did by hand, and why.
	AuditRetention time.Duration `yaml:"audit_retention"`
	// Accounts says that NATS has the accounts of "payctl credentials make": the ingress and each operator have one of their
	// own, which can do no more than they must. All programs of a system have the same value.
	Accounts bool `yaml:"accounts"`
	// Upstreams are the services that publish commands by NATS under an account of their own, and Ledgers
	// those that read outcomes that way. See docs/deploy-nats.md.
	Upstreams []string `yaml:"upstreams"`
	// UpstreamQuota is what workers take out of the stream of each upstream, and UpstreamQuotas the quotas of single ones.
	UpstreamQuota  Quota            `yaml:"upstream_quota"`
	UpstreamQuotas map[string]Quota `yaml:"upstream_quotas"`
	Ledgers        []string         `yaml:"ledgers"`
}

// Redis says where the claims are kept.
type Redis struct {
	// Addresses as host:port: one server, the Sentinels where SentinelMaster is set, else the nodes of a
	// Cluster.
	Addresses      []string     `yaml:"addresses"`
	SentinelMaster string       `yaml:"sentinel_master"`
	Username       string       `yaml:"username"`
	Password       secret.Value `yaml:"password"`
	// SentinelPassword is for the Sentinels themselves, which may have another one.
	SentinelPassword secret.Value `yaml:"sentinel_password"`
	// DB is the database's number. A Cluster has only 0.
	DB  int `yaml:"db"`
	TLS TLS `yaml:"tls"`
	// Required makes workers wait when Redis is down, instead of going on with the log alone.
	Required bool `yaml:"required"`
	// ClaimRetention is how long an order is remembered after its last change, at least the log's
	// payments_retention, which is also its default.
	ClaimRetention time.Duration `yaml:"claim_retention"`
}

// Ingress is the HTTP side: commands and status for upstream services, webhooks from providers.
type Ingress struct {
	// Listen is host:port.
	Listen string `yaml:"listen"`
	// PublicURL is where providers reach the ingress, e.g. https://pay.example.com. It may be empty; the
	// summary names the webhook URLs with it.
	PublicURL string `yaml:"public_url"`
	// APIKeys of the upstream services. The ingress needs at least one.
	APIKeys []APIKey `yaml:"api_keys"`
	// TrustedProxies are the networks of our own reverse proxies; ProxyHeader is the header in which they
	// write the client's address.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`
	ProxyHeader    string         `yaml:"proxy_header"`
	// MaxWait is the longest time that a request may wait for an outcome (Prefer: wait); MaxWaiting is
	// how many may wait at the same time.
	MaxWait    time.Duration `yaml:"max_wait"`
	MaxWaiting int           `yaml:"max_waiting"`
	// MaxWaitingPerKey is how many requests of one API key may wait.
	MaxWaitingPerKey int `yaml:"max_waiting_per_key"`
	// TLS of the listener. Without it, something in front of the ingress must encrypt.
	TLS ServerTLS `yaml:"tls"`
	// MaxConnections is how many connections may be open; further ones wait to be accepted.
	// MaxConnectionsPerAddress is how many of one address may be open, those of trusted proxies excepted; further
	// ones are closed.
	MaxConnections           int `yaml:"max_connections"`
	MaxConnectionsPerAddress int `yaml:"max_connections_per_address"`
	// MaxRequests is how many requests of upstream services are worked on at the same time, and how many
	// webhooks besides; further ones are refused with 503.
	MaxRequests int `yaml:"max_requests"`
	// MaxRequestsPerKey is how many requests of one API key may be under way, and MaxRequestsPerProvider how many
	// webhooks of one provider may be worked on.
	MaxRequestsPerKey      int `yaml:"max_requests_per_key"`
	MaxRequestsPerProvider int `yaml:"max_requests_per_provider"`
	// BodyBytes bounds the memory of bodies that are being read, of upstream services and of webhooks each. Of it
	// BodyBytesPerSource can be those of one API key or, for webhooks, of one address, and BodyBytesPerProvider those of
	// one provider's webhooks.
	BodyBytes            int `yaml:"body_bytes"`
	BodyBytesPerSource   int `yaml:"body_bytes_per_source"`
	BodyBytesPerProvider int `yaml:"body_bytes_per_provider"`
	// RequestsPerSecond is what each API key may send on average, and Burst how many at once; further
	// requests are refused with 429.
	RequestsPerSecond int `yaml:"requests_per_second"`
	Burst             int `yaml:"burst"`
	// BytesPerSecond and BytesBurst are the same for the bytes of its bodies.
	BytesPerSecond int `yaml:"bytes_per_second"`
	BytesBurst     int `yaml:"bytes_burst"`
	// HeaderBytes bounds the headers of a request, and the timeouts what a client may take to send them
	// and the whole request, and how long a connection may stay unused.
	HeaderBytes       int           `yaml:"header_bytes"`
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout"`
	ReadTimeout       time.Duration `yaml:"read_timeout"`
	IdleTimeout       time.Duration `yaml:"idle_timeout"`
	// BackendTimeout bounds what NATS may take for one request.
	BackendTimeout time.Duration `yaml:"backend_timeout"`
	// AdminListen is host:port of a listener of its own for /metrics, /healthz and /readyz; empty for none.
	// It does not authenticate clients: keep it off the public network.
	AdminListen string `yaml:"admin_listen"`
}

// APIKey lets one upstream service in. The file holds the key's hash only.
type APIKey struct {
	Name string `yaml:"name"`
	// Upstream is whose payments the key asks for and sees; empty means Name. Keys of one service share it.
	Upstream string `yaml:"upstream"`
	// SHA256 of the key in lower case hexadecimal, as sha256sum prints it.
	SHA256 string `yaml:"sha256"`
	// PreviousSHA256 are hashes of keys that are still taken while the service changes to the new one.
	PreviousSHA256 []string `yaml:"previous_sha256"`
	// Providers and Operations that the key is good for; empty means all. Production wants providers named.
	Providers  []string            `yaml:"providers"`
	Operations []payment.Operation `yaml:"operations"`
	// Balance lets the key see balances, and the numbers of GET /v1/status, of providers that other upstreams use, too.
	Balance bool `yaml:"balance"`
	// RequestsPerSecond and Burst of this key; 0 means those of the ingress.
	RequestsPerSecond int `yaml:"requests_per_second"`
	Burst             int `yaml:"burst"`
	// BytesPerSecond and BytesBurst of this key, likewise.
	BytesPerSecond int `yaml:"bytes_per_second"`
	BytesBurst     int `yaml:"bytes_burst"`
}

// Worker says how payments are executed.
type Worker struct {
	// Slots is how many payments of one provider a worker works on at the same time.
	Slots int `yaml:"slots"`
	// SubmitTimeout bounds one call of a provider.
	SubmitTimeout time.Duration `yaml:"submit_timeout"`
	// RetryFor bounds the time in which a request that was proven not sent is tried again at once, with a
	// pause that begins at RetryInitial and grows. Afterwards the payment is parked.
	RetryFor     time.Duration `yaml:"retry_for"`
	RetryInitial time.Duration `yaml:"retry_initial"`
	// Lease is how long a worker may hold an order: more than RetryFor + 2 × SubmitTimeout, less than
	// AckWait.
	Lease time.Duration `yaml:"lease"`
	// ClockBound is how far the times of two workers may differ, after each has measured NATS's clock and gone by it.
	ClockBound time.Duration `yaml:"clock_bound"`
	// ClockWarning and ClockLimit are how far this machine's clock may differ from NATS's before a service says so, and
	// before a worker takes no more messages.
	ClockWarning time.Duration `yaml:"clock_warning"`
	ClockLimit   time.Duration `yaml:"clock_limit"`
	// FenceKeptConnections asks Redis before each request to pay whether the order is still this worker's, also
	// where the connection was open already.
	FenceKeptConnections bool `yaml:"fence_kept_connections"`
	// AckWait is after which time the broker redelivers a message that was not acknowledged.
	AckWait time.Duration `yaml:"ack_wait"`
	// LookupMin and LookupMax bound the pause between two look-ups of a payment in doubt.
	LookupMin time.Duration `yaml:"lookup_min"`
	LookupMax time.Duration `yaml:"lookup_max"`
	// ParkMin and ParkMax bound how long a payment is parked that could not be sent.
	ParkMin time.Duration `yaml:"park_min"`
	ParkMax time.Duration `yaml:"park_max"`
	// ResumeSpread is the time after a provider's opening over which payments are resumed that waited for
	// it; 0 resumes all at once.
	ResumeSpread time.Duration `yaml:"resume_spread"`
	// UnknownOrderFor is how long a webhook waits for the command of its order. Webhooks are kept longer
	// than that.
	UnknownOrderFor time.Duration `yaml:"unknown_order_for"`
	// UnknownProviderFor is how long a command waits for a worker that knows its provider: longer than a deploy.
	UnknownProviderFor time.Duration `yaml:"unknown_provider_for"`
	// ShutdownTimeout is how long a stopping worker waits for the calls that are under way, at least
	// SubmitTimeout.
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`
	// AdminListen is as that of the ingress. Workers on one machine need a port each, e.g. 127.0.0.1:0.
	AdminListen string `yaml:"admin_listen"`
}

// Provider is one account at a payment provider.
type Provider struct {
	// Kind names the connector, e.g. "teemopay".
	Kind string `yaml:"kind"`
	// WebhookSources are the networks from which webhooks are taken; empty means all.
	WebhookSources []netip.Prefix `yaml:"webhook_sources"`
	// Slots for this provider; 0 means worker.slots.
	Slots int `yaml:"slots"`
	// BasicTime is after how much open time without news a payment is first looked up; later look-ups are further apart, until Threshold.
	// A payment that is still open then is overdue: a person is told. Both count in open time; 0 is as the
	// kind says, or else 10 minutes and 2 days.
	BasicTime time.Duration `yaml:"basic_time"`
	Threshold time.Duration `yaml:"threshold"`
	// ThresholdClock is "wall" where Threshold goes on while the provider is closed, or "open"; empty takes what the
	// kind says.
	ThresholdClock string `yaml:"threshold_clock"`
	// BalanceInterval is how often workers ask for the balance of the account and publish it for ledgers; 0 is never.
	BalanceInterval time.Duration `yaml:"balance_interval"`
	// Hours in which it takes payments; the default is as its kind says.
	Hours Hours `yaml:"hours"`
	// Rate bounds the calls of all workers together.
	Rate Rate `yaml:"rate"`
	// Breaker stops the calls of a worker while the provider is not available.
	Breaker Breaker `yaml:"breaker"`
	// WhenDown says what becomes of payments while calls are stopped.
	WhenDown WhenDown `yaml:"when_down"`
	// GiveUpAfter ends payments of which nothing could be executed.
	GiveUpAfter GiveUpAfter `yaml:"give_up_after"`
	// MaxSubmits is how often an order is sent at most of which the provider says that it does not know it; 0
	// means 3. Then the payment stays in doubt, a person is told, and only a person has it
	// sent again.
	MaxSubmits int `yaml:"max_submits"`
	// Settings are the kind's own keys.
	Settings *Settings `yaml:"settings"`
}

// Log says what a binary writes to its standard error.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `yaml:"level"`
	// Format is json or text.
	Format string `yaml:"format"`
}

// The environments.
const (
	Production = "production"
	Test       = "test"
)

const day = 24 * time.Hour

// Defaults returns the configuration of an empty file. It has no provider, so it is not valid yet. No other place has a
// default for a key of it; those of a provider are in [Config.Connectors].
func Defaults() Config {
	return Config{
		Environment: Production,
		NATS: NATS{
			URLs: []string{"nats://127.0.0.1:4222"}, Replicas: 1, GroupCommit: "auto",
			PaymentsRetention: 400 * day, WebhooksRetention: 30 * day, DeadLettersRetention: 400 * day, DeadLettersBytes: 256 << 20,
			ActionsRetention: 35 * day, AuditRetention: 5 * 365 * day,
			UpstreamQuota: Quota{MessagesPerSecond: 1000, BytesPerSecond: 4 << 20},
		},
		Redis: Redis{Addresses: []string{"127.0.0.1:6379"}, ClaimRetention: 400 * day},
		Ingress: Ingress{
			Listen: "127.0.0.1:8080", ProxyHeader: "X-Forwarded-For", TLS: ServerTLS{ClientCertificates: CertificatesAPI},
			MaxWait: time.Minute, MaxWaiting: 1024, MaxWaitingPerKey: 256,
			MaxConnections: 4096, MaxConnectionsPerAddress: 1024, // a quarter: services behind one address have it together
			MaxRequests: 512, MaxRequestsPerKey: 256, MaxRequestsPerProvider: 256, // half: one service never has all
			RequestsPerSecond: 200, Burst: 400,
			BytesPerSecond: 1 << 20, BytesBurst: 4 << 20, // 200 requests of 5 KB; a command has some 500 bytes
			BodyBytes: 32 << 20, BodyBytesPerProvider: 16 << 20,
			BodyBytesPerSource: 2 << 20, // 16 of the largest, or 500 webhooks of 4 KB, in the same moment
			HeaderBytes:        16 << 10, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
			IdleTimeout: 2 * time.Minute, BackendTimeout: 10 * time.Second,
		},
		Worker: Worker{
			Slots: 128, SubmitTimeout: 15 * time.Second, RetryFor: 5 * time.Second, RetryInitial: 100 * time.Millisecond,
			Lease: 40 * time.Second, AckWait: time.Minute,
			ClockBound: time.Second, ClockWarning: 2 * time.Second, ClockLimit: 10 * time.Second,
			LookupMin: 5 * time.Second, LookupMax: 15 * time.Minute, ParkMin: 10 * time.Second, ParkMax: 10 * time.Minute,
			ResumeSpread: 10 * time.Minute, UnknownOrderFor: day, UnknownProviderFor: time.Minute, ShutdownTimeout: 30 * time.Second,
		},
		Approvals:   Approvals{Expires: day},
		Archive:     defaultArchive(),
		Console:     defaultConsole(),
		Notifier:    defaultNotifier(),
		Log:         Log{Level: "info", Format: "json"},
		ReloadEvery: 15 * time.Second,
	}
}

// ProviderSlots returns how many payments of a provider a worker works on at the same time.
func (c *Config) ProviderSlots(provider string) int {
	if own := c.Providers[provider].Slots; own > 0 {
		return own
	}
	return c.Worker.Slots
}

// SecretsWarned reports whether [Config.Warnings] has a secret that production would refuse: one that is weak, published,
// or of two providers. It is complete after [Config.Connectors].
func (c *Config) SecretsWarned() bool { return c.badSecret }

// Warnings lists what is risky in the file but works, e.g. a secret's file that others can read. It is
// complete after [Config.Connectors].
func (c *Config) Warnings() []string {
	if c.origin == nil {
		return nil
	}
	return c.origin.warnings
}
