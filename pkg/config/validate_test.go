package config_test

import (
	"strings"
	"testing"
	"time"

	"payonce/pkg/config"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

func TestRelations(t *testing.T) {
	for name, test := range map[string]struct{ yaml, want string }{
		"submit as long as lease": {"worker: {submit_timeout: 40s, shutdown_timeout: 50s}", "2: worker.submit_timeout: must be shorter than worker.lease (40s): a call must end"},
		"lease as long as ack":    {"worker: {lease: 60s}", "2: worker.lease: must be shorter than worker.ack_wait (1m): the claim must end"},
		"lease too short":         {"worker: {lease: 35s}", "2: worker.lease: must be longer than worker.retry_for + 2 × worker.submit_timeout (35s)"},
		"lookup backwards":        {"worker: {lookup_min: 16m}", "2: worker.lookup_max: must be at least worker.lookup_min (16m)"},
		"spread backwards":        {"worker: {resume_spread: -1s}", "2: worker.resume_spread: must not be negative"},
		"park backwards":          {"worker: {park_max: 9s}", "2: worker.park_max: must be at least worker.park_min (10s)"},
		"stop before a call ends": {"worker: {shutdown_timeout: 14s}", "2: worker.shutdown_timeout: must be at least worker.submit_timeout (15s)"},
		"no time":                 {"worker: {retry_initial: 0s}", "2: worker.retry_initial: must be positive"},
		"negative time":           {"worker: {ack_wait: -1s}", "2: worker.ack_wait: must be positive"},
		"no slots":                {"worker: {slots: 0}", "2: worker.slots: must be between 1 and 10000"},
		"claims forget first":     {"redis: {claim_retention: 399d}", "2: redis.claim_retention: must be at least nats.payments_retention (400d)"},
		"webhooks forgotten":      {"nats: {webhooks_retention: 23h}", "2: nats.webhooks_retention: must be at least worker.unknown_order_for (1d)"},
		"no log":                  {"nats: {payments_retention: 0s}", "2: nats.payments_retention: must be at least 1h"},
		"no dead letters":         {"nats: {dead_letters_retention: 0s}", "2: nats.dead_letters_retention: must be at least 1h"},
		"no audit":                {"nats: {audit_retention: 0s}", "2: nats.audit_retention: must be at least 1h"},
		"webhooks outlive it":     {"nats: {webhooks_retention: 401d}", "2: nats.payments_retention: must be at least nats.webhooks_retention (401d)"},
		"ack within a publish":    {"worker: {retry_for: 100ms, submit_timeout: 100ms, lease: 1s, ack_wait: 2s}", "2: worker.ack_wait: must be longer than 2s"},
		"no broker":               {"nats: {urls: []}", "2: nats.urls: requires at least one server"},
		"even replicas":           {"nats: {replicas: 4}", "2: nats.replicas: must be 1, 3 or 5"},
		"user alone":              {"nats: {user: me}", "2: nats.user: must be set together with password"},
		"password alone":          {"nats: {password: \"${GOOD}\"}", "2: nats.user: must be set together with password"},
		"a seed beside a user":    {"nats: {user: me, password: \"${GOOD}\", nkey_seed: \"${GOOD}\"}", "2: nats.nkey_seed: excludes credentials, and user and password"},
		"an upstream's name":      {"nats: {upstreams: [shop, Shop.1]}", "2: nats.upstreams[1]: must be 1 to 32"},
		"a ledger twice":          {"nats: {ledgers: [accounting, accounting]}", "2: nats.ledgers[1]: occurs twice"},
		"two ways in":             {"nats: {user: me, password: \"${GOOD}\", credentials: \"${GOOD}\"}", "2: nats.credentials: excludes user and password"},
		"URL with a password":     {"nats: {urls: [\"nats://a:${GOOD}@b\"]}", "2: nats.urls[0]: must not have a user or password"},
		"no redis":                {"redis: {addresses: []}", "2: redis.addresses: requires at least one server"},
		"no port":                 {"redis: {addresses: [a]}", "2: redis.addresses[0]: must be host:port"},
		"port 0":                  {"redis: {addresses: [\"a:0\"]}", "2: redis.addresses[0]: must be host:port"},
		"no host":                 {"redis: {addresses: [\":1\"]}", "2: redis.addresses[0]: must be host:port"},
		"database of a cluster":   {"redis: {addresses: [\"a:1\", \"b:1\"], db: 1}", "2: redis.db: must be 0 in a Redis Cluster"},
		"negative database":       {"redis: {db: -1}", "2: redis.db: must be between 0 and 1023"},
		"redis user alone":        {"redis: {username: me}", "2: redis.username: requires a password"},
		"bad listen":              {"ingress: {listen: \"127.0.0.1:http\"}", "2: ingress.listen: must be host:port"},
		"plain public URL":        {"ingress: {public_url: \"http://pay.example.com\"}", "2: ingress.public_url: must be an https URL"},
		"public URL with user":    {"ingress: {public_url: \"https://a:${GOOD}@pay.example.com\"}", "2: ingress.public_url: must be an https URL"},
		"no waiting":              {"ingress: {max_waiting: 0}", "2: ingress.max_waiting: must be between 1 and 100000"},
		"no wait":                 {"ingress: {max_wait: 0s}", "2: ingress.max_wait: must be positive"},
		"no connections":          {"ingress: {max_connections: 0}", "2: ingress.max_connections: must be between 1 and 100000"},
		"none of an address":      {"ingress: {max_connections_per_address: 0}", "2: ingress.max_connections_per_address: must be between 1 and 100000"},
		"none of a key":           {"ingress: {max_requests_per_key: 0}", "2: ingress.max_requests_per_key: must be between 1 and 100000"},
		"none of a provider":      {"ingress: {max_requests_per_provider: 0}", "2: ingress.max_requests_per_provider: must be between 1 and 100000"},
		"no key may wait":         {"ingress: {max_waiting_per_key: 0}", "2: ingress.max_waiting_per_key: must be between 1 and 100000"},
		"no bytes":                {"ingress: {bytes_per_second: 0}", "2: ingress.bytes_per_second: must be between 1 and 1073741824"},
		"no largest body at once": {"ingress: {bytes_burst: 1000}", "2: ingress.bytes_burst: must be between 65537 and 1073741824"},
		"no bodies":               {"ingress: {body_bytes: 1000}", "2: ingress.body_bytes: must be between 65537 and 1073741824"},
		"no bodies of a source":   {"ingress: {body_bytes_per_source: 1000}", "2: ingress.body_bytes_per_source: must be between 65537 and 1073741824"},
		"no bodies of a provider": {"ingress: {body_bytes_per_provider: 1000}", "2: ingress.body_bytes_per_provider: must be between 65537 and 1073741824"},
		"no requests":             {"ingress: {max_requests: 0}", "2: ingress.max_requests: must be between 1 and 100000"},
		"no rate":                 {"ingress: {requests_per_second: 0}", "2: ingress.requests_per_second: must be between 1 and 1000000"},
		"no burst":                {"ingress: {burst: 0}", "2: ingress.burst: must be between 1 and 1000000"},
		"tiny headers":            {"ingress: {header_bytes: 100}", "2: ingress.header_bytes: must be between 4096 and 1048576"},
		"no time for headers":     {"ingress: {read_header_timeout: 0s}", "2: ingress.read_header_timeout: must be positive"},
		"reads too short":         {"ingress: {read_timeout: 4s}", "2: ingress.read_timeout: must be at least ingress.read_header_timeout (5s)"},
		"no idle":                 {"ingress: {idle_timeout: 0s}", "2: ingress.idle_timeout: must be positive"},
		"no time for NATS":        {"ingress: {backend_timeout: 0s}", "2: ingress.backend_timeout: must be positive"},
		"certificate without TLS": {"ingress: {tls: {cert: x}}", "2: ingress.tls.enabled: must be true if cert, key or client_ca is set"},
		"TLS without certificate": {"ingress: {tls: {enabled: true}}", "2: ingress.tls.cert: and key are not a pair in PEM form"},
		"certificates of nobody":  {"ingress: {tls: {client_certificates: none}}", "2: ingress.tls.client_certificates: must be api or all"},
		"negative key rate":       {"ingress: {api_keys: [{name: a, providers: [acme-kr], sha256: " + hash + ", requests_per_second: -1}]}", "2: ingress.api_keys[0].requests_per_second: must be between 0 and 1000000"},
		"negative key burst":      {"ingress: {api_keys: [{name: a, providers: [acme-kr], sha256: " + hash + ", burst: -1}]}", "2: ingress.api_keys[0].burst: must be between 0 and 1000000"},
		"bad previous key":        {"ingress: {api_keys: [{name: a, providers: [acme-kr], sha256: " + hash + ", previous_sha256: [x]}]}", "2: ingress.api_keys[0].previous_sha256[0]: must be the SHA-256"},
		"previous of another":     {"ingress: {api_keys: [{name: a, providers: [acme-kr], sha256: " + hash + "}, {name: b, providers: [acme-kr], sha256: " + strings.Repeat("1a", 32) + ", previous_sha256: [" + hash + "]}]}", "2: ingress.api_keys[1].previous_sha256[0]: is also the hash of another key"},
		"negative reload":         {"reload_every: -1s", "2: reload_every: must not be negative"},
		"no header":               {"ingress: {proxy_header: \"a b\"}", "2: ingress.proxy_header: must be the name of an HTTP header"},
		"believes everybody":      {"ingress: {trusted_proxies: [\"::/0\"]}", "2: ingress.trusted_proxies[0]: would trust every client"},
		"key without a name":      {"ingress: {api_keys: [{providers: [acme-kr], sha256: " + hash + "}]}", "2: ingress.api_keys[0].name: must be 1 to 64 characters"},
		"same name":               {"ingress: {api_keys: [{name: a, providers: [acme-kr], sha256: " + hash + "}, {name: a, providers: [acme-kr], sha256: " + strings.Repeat("1a", 32) + "}]}", "2: ingress.api_keys[1].name: occurs twice"},
		"same key":                {"ingress: {api_keys: [{name: a, providers: [acme-kr], sha256: " + hash + "}, {name: b, providers: [acme-kr], sha256: " + hash + "}]}", "2: ingress.api_keys[1].sha256: is also the hash of another key"},
		"key itself":              {"ingress: {api_keys: [{name: a, providers: [acme-kr], sha256: " + password + "}]}", "2: ingress.api_keys[0].sha256: must be the SHA-256"},
		"upper case":              {"ingress: {api_keys: [{name: a, providers: [acme-kr], sha256: " + strings.ToUpper(hash) + "}]}", "2: ingress.api_keys[0].sha256: must be the SHA-256"},
		"short hash":              {"ingress: {api_keys: [{name: a, providers: [acme-kr], sha256: " + hash[2:] + "}]}", "2: ingress.api_keys[0].sha256: must be the SHA-256"},
		"strange provider":        {"ingress: {api_keys: [{name: a, sha256: " + hash + ", providers: [x]}]}", "2: ingress.api_keys[0].providers[0]: is not one of the providers"},
		"strange operation":       {"ingress: {api_keys: [{name: a, providers: [acme-kr], sha256: " + hash + ", operations: [refund]}]}", "2: ingress.api_keys[0].operations[0]: must be deposit or payout"},
		"level":                   {"log: {level: loud}", "2: log.level: must be one of debug, info, warn, error"},
		"format":                  {"log: {format: xml}", "2: log.format: must be one of json, text"},
		"CA without TLS":          {"nats: {tls: {ca: x}}", "2: nats.tls.enabled: must be true if ca, cert or key is set"},
		"bad CA":                  {"redis: {tls: {enabled: true, ca: x}}", "2: redis.tls.ca: holds no certificate in PEM form"},
		"cert alone":              {"redis: {tls: {enabled: true, cert: x}}", "2: redis.tls.cert: and key must be set together"},
		"bad pair":                {"redis: {tls: {enabled: true, cert: x, key: \"${GOOD}\"}}", "2: redis.tls.cert: and key are not a pair in PEM form"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(testFile, fake(least+test.yaml+"\n", map[string]string{"GOOD": password}, nil))
			got := problemsOf(t, err)
			if len(got) != 1 || !hasProblem(got, test.want) {
				t.Errorf("want only %q, have\n%s", test.want, strings.Join(got, "\n"))
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is shown: %v", err)
			}
		})
	}
}

