package deploytest

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	shipped "payonce/deploy/redis"
	"payonce/internal/credentials"
	"payonce/pkg/config"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/secret"
	"payonce/test/redistest"
	"payonce/test/testenv"
)

const redisPassword, sentinelPassword = "a-redis-password-of-a-test", "a-sentinel-password-of-a-test"

// redisProcess starts redis-server with a configuration of its own that begins with a shipped file.
func redisProcess(t *testing.T, dir, file, address, own string, more ...string) {
	t.Helper()
	text, err := shipped.Files.ReadFile(file)
	testenv.Must(t, err)
	_, port, err := net.SplitHostPort(address)
	testenv.Must(t, err)
	settings := strings.ReplaceAll(string(text), "/run/secrets/", filepath.Join(dir, credentials.RedisDir)+"/")
	startRedis(t, file, settings+"\ntls-port "+port+"\ndir "+t.TempDir()+"\n"+own, more...)
}

// startRedis starts redis-server with a configuration, until the test ends.
func startRedis(t *testing.T, name, text string, more ...string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	testenv.Must(t, os.WriteFile(path, []byte(text), 0o600))
	cmd := exec.Command(redistest.Require(t), append([]string{path}, more...)...)
	var said testenv.Logs
	cmd.Stdout, cmd.Stderr = &said, &said
	testenv.Must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", name, said.String())
		}
	})
}

// TestRedisSpeaksTLSOnly: the shipped TLS settings with the certificates of payctl credentials make, for a server and a Sentinel. The
// shipped user works through both; nothing is answered in the clear, and a server with another CA's certificate is not believed.
func TestRedisSpeaksTLSOnly(t *testing.T) {
	dirs := [2]string{filepath.Join(t.TempDir(), "made"), filepath.Join(t.TempDir(), "made")}
	for _, dir := range dirs {
		testenv.Must(t, credentials.Make(credentials.Options{Dir: dir, Hosts: []string{"localhost"}, RedisHosts: []string{"localhost"}, Now: time.Now()}))
	}
	var addresses [2]string
	for i := range addresses {
		addresses[i] = testenv.FreeAddress(t)
	}
	_, port, _ := net.SplitHostPort(addresses[0])
	redisProcess(t, dirs[0], "tls.conf", addresses[0], fmt.Sprintf("maxmemory-policy noeviction\nappendonly yes\nappendfsync always\nuser payonce on >%s %s\nuser default on >%s ~* &* +@all\n",
		redisPassword, strings.TrimSpace(shipped.Rules), redisPassword))
	redisProcess(t, dirs[0], "sentinel-tls.conf", addresses[1], fmt.Sprintf("sentinel monitor payonce localhost %s 1\nsentinel auth-pass payonce %s\nrequirepass %s\n",
		port, redisPassword, sentinelPassword), "--sentinel")

	_, sentinel, _ := net.SplitHostPort(addresses[1])
	client := func(ca string) goredis.UniversalClient {
		var c *tls.Config
		if ca != "" {
			text, err := os.ReadFile(filepath.Join(ca, credentials.ClientsDir, "redis-ca.pem"))
			testenv.Must(t, err)
			if c, err = (config.TLS{Enabled: true, CA: string(text)}).Client(); err != nil {
				t.Fatal(err)
			}
		}
		client, err := redis.NewClient(redis.Config{
			Addresses: []string{"localhost:" + sentinel}, MasterName: "payonce", Username: "payonce", Password: secret.New(redisPassword),
			SentinelPassword: secret.New(sentinelPassword), TLS: c,
		})
		testenv.Must(t, err)
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	trusted := client(dirs[0])
	eventually(t, "the server answers by TLS", func() bool { return trusted.Ping(bounded(t)).Err() == nil })
	if warnings, err := redis.New(trusted, redis.Options{}).Check(bounded(t)); err != nil {
		t.Errorf("%v, %v", warnings, err)
	}
	for what, c := range map[string]goredis.UniversalClient{"in the clear": client(""), "with another CA": client(dirs[1])} {
		if err := c.Ping(bounded(t)).Err(); err == nil {
			t.Errorf("it answers %s", what)
		}
	}
	for _, address := range addresses {
		plain := goredis.NewClient(&goredis.Options{Addr: address, Password: redisPassword, MaxRetries: -1})
		if err := plain.Ping(bounded(t)).Err(); err == nil {
			t.Errorf("%s answers in the clear", address)
		}
		_ = plain.Close()
	}
}

// TestProductionTakesNothingInsecure: the shipped production configuration needs no exception.
func TestProductionTakesNothingInsecure(t *testing.T) {
	production := documents(t, "deploy/kubernetes/overlays/production/payonce.yaml")[0]
	if production["allow_insecure"] != nil || at(production, "redis", "tls", "enabled") != true || at(production, "redis", "tls", "ca_file") == nil {
		t.Errorf("production allows %v, and has the Redis %v", production["allow_insecure"], production["redis"])
	}
}
