package config_test

import (
	"strings"
	"testing"

	"payonce/pkg/config"
)

// Production requires each key to say what it is for: a key for all providers would be good for one that is added later, too.
func TestKeyWithoutProviders(t *testing.T) {
	key := func(more string) string {
		return least + "allow_insecure: [redis_without_password]\ningress: {api_keys: [{name: a, providers: [acme-kr], sha256: " + strings.Repeat("1a", 32) + "}, {name: b, sha256: " + hash + more + "}]}\n"
	}
	for _, environment := range []string{"", "environment: production\n"} {
		for _, more := range []string{"", ", providers: []", ", operations: [deposit]"} {
			for _, roles := range [][]config.Role{nil, {config.RoleIngress}, {config.RoleWorker}} {
				_, err := config.Load(testFile, fake(key(more)+environment, nil, nil), roles...)
				if got := problemsOf(t, err); len(got) != 1 || !hasProblem(got, "3: ingress.api_keys[1].providers: must list the key's providers") {
					t.Errorf("%q%q %v: %v", environment, more, roles, got)
				}
			}
		}
		if _, err := config.Load(testFile, fake(key(", providers: [acme-kr]")+environment, nil, nil)); err != nil {
			t.Error(err)
		}
	}
	if _, err := config.Load(testFile, fake(key("")+"environment: test\n", nil, nil)); err != nil {
		t.Error(err)
	}
}

func TestUpstreams(t *testing.T) {
	const nats, prefixes = "nats: {upstreams: [game]}\n", "order_prefixes: "
	key := func(more string) string {
		return "ingress: {api_keys: [{name: a, providers: [acme-kr], sha256: " + hash + more + "}]}\n"
	}
	for yaml, want := range map[string]string{
		key(", upstream: shop") + nats + prefixes + "{shop: S-, game: G-}\n":             "",
		key("") + prefixes + "{a: S-}\n":                                                 "",
		key(", upstream: a.b"):                                                           "ingress.api_keys[0].upstream: must be 1 to 64",
		key(", upstream: shop") + prefixes + "{a: S-}\n":                                 "order_prefixes.a: is neither the upstream of an API key",
		key("") + nats + prefixes + "{a: S-, game: S}\n":                                 "order_prefixes: the prefixes of a and game have numbers in common",
		key("") + prefixes + "{a: \"\"}\n":                                               "order_prefixes: the prefix of a must be 1 to 16",
		"nats: {upstreams: [game], upstream_quotas: {game: {messages_per_second: 3}}}\n": "",
		"nats: {upstreams: [game], upstream_quotas: {shop: {}}}\n":                       "nats.upstream_quotas.shop: is not one of nats.upstreams",
		"nats: {upstream_quota: {bytes_per_second: 0}}\n":                                "nats.upstream_quota.bytes_per_second: must be between 1",
		"nats: {dead_letters_bytes: 100000}\n":                                           "nats.dead_letters_bytes: must be between 1048576",
		"nats: {upstreams: [ingress]}\n":                                                 "nats.upstreams[0]: is the name under which the ingress publishes",
	} {
		_, err := config.Load(testFile, fake(least+yaml, nil, nil))
		if want == "" && err != nil {
			t.Errorf("%s: %v", yaml, err)
		} else if want != "" && !hasProblem(problemsOf(t, err), want) {
			t.Errorf("%s: %v, want %s", yaml, err, want)
		}
	}
}

func TestQuotaOfUpstreams(t *testing.T) {
	n := config.Defaults().NATS
	n.UpstreamQuotas = map[string]config.Quota{"game": {MessagesPerSecond: 3}}
	if got := n.QuotaOf("shop"); got != (config.Quota{MessagesPerSecond: 1000, BytesPerSecond: 4 << 20}) {
		t.Errorf("the default is %+v", got)
	}
	if got := n.QuotaOf("game"); got != (config.Quota{MessagesPerSecond: 3, BytesPerSecond: 4 << 20}) {
		t.Errorf("its own is %+v", got)
	}
}
