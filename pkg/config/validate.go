package config

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

// Limits of numbers, so that a slip of the finger is noticed at start and not as a memory fault.
const (
	minSecret  = 16 // bytes of a password
	maxSlots   = 10_000
	maxWaiting = 100_000
	maxRate    = 1_000_000
	minBodies  = events.MaxCommandBytes + 1 // one body of the largest size
	maxBodies  = 1 << 30
	minHeaders = 4 << 10
	maxHeaders = 1 << 20
	maxDB      = 1_023

	maxBytesRate = 1 << 30 // bytes a second

	maxDeadLetters = 1 << 40 // bytes
)

var headerName = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// Validate checks a configuration that was made or changed by a program; [Load] does so itself. The
// error is an [*Error] with all problems.
func (c *Config) Validate(roles ...Role) error {
	at := c.origin
	if at == nil {
		at = &origin{}
	}
	found := &problems{origin: at}
	c.validate(found, roles)
	return found.err()
}

func (c *Config) validate(p *problems, roles []Role) {
	p.oneOf("environment", c.Environment, Production, Test)
	c.NATS.validate(p)
	c.Redis.validate(p)
	p.notShorter("redis.claim_retention", c.Redis.ClaimRetention, "nats.payments_retention", c.NATS.PaymentsRetention,
		"a claim must be kept as long as the log")
	p.notShorter("nats.webhooks_retention", c.NATS.WebhooksRetention, "worker.unknown_order_for", c.Worker.UnknownOrderFor,
		"a webhook must be kept while it waits for its order")
	c.Ingress.validate(p, slices.Contains(roles, RoleIngress))
	c.validateAPIKeys(p)
	c.validateOrderPrefixes(p)
	c.Approvals.validate(p)
	c.Worker.validate(p)
	c.Archive.validate(p, c.NATS.PaymentsRetention, slices.Contains(roles, RoleArchive))
	c.Console.validate(p, c.Environment, slices.Contains(roles, RoleConsole))
	c.validateProviders(p)
	c.validateEndpoints(p, slices.Contains(roles, RoleNotifier))
	c.checkInsecure(p, slices.Contains(roles, RoleWorker))
	c.checkOwnSecrets(p)
	p.check(c.ReloadEvery >= 0, "reload_every", "must not be negative; 0s means never")
	p.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	p.oneOf("log.format", c.Log.Format, "json", "text")
}

// check reports a problem with key unless ok, or unless the key is known to be wrong.
func (p *problems) check(ok bool, key, format string, args ...any) {
	if !ok && !p.has(key) {
		p.add(key, format, args...)
	}
}

func (p *problems) oneOf(key, value string, allowed ...string) {
	p.check(slices.Contains(allowed, value), key, "must be one of %s", strings.Join(allowed, ", "))
}

func (p *problems) within(key string, n, low, high int) {
	p.check(low <= n && n <= high, key, "must be between %d and %d", low, high)
}

func (p *problems) positive(key string, length time.Duration) {
	p.check(length > 0, key, "must be positive")
}

// shorter and notShorter check a relation between two lengths that are right by themselves.
func (p *problems) shorter(key string, length time.Duration, otherKey string, other time.Duration, why string) {
	if !p.has(key, otherKey) {
		p.check(length < other, key, "must be shorter than %s (%s): %s", otherKey, showDuration(other), why)
	}
}

func (p *problems) notShorter(key string, length time.Duration, otherKey string, other time.Duration, why string) {
	if !p.has(key, otherKey) {
		p.check(length >= other, key, "must be at least %s (%s): %s", otherKey, showDuration(other), why)
	}
}

func (p *problems) longEnough(key string, value secret.Value) {
	p.check(value.Empty() || len(value.Reveal()) >= minSecret, key, "must have at least %d bytes", minSecret)
}

