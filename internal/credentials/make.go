// Package credentials makes what a secured nats-server and its clients need: nkeys, the files of the server
// that name them, a key for what is stored, and certificates of a CA of its own for a test environment.
package credentials

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/nats-io/nkeys"

	"payonce/deploy/nats"
	"payonce/deploy/redis"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
)

// Options say for whom credentials are made.
type Options struct {
	Dir       string // is made; nothing in it is overwritten
	Upstreams []Upstream
	Ledgers   []string
	// Endpoints are those to which a notifier sends; with none it gets no key.
	Endpoints []string
	// Operators are the persons who work with payctl, by name: each has an account of its own.
	Operators []string
	// Hosts are the names and addresses of the servers, for their certificate.
	Hosts []string
	// RedisHosts are the names and addresses of the Redis servers and Sentinels, as clients and Sentinel call them. With
	// none, no certificate of Redis is made.
	RedisHosts []string
	Now        time.Time
}

// Upstream is a service that publishes commands by NATS.
type Upstream struct {
	Name      string
	Providers []string // that it may use; "*" means all
}

// Folders of Options.Dir.
const (
	ServerDir  = "server"  // for the nats-servers
	ClientsDir = "clients" // for the programs, each its own file
	RedisDir   = "redis"   // for the Redis servers and Sentinels
)

// Programs are the users that every system has, each with a file clients/NAME.seed.
var Programs = []string{"ingress", "worker", "archive", "console", "viewer", "administrator", "monitor"}

// notifier is the user of the notifier, where there are endpoints.
const notifier = "notifier"

// Make makes everything. It refuses before it writes anything if a file is there already. Files can be read
// by their owner only.
func Make(o Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	files, err := o.files()
	if err != nil {
		return err
	}
	for name := range files {
		if _, err := os.Lstat(filepath.Join(o.Dir, name)); err == nil {
			return fmt.Errorf("%s is there already; nothing was written", filepath.Join(o.Dir, name))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for name, text := range files {
		if err := write(filepath.Join(o.Dir, name), text); err != nil {
			return err
		}
	}
	return nil
}

func (o Options) validate() error {
	seen := map[string]bool{}
	for _, u := range o.Upstreams {
		if reserved(u.Name) {
			return fmt.Errorf("upstream %q: the name is that of another account", u.Name)
		}
		if !payment.ValidProvider(u.Name) || seen[u.Name] {
			return fmt.Errorf(`upstream %q must be given once, as 1 to 32 characters of a-z, 0-9 and "-"`, u.Name)
		}
		seen[u.Name] = true
		if len(u.Providers) == 0 {
			return fmt.Errorf("upstream %s has no providers; * means all", u.Name)
		}
		for _, provider := range u.Providers {
			switch {
			case provider == "*" && len(u.Providers) > 1:
				return fmt.Errorf("upstream %s: * means all providers and stands alone", u.Name)
			case provider != "*" && !payment.ValidProvider(provider):
				return fmt.Errorf("upstream %s: %q is not a valid provider name", u.Name, provider)
			}
		}
	}
	for _, name := range o.Ledgers {
		if !payment.ValidProvider(name) || seen["ledger-"+name] {
			return fmt.Errorf(`ledger %q must be given once, as 1 to 32 characters of a-z, 0-9 and "-"`, name)
		}
		seen["ledger-"+name] = true
	}
	for i, name := range o.Endpoints {
		if !payment.ValidProvider(name) || slices.Contains(o.Endpoints[:i], name) {
			return fmt.Errorf(`endpoint %q must be given once, as 1 to 32 characters of a-z, 0-9 and "-"`, name)
		}
	}
	for _, name := range o.Operators {
		if !payment.ValidProvider(name) || seen["operator-"+name] {
			return fmt.Errorf(`operator %q must be given once, as 1 to 32 characters of a-z, 0-9 and "-"`, name)
		}
		seen["operator-"+name] = true
	}
	if len(o.Hosts) == 0 {
		return errors.New("at least one host is needed for the certificate")
	}
	return nil
}

// reserved says that an upstream of this name would be another's account: an upstream's account has its bare name.
func reserved(upstream string) bool {
	return slices.Contains(Programs, upstream) || upstream == "auditcopy" || upstream == notifier || strings.HasPrefix(upstream, "ledger-") || strings.HasPrefix(upstream, "operator-")
}

// write creates a file that must not exist.
func write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}

// files returns the content of every file by its path in Options.Dir.
func (o Options) files() (map[string][]byte, error) {
	files := map[string][]byte{}
	keys, err := programKeys(files)
	if err != nil {
		return nil, err
	}
	third, guard, err := o.thirdParties(files)
	if err != nil {
		return nil, err
	}
	files[filepath.Join(ServerDir, "keys.conf")] = fmt.Appendf(keys,
		"# What only ledgers, the archive and the notifier may do.\nLEDGERS_ONLY: [%s]\n", strings.Join(guard, ", "))
	files[filepath.Join(ServerDir, "third-parties.conf")] = third
	if err := o.shipped(files); err != nil {
		return nil, err
	}
	if err := certificates(o, files); err != nil {
		return nil, err
	}
	return files, o.environment(files)
}

func programKeys(files map[string][]byte) ([]byte, error) {
	keys := []byte("# Written by \"payctl credentials make\": the public keys of our programs.\n")
	for _, program := range Programs {
		public, err := user(files, program)
		if err != nil {
			return nil, err
		}
		keys = fmt.Appendf(keys, "%s_NKEY: %s\n", strings.ToUpper(program), public)
	}
	return keys, nil
}

// user makes an nkey, adds its seed to the clients' files and returns the public key.
func user(files map[string][]byte, name string) (string, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return "", fmt.Errorf("nkey of %s: %w", name, err)
	}
	seed, err := pair.Seed()
	if err != nil {
		return "", fmt.Errorf("nkey of %s: %w", name, err)
	}
	files[filepath.Join(ClientsDir, name+".seed")] = append(seed, '\n')
	return pair.PublicKey()
}