// hash is one of an API key.
var hash = strings.Repeat("0f", 32)

func TestLimitsOfRelationsAreTaken(t *testing.T) {
	for _, yaml := range []string{
		"worker: {lease: 35001ms}", "worker: {lease: 59999ms}", "worker: {shutdown_timeout: 15s}",
		"worker: {lookup_min: 15m}", "worker: {park_max: 10s}", "worker: {resume_spread: 0s}",
		"redis: {claim_retention: 400d}", "nats: {webhooks_retention: 24h}",
		"redis: {addresses: [\"a:1\", \"b:1\"], sentinel_master: m, db: 1}",
		"ingress: {listen: \":0\"}", "ingress: {public_url: \"http://localhost:1/x\"}",
		"ingress: {api_keys: [{name: a, sha256: " + hash + ", providers: [acme-kr], operations: [payout]}]}",
		"redis: {password: \"${SIXTEEN}\", username: me}", "reload_every: 0s", "ingress: {read_timeout: 5s}",
		"ingress: {api_keys: [{name: a, providers: [acme-kr], sha256: " + hash + ", previous_sha256: [" + strings.Repeat("1a", 32) + "]}]}",
	} {
		if _, err := config.Load(testFile, fake(least+yaml+"\n", map[string]string{"SIXTEEN": "b3k9-zq7w-0m4x-8"}, nil)); err != nil {
			t.Errorf("%s: %v", yaml, err)
		}
	}
}