func (n NATS) validate(p *problems) {
	p.check(len(n.URLs) > 0, "nats.urls", "requires at least one server")
	for i, text := range n.URLs {
		p.checkNATSURL(index("nats.urls", i), text)
	}
	p.longEnough("nats.password", n.Password)
	p.check((n.User == "") == n.Password.Empty() || p.has("nats.password"), "nats.user", "must be set together with password")
	p.check(n.Credentials.Empty() || n.User == "", "nats.credentials", "excludes user and password")
	p.check(n.NKeySeed.Empty() || n.User == "" && n.Credentials.Empty(), "nats.nkey_seed", "excludes credentials, and user and password")
	p.names("nats.upstreams", n.Upstreams)
	if at := slices.Index(n.Upstreams, events.IngressIntake); at >= 0 {
		p.add(index("nats.upstreams", at), "the name is reserved for the ingress")
	}
	p.names("nats.ledgers", n.Ledgers)
	n.UpstreamQuota.validate(p, "nats.upstream_quota", 1)
	for name, quota := range n.UpstreamQuotas {
		key := join("nats.upstream_quotas", name)
		p.check(slices.Contains(n.Upstreams, name), key, "is not one of nats.upstreams")
		quota.validate(p, key, 0)
	}
	_, err := n.TLS.Client()
	p.tls("nats.tls", n.TLS, err)
	p.check(slices.Contains([]int{1, 3, 5}, n.Replicas), "nats.replicas", "must be 1, 3 or 5")
	p.oneOf("nats.group_commit", n.GroupCommit, "auto", "always", "never")
	for key, retention := range map[string]time.Duration{
		"payments": n.PaymentsRetention, "webhooks": n.WebhooksRetention, "dead_letters": n.DeadLettersRetention,
		"actions": n.ActionsRetention, "audit": n.AuditRetention,
	} {
		p.check(retention >= events.MinRetention, "nats."+key+"_retention", "must be at least %s", showDuration(events.MinRetention))
	}
	p.notShorter("nats.payments_retention", n.PaymentsRetention, "nats.webhooks_retention", n.WebhooksRetention, "a late webhook would find no payment")
	p.within("nats.dead_letters_bytes", n.DeadLettersBytes, events.MinDeadLetterBytes, maxDeadLetters)
}

// names checks names that become a part of subjects and streams, as a provider's does.
func (p *problems) names(key string, names []string) {
	for i, name := range names {
		p.check(payment.ValidProvider(name), index(key, i), `must be 1 to 32 characters of a-z, 0-9 and "-"`)
		p.check(!slices.Contains(names[:i], name), index(key, i), "occurs twice")
		p.check(key != "nats.upstreams" || name != "ingress", index(key, i), "is the name under which the ingress publishes")
	}
}

func (p *problems) checkNATSURL(key, text string) {
	u, err := url.Parse(text)
	switch {
	case p.has(key):
	case err != nil || u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme):
		p.add(key, "must be a URL like nats://host:4222")
	case u.User != nil:
		p.add(key, "must not have a user or password: use nats.user and nats.password")
	}
}

func (r Redis) validate(p *problems) {
	p.check(len(r.Addresses) > 0, "redis.addresses", "requires at least one server")
	for i, address := range r.Addresses {
		p.checkAddress(index("redis.addresses", i), address, true)
	}
	p.longEnough("redis.password", r.Password)
	p.longEnough("redis.sentinel_password", r.SentinelPassword)
	p.check(r.Username == "" || !r.Password.Empty() || p.has("redis.password"), "redis.username", "requires a password")
	p.within("redis.db", r.DB, 0, maxDB)
	p.check(r.DB == 0 || len(r.Addresses) == 1 || r.SentinelMaster != "", "redis.db", "must be 0 in a Redis Cluster")
	_, err := r.TLS.Client()
	p.tls("redis.tls", r.TLS, err)
}

// checkAddress wants host:port; an address to listen on may leave out the host.
func (p *problems) checkAddress(key, address string, needsHost bool) {
	host, port, err := net.SplitHostPort(address)
	number, portErr := strconv.ParseUint(port, 10, 16)
	ok := err == nil && portErr == nil && (host != "" || !needsHost) && (number > 0 || !needsHost)
	p.check(ok, key, "must be host:port, with a port as a number")
}

