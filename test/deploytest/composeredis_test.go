package deploytest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"payonce/internal/credentials"
	"payonce/pkg/config"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/secret"
	"payonce/test/redistest"
	"payonce/test/testenv"
)

var redisHost = regexp.MustCompile(`--redis-host (\S+)`)

// composeSecrets makes the secrets of Redis as docs/deploy-docker.md says.
func composeSecrets(t *testing.T) (dir string, hosts []string) {
	t.Helper()
	for _, found := range redisHost.FindAllStringSubmatch(read(t, "docs/deploy-docker.md"), -1) {
		hosts = append(hosts, found[1])
	}
	dir = t.TempDir()
	if err := credentials.Make(credentials.Options{
		Dir: filepath.Join(dir, "nats"), Hosts: []string{"nats"}, RedisHosts: append([]string{"localhost"}, hosts...), Now: time.Now(),
	}); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "sh", "../../deploy/docker/secrets.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("secrets.sh: %v\n%s", err, out)
	}
	return dir, hosts
}

// TestComposeRedisSpeaksTLSOnly starts a server and a Sentinel from the files that docker-compose.yml mounts, with the secrets that
// its page says to make. The worker's user works through both; nothing is answered in the clear.
func TestComposeRedisSpeaksTLSOnly(t *testing.T) {
	redistest.Require(t)
	dir, _ := composeSecrets(t)
	made := func(path string) string { return filepath.Join(dir, path) }
	var ports [2]string
	for i := range ports {
		_, ports[i], _ = net.SplitHostPort(testenv.FreeAddress(t))
	}
	here := func(text, port string) string {
		return strings.NewReplacer(
			"include /run/secrets/redis-tls.conf", read(t, "deploy/redis/tls.conf"), "include /run/secrets/redis-passwords.conf", "include "+made("redis/server.conf"),
			"dir /data", "dir "+t.TempDir(), "172.31.250.11 6379", "localhost "+ports[0],
		).Replace(text) + "\ntls-port " + port + "\n"
	}
	start := func(name, text string, more ...string) {
		startRedis(t, name, strings.ReplaceAll(text, "/run/secrets/", made("nats/redis")+"/"), more...)
	}
	start("redis.conf", here(read(t, "deploy/docker/redis.conf"), ports[0]))
	passwords, err := os.ReadFile(made("redis/sentinel.conf"))
	testenv.Must(t, err)
	quorum := strings.Replace(read(t, "deploy/docker/sentinel.conf"), " 6379 2\n", " 6379 1\n", 1)
	start("sentinel.conf", here(read(t, "deploy/redis/sentinel-tls.conf")+quorum+string(passwords), ports[1]), "--sentinel")

	ca, err := os.ReadFile(made("nats/redis/redis-ca.pem"))
	testenv.Must(t, err)
	trust, err := config.TLS{Enabled: true, CA: string(ca)}.Client()
	testenv.Must(t, err)
	word := func(path string) secret.Value {
		text, err := os.ReadFile(made(path))
		testenv.Must(t, err)
		return secret.New(strings.TrimSpace(string(text)))
	}
	client := func(trust *tls.Config) goredis.UniversalClient {
		c, err := redis.NewClient(redis.Config{
			Addresses: []string{"localhost:" + ports[1]}, MasterName: "payonce", Username: "payonce", Password: word("redis/password"),
			SentinelPassword: word("redis/sentinel.password"), TLS: trust,
		})
		testenv.Must(t, err)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	trusted := client(trust)
	eventually(t, "the server answers by TLS", func() bool { return trusted.Ping(bounded(t)).Err() == nil })
	if warnings, err := redis.New(trusted, redis.Options{}).Check(bounded(t)); err != nil {
		t.Errorf("%v, %v", warnings, err)
	}
	if err := client(nil).Ping(bounded(t)).Err(); err == nil {
		t.Error("it answers in the clear")
	}
	for _, port := range ports {
		plain := goredis.NewClient(&goredis.Options{Addr: "localhost:" + port, MaxRetries: -1})
		if err := plain.Ping(bounded(t)).Err(); err == nil || strings.Contains(err.Error(), "NOAUTH") {
			t.Errorf("%s answers in the clear: %v", port, err)
		}
		_ = plain.Close()
	}
}

// TestComposeRedisCertificateNamesTheServers: the names and addresses that docker-compose.yml gives to Redis servers and Sentinels stand in
// the certificate of the page's command, and every one of them mounts it with the shipped settings.
func TestComposeRedisCertificateNamesTheServers(t *testing.T) {
	dir, _ := composeSecrets(t)
	text, err := os.ReadFile(filepath.Join(dir, "nats/redis/redis.pem"))
	testenv.Must(t, err)
	block, _ := pem.Decode(text)
	certificate, err := x509.ParseCertificate(block.Bytes)
	testenv.Must(t, err)
	const sentinelTLS = "sentinel-tls.conf:/etc/redis/sentinel-tls.conf:ro"
	services := composeServices(t, composeFile, 15)
	for name, settings := range map[string]string{
		"redis-1": "tls.conf:/run/secrets/redis-tls.conf:ro", "redis-2": "tls.conf:/run/secrets/redis-tls.conf:ro", "sentinel-1": sentinelTLS, "sentinel-2": sentinelTLS, "sentinel-3": sentinelTLS,
	} {
		address, _ := at(services[name], "networks", "backend", "ipv4_address").(string)
		called := name
		if alias, ok := at(services[name], "networks", "backend", "aliases", "0").(string); ok {
			called = alias
		}
		for _, host := range []string{address, called} {
			if err := certificate.VerifyHostname(host); err != nil || host == "" {
				t.Errorf("%s: %q: %v", name, host, err)
			}
		}
		mounted := false
		volumes, _ := at(services[name], "volumes").([]any)
		for _, volume := range volumes {
			mounted = mounted || volume == "./deploy/redis/"+settings
		}
		probe, _ := at(services[name], "healthcheck", "test", "3").(string)
		if !mounted || !strings.Contains(probe, "redis-cli --tls --cacert /run/secrets/redis-ca.pem") {
			t.Errorf("%s has no TLS: mounted %t, checked with %q", name, mounted, probe)
		}
	}
	for _, name := range []string{"worker", "ingress", "streams"} { // one configuration names the CA
		found := false
		secrets, _ := at(services[name], "secrets").([]any)
		for _, one := range secrets {
			found = found || at(one, "source") == "redis_ca" && at(one, "target") == "redis-ca.pem"
		}
		if !found {
			t.Errorf("%s has not the CA of Redis", name)
		}
	}
	testenv := documents(t, "deploy/docker/test.yaml")[0]
	if at(testenv, "redis", "tls", "enabled") != true || at(testenv, "redis", "tls", "ca_file") != "/run/secrets/redis-ca.pem" {
		t.Errorf("the testenv has the Redis %v", testenv["redis"])
	}
}
