package config_test

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"payonce/pkg/config"
)

var update = flag.Bool("update", false, "write the golden files again")

const (
	testFile = "conf/payonce.yaml"
	// password is in files and variables of the tests and must never be shown.
	password = "hunter2-hunter2-hunter2"
)

// least is the shortest valid file. Tests append to it.
const least = "providers: {acme-kr: {kind: acme}}\n"

// fake is a source of which the tests say everything.
func fake(yaml string, env map[string]string, files map[string]string) config.Source {
	return config.Source{
		Env: func(name string) (string, bool) { value, set := env[name]; return value, set },
		ReadFile: func(path string) ([]byte, error) {
			if path == testFile {
				return []byte(yaml), nil
			}
			if content, found := files[path]; found {
				return []byte(content), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		},
		Mode: func(path string) (fs.FileMode, error) {
			if strings.Contains(path, "open") {
				return 0o644, nil
			}
			return 0o600, nil
		},
	}
}

func load(t *testing.T, yaml string, env, files map[string]string) *config.Config {
	t.Helper()
	c, err := config.Load(testFile, fake(yaml, env, files))
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

// problemsOf returns the lines of the error, of which there must be one.
func problemsOf(t *testing.T, err error) []string {
	t.Helper()
	var all *config.Error
	if !errors.As(err, &all) {
		t.Fatalf("want a *config.Error, have %v", err)
	}
	return strings.Split(all.Error(), "\n")
}

func TestLeastFileGivesTheDefaults(t *testing.T) {
	c := load(t, least, nil, nil)
	want := config.Defaults()
	if c.Worker != want.Worker || c.Log != want.Log || c.NATS.PaymentsRetention != want.NATS.PaymentsRetention {
		t.Errorf("got %+v", c)
	}
	if c.Redis.ClaimRetention != want.NATS.PaymentsRetention {
		t.Errorf("claims are kept for %s, the log for %s", c.Redis.ClaimRetention, want.NATS.PaymentsRetention)
	}
	if got := c.ProviderSlots("acme-kr"); got != config.Defaults().Worker.Slots {
		t.Errorf("acme-kr has %d slots", got)
	}
	if len(c.Warnings()) != 0 {
		t.Errorf("warnings: %v", c.Warnings())
	}
}

func TestClaimRetentionFollowsTheLog(t *testing.T) {
	c := load(t, least+"nats: {payments_retention: 700d}\n", nil, nil)
	if c.Redis.ClaimRetention != 700*24*time.Hour {
		t.Errorf("claims are kept for %s", c.Redis.ClaimRetention)
	}
}

// A number that begins with 0 is decimal, whatever YAML's older rules say.
func TestNumbersAreDecimal(t *testing.T) {
	if c := load(t, least+"worker: {slots: 010}\n", nil, nil); c.Worker.Slots != 10 {
		t.Errorf("010 is %d", c.Worker.Slots)
	}
}

func TestValuesAreRead(t *testing.T) {
	c := load(t, `
nats: {urls: ["nats://127.0.0.1:4222", "tls://b"], user: me, password_file: keys/nats, replicas: 3}
redis: {addresses: [a:1, b:2], password: "${PREFIX}-$${PASS}", required: true, claim_retention: 500d12h}
ingress: {public_url: http://127.0.0.1:8080, trusted_proxies: [10.0.0.0/24, "fd00::/64"], max_waiting: "${N}"}
worker:
providers:
  acme-kr: {kind: acme, slots: 7, webhook_sources: [203.0.113.0/24]}
log: {level: debug, format_file: /abs/format}
`, map[string]string{"PREFIX": password, "N": "12"}, map[string]string{"conf/keys/nats": password + "\r\n", "/abs/format": "text"})
	if got := c.NATS.Password.Reveal(); got != password {
		t.Errorf("nats.password is %q", got)
	}
	if got := c.Redis.Password.Reveal(); got != password+"-${PASS}" {
		t.Errorf("redis.password is %q", got)
	}
	if c.Redis.ClaimRetention != (500*24+12)*time.Hour || !c.Redis.Required || c.NATS.Replicas != 3 || len(c.NATS.URLs) != 2 {
		t.Errorf("got %+v %+v", c.NATS, c.Redis)
	}
	if len(c.Ingress.TrustedProxies) != 2 || c.Ingress.TrustedProxies[1].String() != "fd00::/64" || c.Ingress.MaxWaiting != 12 {
		t.Errorf("got %+v", c.Ingress)
	}
	if c.ProviderSlots("acme-kr") != 7 || c.ProviderSlots("other") != config.Defaults().Worker.Slots || c.Log.Format != "text" {
		t.Errorf("got %+v %+v", c.Providers, c.Log)
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	yaml, err := os.ReadFile("testdata/broken.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = config.Load(testFile, fake(string(yaml), map[string]string{"SHORT": "hunter2"}, nil), config.RoleIngress, config.RoleWorker)
	got := strings.Join(problemsOf(t, err), "\n") + "\n"
	golden := "testdata/broken.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if strings.Contains(got, "hunter2") {
		t.Error("a secret is shown")
	}
}

func TestProblemsOfReading(t *testing.T) {
	for name, test := range map[string]struct{ yaml, want string }{
		"unknown section":     {least + "nat: {}\n", "2: nat: is not a known key; known are allow_insecure, approvals, archive, console, environment, ingress, log, nats, order_prefixes, providers, redis, reload_every, worker"},
		"strange key":         {least + "\"a b\\n\": 1\n", `2: "a b\n": is not a known key`},
		"doubled key":         {least + "log:\n  level: info\n  level: warn\n", "4: log.level: occurs twice, first in line 3"},
		"doubled section":     {least + "log: {}\nlog: {}\n", "3: log: occurs twice, first in line 2"},
		"doubled provider":    {least + "log: {}\n" + least, "3: providers: occurs twice"},
		"key that is a list":  {least + "[a]: 1\n", "2: a key must be a name"},
		"list for section":    {least + "log: []\n", "2: log: must be a mapping of keys to values"},
		"list for providers":  {"providers: [a]\n", "1: providers: must be a mapping of names to values"},
		"text for list":       {least + "nats: {urls: nats://a}\n", "2: nats.urls: must be a list"},
		"list for text":       {least + "log: {level: [a]}\n", "2: log.level: must be a single value"},
		"no value":            {least + "worker:\n  lease:\n", "3: worker.lease: has no value"},
		"quoted number":       {least + "worker: {slots: \"3\"}\n", "2: worker.slots: must be a whole number"},
		"hexadecimal":         {least + "worker: {slots: 0x10}\n", "2: worker.slots: must be a whole number"},
		"secret for number":   {least + "worker: {slots: " + password + "}\n", "2: worker.slots: must be a whole number"},
		"after a bad item":    {least + "ingress: {trusted_proxies: [x, 0.0.0.0/0]}\n", "2: ingress.trusted_proxies[1]: would trust every client"},
		"text for number":     {least + "worker: {slots: many}\n", "2: worker.slots: must be a whole number"},
		"fraction":            {least + "worker: {slots: 1.5}\n", "2: worker.slots: must be a whole number"},
		"yes for true":        {least + "redis: {required: yes}\n", "2: redis.required: must be true or false"},
		"number for duration": {least + "worker: {lease: 40}\n", "2: worker.lease: must be a duration"},
		"odd days":            {least + "worker: {lease: 1d-2h}\n", "2: worker.lease: must be a duration"},
		"days after hours":    {least + "worker: {lease: 2h1d}\n", "2: worker.lease: must be a duration"},
		"many days":           {least + "worker: {lease: 70000d}\n", "2: worker.lease: must be a duration"},
		"no network":          {least + "ingress:\n  trusted_proxies:\n  - 10.0.0.1\n", "4: ingress.trusted_proxies[0]: must be a network"},
		"literal secret":      {least + "redis:\n  password: " + password + "\n", "3: redis.password: is a secret: set it by password_file or ${ENV}"},
		"empty secret":        {least + "redis: {password: \"${EMPTY}\"}\n", "2: redis.password: is an empty secret"},
		"empty secret file":   {least + "redis: {password_file: empty}\n", "2: redis.password_file: is an empty secret"},
		"short secret":        {least + "redis: {password_file: short}\n", "2: redis.password: must have at least 16 bytes"},
		"missing variable":    {least + "log:\n  level: a${NOPE}b\n", "3: log.level: the environment variable NOPE is not set"},
		"lone dollar":         {least + "log: {level: $INFO}\n", "2: log.level: a dollar sign must be written $$"},
		"open brace":          {least + "log: {level: \"${INFO\"}\n", "2: log.level: a dollar sign must be written $$"},
		"strange variable":    {least + "log: {level: \"${A B}\"}\n", "2: log.level: a dollar sign must be written $$"},
		"missing file":        {least + "redis: {password_file: nope}\n", "2: redis.password_file: cannot be read: file does not exist"},
		"no path":             {least + "redis: {password_file: }\n", "2: redis.password_file: must be the path of a file"},
		"path without value":  {least + "redis: {password_file: \"${NOPE}\"}\n", "2: redis.password_file: the environment variable NOPE is not set"},
		"big file":            {least + "redis: {password_file: big}\n", "2: redis.password_file: the file has more than 1048576 bytes"},
		"both ways":           {least + "redis:\n  password_file: good\n  password: ${GOOD}\n", "3: redis.password_file: excludes password"},
		"file for a number":   {least + "worker: {slots_file: a}\n", "2: worker.slots_file: is not a known key"},
		"alias":               {least + "nats: {user: &a x}\nredis: {username: *a}\n", "2: nats.user: anchors and aliases are not supported"},
		"alias of mapping":    {least + "nats: &a {}\nredis: *a\n", "3: redis: anchors and aliases are not supported"},
		"tag":                 {least + "log: {level: !!str info}\n", "2: log.level: tags are not supported"},
		"not a mapping":       {"just text\n", "must be a mapping of keys to values"},
		"two documents":       {least + "---\n" + least, "there is a second document"},
		"bad second document": {least + "---\n{", "not YAML"},
		"not YAML":            {least + "\tlog: {\n", "not YAML"},
		"binary":              {"\xff\xfe\x00", "not YAML"},
		"empty":               {"", "providers: requires at least one provider"},
		"too big":             {strings.Repeat("#", 1<<20+1), "has more than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{"EMPTY": "", "GOOD": password}
			files := map[string]string{"conf/empty": "\n", "conf/short": "hunter2\n", "conf/good": password, "conf/big": strings.Repeat("x", 1<<20+1)}
			_, err := config.Load(testFile, fake(test.yaml, env, files))
			got := problemsOf(t, err)
			if !hasProblem(got, test.want) {
				t.Errorf("want %q in\n%s", test.want, strings.Join(got, "\n"))
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is shown: %v", err)
			}
		})
	}
}

// hasProblem looks for a problem that begins with want after the file's name; want may leave out the
// line where YAML itself decides it.
func hasProblem(lines []string, want string) bool {
	for _, line := range lines {
		rest, ours := strings.CutPrefix(line, testFile+":")
		if !ours {
			continue
		}
		if strings.HasPrefix(rest, want) || want[0] > '9' && strings.Contains(rest, " "+want) {
			return true
		}
	}
	return false
}

func TestUnreadableFile(t *testing.T) {
	_, err := config.Load("conf/nope.yaml", fake("", nil, nil))
	if got := problemsOf(t, err); len(got) != 1 || got[0] != "conf/nope.yaml: cannot be read: file does not exist" {
		t.Errorf("got %q", got)
	}
	failing := fake("", nil, nil)
	failing.ReadFile = func(string) ([]byte, error) { return nil, errors.New("broken disk") }
	if _, err = config.Load(testFile, failing); err.Error() != testFile+": cannot be read: broken disk" {
		t.Errorf("got %q", err)
	}
}

func TestWarnsOfSecretsThatOthersCanRead(t *testing.T) {
	files := map[string]string{"conf/open": password, "conf/closed": password}
	c := load(t, least+"redis:\n  password_file: open\nnats: {user: a, password_file: closed}\n", nil, files)
	want := testFile + ":3: redis.password_file: other users can read the file of this secret: chmod 600"
	if got := c.Warnings(); len(got) != 1 || got[0] != want {
		t.Errorf("got %q", got)
	}
	source := fake(least+"redis: {password_file: open}\n", nil, files)
	source.Mode = nil
	if c, err := config.Load(testFile, source); err != nil || len(c.Warnings()) != 0 {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestOSReadsRealFiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PAYONCE_TEST_LEVEL", "warn")
	path := filepath.Join(dir, "payonce.yaml")
	yaml := least + "redis: {password_file: key}\nlog: {level: \"${PAYONCE_TEST_LEVEL}\"}\n"
	for file, content := range map[string]string{path: yaml, filepath.Join(dir, "key"): password + "\n"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "key"), 0o640); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, config.OS())
	if err != nil {
		t.Fatal(err)
	}
	if c.Redis.Password.Reveal() != password || c.Log.Level != "warn" || len(c.Warnings()) != 1 {
		t.Errorf("got %+v, warnings %q", c, c.Warnings())
	}
	if _, err := config.OS().Mode(filepath.Join(dir, "nope")); err == nil {
		t.Error("a missing file has a mode")
	}
}

func FuzzLoad(f *testing.F) {
	for _, name := range []string{"testdata/broken.yaml", "../../payonce.example.yaml"} {
		yaml, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(yaml))
	}
	f.Add(least + "redis: {password: \"${GOOD}\"}\nnats: {password_file: key, user: x}\n")
	f.Add("? [a]\n: &b *b\n")
	f.Fuzz(func(t *testing.T, yaml string) {
		if strings.Contains(yaml, "hunter2") {
			return // it is no secret then
		}
		source := fake(yaml, map[string]string{"GOOD": password}, map[string]string{"conf/key": password})
		c, err := config.Load(testFile, source)
		if err != nil {
			for _, line := range problemsOf(t, err) {
				if !strings.HasPrefix(line, testFile+":") {
					t.Errorf("a problem without its file: %q", line)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is shown: %v", err)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("loaded and not valid: %v", err)
		}
		_ = c.Summary()
	})
}