func (in Ingress) validate(p *problems, used bool) {
	p.checkAddress("ingress.listen", in.Listen, false)
	if in.AdminListen != "" {
		p.checkAddress("ingress.admin_listen", in.AdminListen, false)
	}
	p.check(in.PublicURL == "" || publicURL(in.PublicURL), "ingress.public_url",
		"must be an https URL without user, query and fragment; http is for loopback only")
	p.check(len(in.APIKeys) > 0 || !used, "ingress.api_keys", "requires at least one key: no one could request a payment")
	p.check(headerName.MatchString(in.ProxyHeader), "ingress.proxy_header", "must be the name of an HTTP header")
	p.positive("ingress.max_wait", in.MaxWait)
	p.within("ingress.max_waiting", in.MaxWaiting, 1, maxWaiting)
	p.within("ingress.max_connections", in.MaxConnections, 1, maxWaiting)
	p.within("ingress.max_requests", in.MaxRequests, 1, maxWaiting)
	p.within("ingress.requests_per_second", in.RequestsPerSecond, 1, maxRate)
	p.within("ingress.burst", in.Burst, 1, maxRate)
	p.within("ingress.max_waiting_per_key", in.MaxWaitingPerKey, 1, maxWaiting)
	p.within("ingress.max_connections_per_address", in.MaxConnectionsPerAddress, 1, maxWaiting)
	p.within("ingress.max_requests_per_key", in.MaxRequestsPerKey, 1, maxWaiting)
	p.within("ingress.max_requests_per_provider", in.MaxRequestsPerProvider, 1, maxWaiting)
	p.within("ingress.bytes_per_second", in.BytesPerSecond, 1, maxBodies)
	p.within("ingress.bytes_burst", in.BytesBurst, minBodies, maxBodies)
	p.within("ingress.body_bytes", in.BodyBytes, minBodies, maxBodies)
	p.within("ingress.body_bytes_per_source", in.BodyBytesPerSource, minBodies, maxBodies)
	p.within("ingress.body_bytes_per_provider", in.BodyBytesPerProvider, minBodies, maxBodies)
	p.within("ingress.header_bytes", in.HeaderBytes, minHeaders, maxHeaders)
	p.positive("ingress.read_header_timeout", in.ReadHeaderTimeout)
	p.positive("ingress.idle_timeout", in.IdleTimeout)
	p.positive("ingress.backend_timeout", in.BackendTimeout)
	p.notShorter("ingress.read_timeout", in.ReadTimeout, "ingress.read_header_timeout", in.ReadHeaderTimeout, "it includes the headers")
	_, err := in.TLS.Server()
	p.tls("ingress.tls", in.TLS, err)
	for i, network := range in.TrustedProxies {
		p.check(network.Bits() != 0, index("ingress.trusted_proxies", i), "would trust every client")
	}
}

func publicURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())
}

func (c *Config) validateAPIKeys(p *problems) {
	names, hashes := map[string]bool{}, map[string]bool{}
	for i, k := range c.Ingress.APIKeys {
		key := index("ingress.api_keys", i)
		p.check(plainKey.MatchString(k.Name), key+".name", `must be 1 to 64 characters of A-Z, a-z, 0-9, "_" and "-"`)
		p.check(!names[k.Name], key+".name", "occurs twice")
		names[k.Name] = true
		p.check(k.Upstream == "" || plainKey.MatchString(k.Upstream), key+".upstream", `must be 1 to 64 characters of A-Z, a-z, 0-9, "_" and "-"`)
		p.checkHash(key+".sha256", k.SHA256, hashes)
		for j, hash := range k.PreviousSHA256 {
			p.checkHash(index(key+".previous_sha256", j), hash, hashes)
		}
		p.within(key+".requests_per_second", k.RequestsPerSecond, 0, maxRate)
		p.within(key+".burst", k.Burst, 0, maxRate)
		p.within(key+".bytes_per_second", k.BytesPerSecond, 0, maxBodies)
		p.check(k.BytesBurst == 0 || k.BytesBurst >= minBodies && k.BytesBurst <= maxBodies, key+".bytes_burst", "must be 0, or between %d and %d", minBodies, maxBodies)
		p.check(len(k.Providers) > 0 || c.Environment == Test, key+".providers",
			"must list the key's providers: a key for all providers is accepted only with environment: test")
		for j, provider := range k.Providers {
			_, known := c.Providers[provider]
			p.check(known, index(key+".providers", j), "is not one of the providers of this file")
		}
		for j, operation := range k.Operations {
			p.check(operation.Valid(), index(key+".operations", j), "must be deposit or payout")
		}
	}
}

// checkHash checks the hash of an API key, which must be of no other key.
func (p *problems) checkHash(key, hash string, known map[string]bool) {
	sum, err := hex.DecodeString(hash)
	p.check(err == nil && len(sum) == 32 && strings.ToLower(hash) == hash, key,
		"must be the SHA-256 of the key as 64 hexadecimal digits in lower case")
	p.check(!known[hash], key, "is also the hash of another key")
	known[hash] = true
}

