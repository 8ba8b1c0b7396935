package credentials_test

import (
	"path/filepath"
	"regexp"
	"testing"
	"time"

	shipped "payonce/deploy/nats"
	"payonce/internal/credentials"
)

// An upstream's account has its bare name, so it cannot be called as any account of the shipped files.
func TestUpstreamIsNoAccountOfOurs(t *testing.T) {
	text, err := shipped.Files.ReadFile("accounts.conf")
	if err != nil {
		t.Fatal(err)
	}
	accounts := regexp.MustCompile(`(?m)^  (\w+): \{$`).FindAllStringSubmatch(string(text), -1)
	if len(accounts) < 6 {
		t.Fatalf("%d accounts are found", len(accounts))
	}
	for _, account := range accounts {
		err := credentials.Make(credentials.Options{
			Dir: filepath.Join(t.TempDir(), "made"), Hosts: []string{"localhost"}, Now: time.Now(),
			Upstreams: []credentials.Upstream{{Name: account[1], Providers: []string{"teemopay-kr"}}},
		})
		if err == nil {
			t.Errorf("an upstream can be called %s", account[1])
		}
	}
}
