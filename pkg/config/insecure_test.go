package config_test

import (
	"strings"
	"testing"

	"payonce/pkg/config"
)

func TestInsecureIsRefusedInProductionUnlessAllowed(t *testing.T) {
	const password = "redis: {password: \"${P}\", addresses: [\"%\"]}\n"
	for name, list := range map[string][]string{
		config.PlainNATS: {"nats: {urls: [\"nats://nats.example:4222\"]}\n", "nats: {urls: [\"tls://a\", \"ws://10.0.0.1\"]}\n", "nats: {urls: [\"nats://[2001:db8::1]\"]}\n"},
		config.PlainRedis: {strings.Replace(password, "%", "redis:6379", 1), strings.Replace(password, "%", "10.0.0.1:6379", 1),
			strings.Replace(password, "%", "127.0.0.1:1\", \"b:1", 1)},
		config.RedisWithoutPassword: {"redis: {addresses: [\"127.0.0.1:6379\"]}\n", "log: {}\n"},
		config.WideTrustedProxies: {"ingress: {trusted_proxies: [10.0.0.0/8]}\n", "ingress: {trusted_proxies: [172.16.0.0/12]}\n", "ingress: {trusted_proxies: [192.168.0.0/16]}\n",
			"ingress: {trusted_proxies: [\"fc00::/7\"]}\n", "ingress: {trusted_proxies: [\"fd00::/8\"]}\n", "ingress: {trusted_proxies: [10.0.0.0/9]}\n",
			"ingress: {trusted_proxies: [10.1.2.3/32, 100.64.0.0/10]}\n", "ingress: {trusted_proxies: [\"::ffff:10.0.0.0/104\"]}\n", "ingress: {trusted_proxies: [\"2001:db8::/32\"]}\n"},
	} {
		for _, yaml := range list {
			if name != config.RedisWithoutPassword && !strings.HasPrefix(yaml, "redis") {
				yaml += "redis: {password: \"${P}\"}\n"
			}
			read := func(more string) (config.Config, error) {
				return config.Load(testFile, fake(more+yaml+least, map[string]string{"P": "9f2kd83-k3j4h5-zq7w"}, nil), config.RoleWorker)
			}
			_, err := read("")
			if err == nil || len(problemsOf(t, err)) != 1 || !strings.Contains(err.Error(), "allow_insecure: ["+name+"]") {
				t.Errorf("%s: %v", yaml, err)
			}
			for _, more := range []string{testEnvironment, "allow_insecure: [" + name + "]\n"} {
				if c, err := read(more); err != nil || len(c.Warnings()) != 1 {
					t.Errorf("%s%s: %v, %q", more, yaml, err, c.Warnings())
				}
			}
			if _, err := read("allow_insecure: [plain_text]\n"); err == nil || !strings.Contains(err.Error(), "allow_insecure[0]: must be one of plain_nats") {
				t.Errorf("%s: %v", yaml, err)
			}
		}
	}
}

func TestSecureIsTaken(t *testing.T) {
	for _, yaml := range []string{
		"nats: {urls: [\"tls://nats.example\", \"wss://b\", \"nats://127.0.0.1\", \"nats://[::1]:1\", \"nats://localhost\"]}\n",
		"nats: {urls: [\"nats://nats.example\"], tls: {enabled: true}}\n",
		"ingress: {trusted_proxies: [10.0.3.0/24, 10.244.0.0/16, 127.0.0.0/8, 192.168.7.1/32, \"fd12:3456:789a::/48\"]}\n",
	} {
		c, err := config.Load(testFile, fake(yaml+least+"redis: {password: \"${P}\"}\n", map[string]string{"P": "9f2kd83-k3j4h5-zq7w"}, nil), config.RoleWorker)
		if err != nil || len(c.Warnings()) != 0 {
			t.Errorf("%s: %v, %q", yaml, err, c.Warnings())
		}
	}
	remote := "redis: {password: \"${P}\", addresses: [\"redis:6379\"], tls: {enabled: true}}\n"
	if _, err := config.Load(testFile, fake(least+remote, map[string]string{"P": "9f2kd83-k3j4h5-zq7w"}, nil), config.RoleWorker); err != nil {
		t.Error(err)
	}
	// The ingress has no password of Redis, because it does not use it.
	if _, err := config.Load(testFile, fake(least+"ingress: {api_keys: [{name: a, providers: [acme-kr], sha256: "+hash+"}]}\n", nil, nil), config.RoleIngress); err != nil {
		t.Error(err)
	}
}
