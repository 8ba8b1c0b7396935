package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"payonce/pkg/secret"
)

// What production refuses unless allow_insecure names it.
const (
	PlainNATS            = "plain_nats"             // what is sent to a NATS server on another machine is not encrypted
	PlainRedis           = "plain_redis"            // the same for Redis
	RedisWithoutPassword = "redis_without_password" // any client that reaches Redis can change claims
	WideTrustedProxies   = "wide_trusted_proxies"   // machines that are no proxies can say where a call comes from
)

var insecurities = []string{PlainNATS, PlainRedis, RedisWithoutPassword, WideTrustedProxies}

// checkInsecure reports what works and should not be so where real money moves. worker says that the program uses Redis.
func (c *Config) checkInsecure(p *problems, worker bool) {
	for i, name := range c.AllowInsecure {
		p.oneOf(index("allow_insecure", i), name, insecurities...)
	}
	for i, text := range c.NATS.URLs {
		if u, err := url.Parse(text); err == nil && (u.Scheme == "nats" || u.Scheme == "ws") && !c.NATS.TLS.Enabled && !loopback(u.Hostname()) {
			c.insecure(p, PlainNATS, index("nats.urls", i), "the connection to this server is not encrypted: set nats.tls.enabled")
		}
	}
	for i, address := range c.Redis.Addresses {
		if host, _, err := net.SplitHostPort(address); worker && err == nil && !c.Redis.TLS.Enabled && !loopback(host) {
			c.insecure(p, PlainRedis, index("redis.addresses", i), "the connection to this server is not encrypted: set redis.tls.enabled")
		}
	}
	if worker && c.Redis.Password.Empty() && !p.has("redis.password") {
		c.insecure(p, RedisWithoutPassword, "redis.password", "is missing, so anyone who reaches Redis can change claims: set a password there and here")
	}
	for i, network := range c.Ingress.TrustedProxies {
		if wide(network) {
			c.insecure(p, WideTrustedProxies, index("ingress.trusted_proxies", i),
				"trusts a whole private network to forward client addresses: list the addresses of the proxies")
		}
	}
}

// insecure reports a problem in production, and a warning elsewhere and where it is allowed by name.
func (c *Config) insecure(p *problems, name, key, text string) {
	allowed := slices.Contains(c.AllowInsecure, name)
	switch {
	case p.has(key):
	case allowed:
		p.warn(key, "%s (allow_insecure has %s)", text, name)
	case c.Environment == Test:
		p.warn(key, "%s; production refuses this", text)
	default:
		p.add(key, "%s, or allow it: allow_insecure: [%s]", text, name)
	}
}

// private are the networks that no address of the public Internet is in.
var private = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fc00::/7"),
	netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("fe80::/10"),
}

// Networks that are wider than these hold more than the proxies of one site.
const widestV4, widestV6 = 16, 48

// wide reports whether a network has a whole private network in it, or is wider than a site.
func wide(network netip.Prefix) bool {
	if address := network.Addr(); address.Is4In6() && network.Bits() >= 96 {
		network = netip.PrefixFrom(address.Unmap(), network.Bits()-96)
	}
	if !network.IsValid() || network.Addr().IsLoopback() {
		return false
	}
	whole := func(p netip.Prefix) bool { return network.Bits() <= p.Bits() && network.Contains(p.Addr()) }
	widest := widestV4
	if network.Addr().Is6() {
		widest = widestV6
	}
	return network.Bits() < widest || slices.ContainsFunc(private, whole)
}

// checkOwnSecrets reports passwords and API keys that an attacker could guess or read.
func (c *Config) checkOwnSecrets(p *problems) {
	for key, value := range map[string]secret.Value{
		"nats.password": c.NATS.Password, "redis.password": c.Redis.Password, "redis.sentinel_password": c.Redis.SentinelPassword,
	} {
		if !value.Empty() && !p.has(key) {
			c.weak(p, key, weakness(value.Reveal()))
		}
	}
	for i, k := range c.Ingress.APIKeys {
		key := index("ingress.api_keys", i)
		for j, hash := range append([]string{k.SHA256}, k.PreviousSHA256...) {
			at := key + ".sha256"
			if j > 0 {
				at = index(key+".previous_sha256", j-1)
			}
			if slices.Contains(publishedAPIKeys, hash) {
				c.weak(p, at, "is the hash of a published key")
			}
		}
	}
}

// checkSecrets reports secrets of providers that an attacker could guess or read, and those that two providers share.
func (c *Config) checkSecrets(p *problems) {
	holders := map[string]string{} // by fingerprint
	for _, name := range slices.Sorted(maps.Keys(c.Providers)) {
		settings := c.Providers[name].Settings
		if settings == nil || !settings.read.IsValid() {
			continue
		}
		for _, s := range secretsIn(settings.read, settings.key) {
			c.weak(p, s.key, s.weakness())
			if !s.secret {
				continue
			}
			if name := c.keyOf(s.text); name != "" {
				c.weak(p, s.key, fmt.Sprintf("is also the API key of %s, so that service can sign as the provider", name))
			}
			print := fingerprint(s.text)
			first, known := holders[print]
			if known && first != name {
				c.weak(p, s.key, fmt.Sprintf("is also a secret of provider %s, so one signature is valid for both", first))
			} else if !known {
				holders[print] = name
			}
		}
	}
}

// keyOf returns the name of the API key that a text is, or "".
func (c *Config) keyOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	for _, k := range c.Ingress.APIKeys {
		if k.SHA256 == hex.EncodeToString(sum[:]) || slices.Contains(k.PreviousSHA256, hex.EncodeToString(sum[:])) {
			return k.Name
		}
	}
	return ""
}

// weak reports a secret that production does not take. why is empty for a good one.
func (c *Config) weak(p *problems, key, why string) {
	switch {
	case why == "":
	case c.Environment == Test:
		c.badSecret = true
		p.warn(key, "%s; production refuses it", why)
	default:
		p.add(key, "%s: have the provider or the key's owner create a new one; accepted only with environment: test", why)
	}
}

// text is a value of a provider's settings that can be a secret, or the public key that belongs to one.
type text struct {
	key, text string
	secret    bool
	anyLength bool // the field's tag is length:"any": its length is the provider's to choose
}

// weakness says what is wrong with a secret. Of other texts only a key that is published is looked for.
func (t text) weakness() string {
	if !t.secret && rsaModulus(t.text) == nil {
		return ""
	}
	why := weakness(t.text)
	if why == short && t.anyLength {
		return ""
	}
	return why
}

// secretsIn returns the texts of settings, with the paths of their keys.
func secretsIn(v reflect.Value, key string) (found []text) {
	if v.Type() == secretType {
		if value := v.Interface().(secret.Value); !value.Empty() {
			found = append(found, text{key: key, text: value.Reveal(), secret: true})
		}
		return found
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			found = secretsIn(v.Elem(), key)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if field.Anonymous && field.Type.Kind() == reflect.Struct {
				found = append(found, secretsIn(v.Field(i), key)...)
			} else if name := yamlName(field); name != "" {
				inner := secretsIn(v.Field(i), join(key, name))
				for j := range inner {
					inner[j].anyLength = inner[j].anyLength || field.Tag.Get("length") == "any"
				}
				found = append(found, inner...)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			found = append(found, secretsIn(v.Index(i), index(key, i))...)
		}
	case reflect.Map:
		names := v.MapKeys()
		slices.SortFunc(names, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, name := range names {
			found = append(found, secretsIn(v.MapIndex(name), join(key, name.String()))...)
		}
	case reflect.String:
		found = append(found, text{key: key, text: v.String()})
	}
	return found
}
