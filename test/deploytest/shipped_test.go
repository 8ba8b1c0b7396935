package deploytest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"payonce/test/testenv"
)

// rule is something that a shipped file must or must not say.
type rule struct {
	files   string // matches the path under the module
	pattern string
	want    bool // whether the pattern must be found
	reason  string
}

// shippedRules hold for everything under deploy, for compose files and for the example configuration. A new
// kind of file gets its own lines.
var shippedRules = []rule{
	{`.`, `image: *["']?[^\s"']+:latest|FROM +\S+:latest`, false, "an image that changes by itself"},
	{`.`, `(?im)(password|secret|seed|api_?key|token): *["']?(changeme|secret|password|admin|test|default|payonce)["']?\s*$`, false, "a default secret"},
	{`.`, `(?i)(password|secret|seed|api_?key|token): *["']{2}`, false, "an empty secret"},
	{`.`, `SU[A-Z2-7]{56}|-----BEGIN [A-Z ]*PRIVATE KEY-----`, false, "a private key"},
	{`^deploy/nats/server\.conf$`, `(?m)^  sync_interval: always$`, true, "acknowledged messages survive a loss of power"},
	{`^deploy/nats/server\.conf$`, `(?m)^  key: \$NATS_STORE_KEY$`, true, "what is stored is encrypted with a key from the environment"},
	{`^deploy/nats/server\.conf$`, `(?m)^http: "127\.0\.0\.1:`, true, "the monitoring port does not leave the machine"},
	{`^deploy/nats/.*\.conf$`, `(?m)^\s*(no_auth_user|password|token):`, false, "a login that is no key"},
	{`^deploy/nats/cluster\.conf$`, `verify: true`, true, "routes show certificates"},
	{`redis\.conf$`, `(?m)^appendonly yes$`, true, "claims survive a restart"},
	{`redis\.conf$`, `(?m)^appendfsync always$`, true, "claims survive a loss of power"},
	{`redis\.conf$`, `(?m)^maxmemory-policy noeviction$`, true, "no claim is thrown away"},
	{`^deploy/docker/ha\.env$`, `(?m)^NATS_REPLICAS=3$`, true, "a cluster keeps every message three times"},
	{`^deploy/docker/test\.yaml$`, `(?m)^environment: test$`, true, "the sandbox is for tests"},
	{`^docker-compose\.yml$`, `(?m)^ +GF_SECURITY_ADMIN_PASSWORD__FILE: /run/secrets/`, true, "Grafana has the password that everybody knows"},
	{`^docker-compose\.yml$`, `(?i)sandbox:`, false, "the sandbox is in production's file"},
	{`^payonce\.example\.yaml$`, `replicas: 1 .*use 3 in production`, true, "the example says what production needs"},
}

// violations returns what is wrong with a file.
func violations(path, text string) (found []string) {
	for _, r := range shippedRules {
		if regexp.MustCompile(r.files).MatchString(path) && regexp.MustCompile(r.pattern).MatchString(text) != r.want {
			found = append(found, path+": "+r.reason)
		}
	}
	return found
}

func TestShippedFiles(t *testing.T) {
	const root = "../.."
	seen := map[string]bool{}
	check := func(path string) {
		text, err := os.ReadFile(filepath.Join(root, path))
		testenv.Must(t, err)
		seen[path] = true
		for _, v := range violations(path, string(text)) {
			t.Error(v)
		}
	}
	err := filepath.WalkDir(filepath.Join(root, "deploy"), func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == "secrets" {
			return fs.SkipDir // made for a test environment on this machine, and in .gitignore
		}
		if err != nil || entry.IsDir() {
			return err
		}
		path, err := filepath.Rel(root, name)
		if err == nil {
			check(filepath.ToSlash(path))
		}
		return err
	})
	testenv.Must(t, err)
	for _, path := range []string{"payonce.example.yaml", "docker-compose.yml", "docker-compose.override.yml", "Dockerfile"} {
		check(path)
	}
	for _, r := range shippedRules {
		used := false
		for path := range seen {
			used = used || regexp.MustCompile(r.files).MatchString(path)
		}
		if !used {
			t.Errorf("no file matches %s: nothing is checked", r.files)
		}
	}
}

// TestShippedRulesBite plays the rules against what they must refuse.
func TestShippedRulesBite(t *testing.T) {
	for _, test := range []struct{ path, text string }{
		{"docker-compose.yml", "    image: nats:latest\n      GF_SECURITY_ADMIN_PASSWORD__FILE: /run/secrets/x\n"},
		{"docker-compose.yml", "      GF_SECURITY_ADMIN_PASSWORD__FILE: ./x\n"}, {"deploy/x.yaml", "password: admin\nuser: kim\n"}, {"Dockerfile", "FROM golang:latest\n"},
		{"deploy/x.yaml", "password: changeme\n"}, {"deploy/x.yaml", "  secret: \"\"\n"},
		{"deploy/x.yaml", "key: SU" + strings.Repeat("A", 56)}, {"deploy/x.pem", "-----BEGIN PRIVATE KEY-----"},
		{"deploy/nats/server.conf", "  sync_interval: \"2m\"\n  key: $NATS_STORE_KEY\nhttp: \"127.0.0.1:8222\"\n"},
		{"deploy/nats/other.conf", "no_auth_user: worker\n"}, {"deploy/nats/cluster.conf", "tls {}\n"},
	} {
		if len(violations(test.path, test.text)) != 1 {
			t.Errorf("%s %q: %v", test.path, test.text, violations(test.path, test.text))
		}
	}
}