// thirdParties returns the accounts of upstreams, ledgers and operators, and the subjects that are only for ledgers and the archive.
func (o Options) thirdParties(files map[string][]byte) (conf []byte, guard []string, err error) {
	type party struct {
		Name, NKey, Consumer string
		Subjects             []string
	}
	var upstreams, ledgers, operators []party
	guard = ownConsumer(config.DefaultArchiveConsumer)
	for _, u := range o.Upstreams {
		p := party{Name: u.Name, Consumer: admin.RefusalConsumer(u.Name)}
		guard = append(guard, fmt.Sprintf("%q, %q", "$JS.API.CONSUMER.MSG.NEXT.REFUSALS."+p.Consumer, "$JS.ACK.REFUSALS."+p.Consumer+".>"))
		if p.NKey, err = user(files, "upstream-"+u.Name); err != nil {
			return nil, nil, err
		}
		for _, provider := range u.Providers {
			for _, what := range []string{"deposit", "payout", "clarification"} {
				p.Subjects = append(p.Subjects, what+".requested."+provider+".*")
			}
		}
		upstreams = append(upstreams, p)
	}
	for _, name := range o.Ledgers {
		p := party{Name: name, Consumer: admin.LedgerConsumer(name)}
		if p.NKey, err = user(files, "ledger-"+name); err != nil {
			return nil, nil, err
		}
		guard = append(guard, ownConsumer(p.Consumer)...)
		guard = append(guard, fmt.Sprintf("%q, %q", "$JS.API.CONSUMER.MSG.NEXT.BALANCES."+p.Consumer, "$JS.ACK.BALANCES."+p.Consumer+".>"))
		ledgers = append(ledgers, p)
	}
	for _, name := range o.Operators {
		p := party{Name: name}
		if p.NKey, err = user(files, "operator-"+name); err != nil {
			return nil, nil, err
		}
		operators = append(operators, p)
	}
	var notifierKey string
	var endpoints []string
	if len(o.Endpoints) > 0 {
		if notifierKey, err = user(files, notifier); err != nil {
			return nil, nil, err
		}
	}
	for _, name := range o.Endpoints {
		endpoints = append(endpoints, events.EndpointConsumer(name))
	}
	tmpl, err := template.ParseFS(nats.Files, "third-parties.conf.tmpl")
	if err != nil {
		return nil, nil, err
	}
	var text bytes.Buffer
	err = tmpl.Execute(&text, map[string]any{
		"Upstreams": upstreams, "Ledgers": ledgers, "Operators": operators,
		"Notifier": notifierKey, "Endpoints": endpoints, "EndpointStreams": []string{events.StreamPayments, events.StreamEndpoints},
	})
	return text.Bytes(), guard, err
}

// ownConsumer returns the subjects of a consumer of PAYMENTS that is one reader's own: workers, who may have any other, may not
// use them.
func ownConsumer(name string) (subjects []string) {
	for _, subject := range []string{"$JS.API.CONSUMER.CREATE.PAYMENTS.%s", "$JS.API.CONSUMER.CREATE.PAYMENTS.%s.>",
		"$JS.API.CONSUMER.DELETE.PAYMENTS.%s", "$JS.API.CONSUMER.MSG.NEXT.PAYMENTS.%s", "$JS.ACK.PAYMENTS.%s.>"} {
		subjects = append(subjects, fmt.Sprintf("%q", fmt.Sprintf(subject, name)))
	}
	return subjects
}

// shipped adds the server's files as they are.
func (o Options) shipped(files map[string][]byte) error {
	names, err := fs.Glob(nats.Files, "*.conf")
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := nats.Files.ReadFile(name)
		if err != nil {
			return err
		}
		files[filepath.Join(ServerDir, name)] = text
	}
	if len(o.RedisHosts) == 0 {
		return nil
	}
	for _, name := range []string{"tls.conf", "sentinel-tls.conf"} {
		text, err := redis.Files.ReadFile(name)
		if err != nil {
			return err
		}
		files[filepath.Join(RedisDir, name)] = text
	}
	return nil
}

// plainPath is a path that needs no quotes, neither in a shell nor for the server.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

// environment adds the variables of one server, to be read by a shell.
func (o Options) environment(files map[string][]byte) error {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	if !plainPath.MatchString(dir) {
		return fmt.Errorf("the path %s has characters that the server's files cannot hold", dir)
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	var text bytes.Buffer
	for _, line := range [][2]string{
		{"NATS_NAME", "nats-1"}, {"NATS_STORE", filepath.Join(dir, "store")},
		{"NATS_TLS_CA", filepath.Join(dir, ServerDir, "ca.pem")}, {"NATS_TLS_CERT", filepath.Join(dir, ServerDir, "server.pem")},
		{"NATS_TLS_KEY", filepath.Join(dir, ServerDir, "server.key")},
		// A letter first: the server would read digits as a number.
		{"NATS_STORE_KEY", "k" + hex.EncodeToString(key)},
	} {
		fmt.Fprintf(&text, "%s=%s\n", line[0], line[1])
	}
	files[filepath.Join(ServerDir, "nats.env")] = text.Bytes()
	return nil
}
