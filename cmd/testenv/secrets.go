package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"payonce/deploy/redis"
	"payonce/internal/credentials"
	"payonce/pkg/ingress"
	"payonce/pkg/sandbox"
	"payonce/pkg/sandbox/teemopay"
)

// Folders of a test environment's secrets. docker-compose.yml names the files in them.
const (
	natsDir      = "nats"
	redisDir     = "redis"
	ingressDir   = "ingress"
	grafanaDir   = "grafana"
	endpointsDir = "endpoints"
	providersDir = "providers" // as "sandbox keys" writes it
)

// For who starts the testenv. Containers have copies that they may read.
const (
	apiKeyFile        = "api.key"
	adminPasswordFile = "admin.password" // of Grafana
)

func secretsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "secrets DIR", Short: "Create all secrets of a test environment in a folder; nothing is overwritten",
		Long: `Create all secrets of a test environment in a folder: NATS (as "payctl credentials make" does), Redis, an API key, Grafana,
an endpoint's secret, and the sandbox's keys. If they exist, nothing is done. When run by root, the files belong to --owner, the user of the
containers, and the API key and Grafana's password to the owner of the folder.`,
		Example: "  testenv secrets secrets --owner 65532", Args: cobra.ExactArgs(1),
	}
	owner := c.Flags().Int("owner", os.Getuid(), "the `UID` and group that the files belong to")
	c.RunE = func(c *cobra.Command, args []string) error {
		dir := args[0]
		if _, err := os.Stat(filepath.Join(dir, natsDir)); err == nil {
			_, err = fmt.Fprintf(c.OutOrStdout(), "The secrets in %s exist already.\n", dir)
			return err
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := errors.Join(makeRedis(dir), makeAPIKey(dir), makeGrafana(dir), makeEndpoint(dir), makeProviders(dir), makeNATS(dir)); err != nil {
			return err
		}
		if err := give(dir, *owner); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.OutOrStdout(), "Created the secrets of a test environment in %s. Do not use them in production.\n", dir)
		return err
	}
	return c
}

// redisHosts are the servers and Sentinels of docker-compose.yml, by name and by the address that Sentinels return.
var redisHosts = []string{
	"redis-1", "redis-2", "sentinel", "localhost", "172.31.250.11", "172.31.250.12", "172.31.250.21", "172.31.250.22", "172.31.250.23",
}

func makeNATS(dir string) error {
	return credentials.Make(credentials.Options{
		Dir: filepath.Join(dir, natsDir), Now: time.Now(),
		// In a test environment the ingress, the sandbox and the receiver show the same certificate.
		Hosts:     []string{"nats", "nats-1", "nats-2", "nats-3", "ingress", "sandbox", "receiver", "localhost", "127.0.0.1"},
		Upstreams: []credentials.Upstream{{Name: "shop", Providers: []string{"*"}}}, Ledgers: []string{"accounting"},
		Operators: []string{"testenv"}, Endpoints: []string{"shop"}, RedisHosts: redisHosts,
	})
}

// makeRedis writes the passwords once for our programs, whose user can do no more than they need, and once as the servers
// read them, which trust each other with another one.
func makeRedis(dir string) error {
	password, admin, sentinel := random(), random(), random()
	return errors.Join(
		write(dir, redisDir, "password", password+"\n"),
		// One configuration names a password for all programs; those without Redis get one of nothing.
		write(dir, redisDir, "none", random()+"\n"),
		write(dir, redisDir, "admin.password", admin+"\n"),
		write(dir, redisDir, "server.conf", fmt.Sprintf("requirepass %s\nmasterauth %[1]s\nuser payonce on >%s %s", admin, password, redis.Rules)),
		write(dir, redisDir, "sentinel.password", sentinel+"\n"),
		write(dir, redisDir, "sentinel.conf",
			fmt.Sprintf("sentinel auth-pass payonce %s\nrequirepass %s\nsentinel sentinel-pass %[2]s\n", admin, sentinel)),
	)
}

func makeAPIKey(dir string) error {
	key := random()
	hash, err := ingress.HashKey(key)
	if err != nil {
		return err
	}
	return errors.Join(write(dir, ingressDir, apiKeyFile, key+"\n"), write(dir, ingressDir, "shop.key", key+"\n"),
		write(dir, ingressDir, "api.sha256", hash+"\n"))
}

func makeGrafana(dir string) error {
	password := random()
	return errors.Join(write(dir, grafanaDir, adminPasswordFile, password+"\n"), write(dir, grafanaDir, "password", password+"\n"))
}

// makeEndpoint writes what webhooks to the endpoint "shop" are signed with.
func makeEndpoint(dir string) error {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return write(dir, endpointsDir, "shop.secret", "whsec_"+base64.StdEncoding.EncodeToString(key)+"\n")
}

func makeProviders(dir string) error {
	dir = filepath.Join(dir, providersDir)
	keys, err := teemopay.NewKeys()
	if err != nil {
		return err
	}
	errs := []error{keys.Write(dir)}
	for _, name := range []string{"ecommpay_secret.txt", "diamondpay_secret.txt", "diamondpay_token.txt"} {
		errs = append(errs, sandbox.WriteSecret(filepath.Join(dir, name)))
	}
	return errors.Join(errs...)
}

// random is 256 bits; the letter keeps a program from reading it as a number.
func random() string {
	text := make([]byte, 32)
	_, _ = rand.Read(text) // it never fails
	return "k" + hex.EncodeToString(text)
}

// write makes a file that must not exist.
func write(dir, folder, name, text string) error {
	if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(dir, folder, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

// forPerson reports whether a file is for who starts the testenv, and no container reads it.
func forPerson(dir, path string) bool {
	return path == filepath.Join(dir, ingressDir, apiKeyFile) || path == filepath.Join(dir, grafanaDir, adminPasswordFile)
}

// give makes owner the owner of all files. The folders may be passed through, so that the one who has the
// folder can read the API key and Grafana's password in it.
func give(dir string, owner int) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	person := owner
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && os.Getuid() == 0 {
		person = int(stat.Uid)
	}
	// The folder itself stays whose it is.
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || path == dir || filepath.Dir(path) == dir && !entry.IsDir():
			return err
		case entry.IsDir():
			return errors.Join(os.Chmod(path, 0o711), os.Lchown(path, owner, owner))
		case forPerson(dir, path):
			return os.Lchown(path, person, person)
		case entry.Name() == "ca.pem": // not a secret: every client needs it
			return errors.Join(os.Chmod(path, 0o644), os.Lchown(path, owner, owner))
		}
		return os.Lchown(path, owner, owner)
	})
}