func TestOneMistakeIsReportedOnce(t *testing.T) {
	for _, yaml := range []string{"worker: {lease: x}", "worker: {submit_timeout: x}", "nats: {payments_retention: x}", "nats: {user: me, password: plain}", "redis: {addresses: x}"} {
		_, err := config.Load(testFile, fake(least+yaml+"\n", nil, nil))
		if got := problemsOf(t, err); len(got) != 1 {
			t.Errorf("%s: %q", yaml, got)
		}
	}
}

func TestRolesNeedTheirParts(t *testing.T) {
	if _, err := config.Load(testFile, fake(least+"allow_insecure: [redis_without_password]\n", nil, nil), config.RoleWorker); err != nil {
		t.Error(err)
	}
	_, err := config.Load(testFile, fake("ingress: {}\n"+least, nil, nil), config.RoleIngress)
	if got := problemsOf(t, err); len(got) != 1 || !hasProblem(got, "1: ingress.api_keys: requires at least one key") {
		t.Errorf("got %q", got)
	}
}

func TestValidateWithoutAFile(t *testing.T) {
	c := config.Defaults()
	c.Redis.ClaimRetention = c.NATS.PaymentsRetention
	c.Providers = map[string]config.Provider{"acme-kr": {Kind: "acme"}}
	c.Redis.Password = secret.New(password)
	if err := c.Validate(config.RoleWorker); err != nil {
		t.Error(err)
	}
	if c.Warnings() != nil {
		t.Errorf("warnings %q", c.Warnings())
	}
	c.Worker.Lease = time.Second
	c.NATS.Password = secret.New("hunter2")
	c.Ingress.APIKeys = []config.APIKey{{Name: "a", SHA256: hash, Operations: []payment.Operation{"x"}}}
	c.Providers["acme-kr"] = config.Provider{Kind: "acme", WebhookSources: make([]prefix, 1)}
	got := problemsOf(t, c.Validate())
	for _, want := range []string{
		"worker.submit_timeout: must be shorter than worker.lease (1s)", "nats.password: must have at least 16 bytes",
		"ingress.api_keys[0].operations[0]: must be", "providers.acme-kr.webhook_sources[0]: must be a network",
	} {
		if !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("want %q in %q", want, got)
		}
	}
}
