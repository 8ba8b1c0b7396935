package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// makeSecrets runs "testenv secrets" as the service "secrets" of docker-compose.yml does.
func makeSecrets(t *testing.T, dir string) string {
	t.Helper()
	c, out := secretsCommand(), bytes.Buffer{}
	c.SetArgs([]string{dir})
	c.SetOut(&out)
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// contents returns the text and the rights of every file.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if name := entry.Name(); info.Mode().Perm()&0o077 != 0 && name != "ca.pem" {
			t.Errorf("%s has the rights %s", path, info.Mode())
		}
		path, _ = filepath.Rel(dir, path)
		all[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var secretFile = regexp.MustCompile(`\{file: "\$\{PAYONCE_SECRETS:-\./secrets\}/([^"]+)"\}`)

// settings are copies of files under deploy/nats, which hold no secret.
var settings = map[string]bool{
	"nats/server/node.conf": true, "nats/server/cluster.conf": true, "nats/server/server.conf": true, "nats/server/accounts.conf": true,
	"nats/redis/tls.conf": true, "nats/redis/sentinel-tls.conf": true,
}

// TestSecretsAreThoseOfCompose: every file that docker-compose.yml gives to a service is made, is not empty, is
// made once only, and is another one in every testenv.
func TestSecretsAreThoseOfCompose(t *testing.T) {
	dir := t.TempDir()
	makeSecrets(t, dir)
	made, wanted := contents(t, dir), 0
	for _, compose := range []string{"docker-compose.yml", "docker-compose.override.yml"} {
		text, err := os.ReadFile(filepath.Join("../..", compose))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range secretFile.FindAllStringSubmatch(string(text), -1) {
			wanted++
			if made[found[1]] == "" {
				t.Errorf("%s wants %s, which is not made", compose, found[1])
			}
		}
	}
	if wanted < 15 {
		t.Errorf("only %d secrets are named", wanted)
	}
	if again := makeSecrets(t, dir); again != "The secrets in "+dir+" exist already.\n" {
		t.Errorf("the second time it says %q", again)
	}
	other := t.TempDir()
	makeSecrets(t, other)
	for path, text := range contents(t, dir) {
		if text != made[path] {
			t.Errorf("%s was made again", path)
		}
		if settings[path] {
			continue
		}
		if same, err := os.ReadFile(filepath.Join(other, path)); err != nil || string(same) == text {
			t.Errorf("%s is the same in another testenv: %v", path, err)
		}
	}
}

// TestContainersCanReadTheirSecrets: what a service mounts belongs to the user of the containers, and not to who starts them.
func TestContainersCanReadTheirSecrets(t *testing.T) {
	dir, persons := t.TempDir(), 0
	makeSecrets(t, dir)
	mounted := map[string]bool{}
	for _, compose := range []string{"docker-compose.yml", "docker-compose.override.yml"} {
		text, err := os.ReadFile(filepath.Join("../..", compose))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range secretFile.FindAllStringSubmatch(string(text), -1) {
			mounted[found[1]] = true
		}
	}
	for path := range contents(t, dir) {
		if !forPerson(dir, filepath.Join(dir, path)) {
			continue
		}
		if persons++; mounted[path] {
			t.Errorf("%s is mounted and belongs to another user", path)
		}
	}
	if persons != 2 { // the API key, and Grafana's password
		t.Errorf("%d files are for who starts the testenv", persons)
	}
}
