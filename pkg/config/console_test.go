package config_test

import (
	"strings"
	"testing"

	"payonce/pkg/config"
)

func TestConsole(t *testing.T) {
	env := map[string]string{"HASH": "$2b$10$hunter2hunter2hunter2"}
	user := `users: [{name: kim, password_hash: "${HASH}", roles: [viewer]}]`
	for _, test := range []struct {
		environment, console string
		problem              string // empty if it is taken
	}{
		{"test", "{}", "no one could sign in"},
		{"test", "{links: true}", ""},
		{"production", "{links: true}", "console.links: is for environment test only"},
		{"production", "{" + user + "}", ""},
		{"production", "{" + user + ", base_url: http://console.example}", "console.base_url"},
		{"test", "{" + user + ", base_url: http://console.example}", ""},
		{"production", "{" + user + ", base_url: https://console.example/x}", "console.base_url"},
		{"production", "{" + user + ", zone: Mars}", "console.zone"},
		{"production", "{" + user + ", session_idle: 2h, session_lifetime: 1h}", "console.session_lifetime"},
		{"production", "{" + user + ", listen: nowhere}", "console.listen"},
		{"production", strings.ReplaceAll("{"+user+"}", "viewer", "king"), "console.users[0].roles[0]: must be one of"},
		{"production", strings.ReplaceAll("{"+user+"}", "${HASH}", "hunter2"), "is a secret"},
		{"production", "{oidc: {issuer: \"https://sso.example\", group_roles: {staff: king}}}", "console.oidc.group_roles"},
		{"production", "{proxy: {name_header: X-User, trusted: [0.0.0.0/0]}}", "would trust everybody"},
	} {
		text := "environment: " + test.environment + "\nallow_insecure: [plain_nats, plain_redis, redis_without_password]\nconsole: " + test.console + "\nproviders:\n  acme: {kind: acme, settings: {}}\n"
		_, err := config.Load(testFile, fake(text, env, nil), config.RoleConsole)
		switch {
		case test.problem == "" && err != nil:
			t.Errorf("%s: %v", test.console, err)
		case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
			t.Errorf("%s: %v, want %s", test.console, err, test.problem)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a password shows: %v", err)
		}
	}
}