func (w Worker) validate(p *problems) {
	p.within("worker.slots", w.Slots, 1, maxSlots)
	if w.AdminListen != "" {
		p.checkAddress("worker.admin_listen", w.AdminListen, false)
	}
	for key, length := range map[string]time.Duration{
		"submit_timeout": w.SubmitTimeout, "lease": w.Lease, "ack_wait": w.AckWait,
		"retry_for": w.RetryFor, "retry_initial": w.RetryInitial, "lookup_min": w.LookupMin, "lookup_max": w.LookupMax,
		"park_min": w.ParkMin, "park_max": w.ParkMax, "unknown_order_for": w.UnknownOrderFor, "unknown_provider_for": w.UnknownProviderFor,
		"shutdown_timeout": w.ShutdownTimeout, "clock_warning": w.ClockWarning, "clock_limit": w.ClockLimit,
	} {
		p.positive("worker."+key, length)
	}
	p.shorter("worker.submit_timeout", w.SubmitTimeout, "worker.lease", w.Lease,
		"a call must end before another worker can claim the order")
	p.shorter("worker.lease", w.Lease, "worker.ack_wait", w.AckWait,
		"the claim must end before the message is redelivered")
	p.check(w.AckWait > events.PublishTimeout, "worker.ack_wait", "must be longer than %s: a worker's publish must end before the message is delivered again",
		showDuration(events.PublishTimeout))
	held := w.RetryFor + 2*w.SubmitTimeout
	p.check(w.Lease > held || p.has("worker.retry_for", "worker.submit_timeout") || w.SubmitTimeout >= w.Lease, "worker.lease",
		"must be longer than worker.retry_for + 2 × worker.submit_timeout (%s): a call and its look-up must end within the lease",
		showDuration(held))
	p.notShorter("worker.lookup_max", w.LookupMax, "worker.lookup_min", w.LookupMin, "the pause grows from one to the other")
	p.notShorter("worker.park_max", w.ParkMax, "worker.park_min", w.ParkMin, "the pause grows from one to the other")
	p.notShorter("worker.clock_limit", w.ClockLimit, "worker.clock_warning", w.ClockWarning, "the warning must come before a worker stops")
	p.check(w.ClockBound >= 0, "worker.clock_bound", "must not be negative")
	p.check(w.ResumeSpread >= 0, "worker.resume_spread", "must not be negative")
	p.notShorter("worker.shutdown_timeout", w.ShutdownTimeout, "worker.submit_timeout", w.SubmitTimeout,
		"a stopping worker waits for its calls")
}

func (c *Config) validateProviders(p *problems) {
	p.check(len(c.Providers) > 0, "providers", "requires at least one provider")
	for _, name := range slices.Sorted(maps.Keys(c.Providers)) {
		key, provider := join("providers", name), c.Providers[name]
		p.check(payment.ValidProvider(name), key, `a provider's name must be 1 to 32 characters of a-z, 0-9 and "-"`)
		p.check(provider.Kind != "" || p.has(key), key+".kind", "is missing")
		p.within(key+".slots", provider.Slots, 0, maxSlots)
		p.check(provider.BasicTime >= 0, key+".basic_time", "must not be negative")
		p.check(provider.Threshold >= 0, key+".threshold", "must not be negative")
		if provider.ThresholdClock != "" {
			p.oneOf(key+".threshold_clock", provider.ThresholdClock, WallClock, OpenClock)
		}
		p.check(provider.BalanceInterval == 0 || provider.BalanceInterval >= time.Minute && provider.BalanceInterval <= 7*day, key+".balance_interval",
			"must be 0s (never), or from 1m to 7d")
		provider.Hours.validate(p, key+".hours")
		provider.validateLimits(p, key)
		for i, network := range provider.WebhookSources {
			p.check(network.IsValid(), index(key+".webhook_sources", i), "must be a network like 203.0.113.0/24")
		}
	}
}

// showDuration writes a length of time as the file does: whole days as "90d".
func showDuration(length time.Duration) string {
	if length != 0 && length%day == 0 {
		return fmt.Sprintf("%dd", length/day)
	}
	text := length.String()
	text = strings.TrimSuffix(text, "0s")
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	if text == "" || !strings.HasSuffix(text, "h") && !strings.HasSuffix(text, "m") {
		return length.String()
	}
	return text
}
