package deploytest

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"payonce/internal/app"
	"payonce/internal/payctl"
)

const dockerPage = "docs/deploy-docker.md"

var (
	shellBlock  = regexp.MustCompile("(?s)```sh\n(.*?)```")
	inBackticks = regexp.MustCompile("`([^`\n]+)`")
	aURL        = regexp.MustCompile(`^https?://127\.0\.0\.1:(\d+)$`)
	aVariable   = regexp.MustCompile(`^[A-Z]+_[A-Z]+$`)
)

// TestDockerPageNamesWhatExists looks at paths, addresses, variables and images.
func TestDockerPageNamesWhatExists(t *testing.T) {
	files := read(t, composeFile) + read(t, overrideFile)
	paths, addresses, variables := 0, 0, 0
	for _, found := range inBackticks.FindAllStringSubmatch(shellBlock.ReplaceAllString(read(t, dockerPage), ""), -1) {
		name := found[1]
		switch {
		case strings.HasPrefix(name, "deploy/") || strings.HasPrefix(name, "docker-compose.") && !strings.Contains(name, "pinned"):
			paths++
			if _, err := os.Stat(filepath.Join("../..", name)); err != nil {
				t.Error(err)
			}
		case aURL.MatchString(name):
			addresses++
			if !strings.Contains(files, fmt.Sprintf(":-%s}:", aURL.FindStringSubmatch(name)[1])) {
				t.Errorf("nothing is published as %s", name)
			}
		case aVariable.MatchString(name):
			variables++
			if !strings.Contains(files, "${"+name+":-") {
				t.Errorf("nobody reads %s", name)
			}
		}
	}
	if paths < 5 || addresses < 5 || variables < 6 {
		t.Errorf("only %d paths, %d addresses and %d variables are found", paths, addresses, variables)
	}
}

// TestDockerPageListsEveryImage compares the page's table with the services and the Dockerfile.
func TestDockerPageListsEveryImage(t *testing.T) {
	want := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)^ARG [A-Z_]+=(\S+:\S+)$`).FindAllStringSubmatch(strings.ReplaceAll(read(t, "Dockerfile"), "https://", ""), -1) {
		if !strings.Contains(found[1], ",direct") {
			want[found[1]] = true
		}
	}
	for _, service := range allServices(t) {
		if image, _ := at(service, "image").(string); !strings.HasSuffix(image, ":local") {
			want[image] = true
		}
	}
	listed := map[string]bool{}
	for _, found := range regexp.MustCompile("(?m)^\\| `([a-z./0-9-]+:[^`]+)` \\|").FindAllStringSubmatch(read(t, dockerPage), -1) {
		listed[found[1]] = true
	}
	if !maps.Equal(listed, want) {
		t.Errorf("listed are %v, used are %v", listed, want)
	}
	if shell := regexp.MustCompile(`imageWithShell = "([^"]+)"`).FindStringSubmatch(read(t, "internal/composetest/compose.go")); shell == nil || !want[shell[1]] {
		t.Errorf("make compose-test uses %v", shell)
	}
}

// TestProductionsSecretsAreMade runs the page's commands that make the secrets, and sees that docker-compose.yml
// finds all of them.
func TestProductionsSecretsAreMade(t *testing.T) {
	_, script, found := strings.Cut(read(t, dockerPage), "```sh\npayctl credentials make secrets/nats ")
	script, _, ends := strings.Cut(script, "\nsh deploy/docker/secrets.sh secrets\nsudo chown -R 65532:65532 ")
	if !found || !ends {
		t.Fatal("the page does not make the secrets")
	}
	dir, out := t.TempDir(), bytes.Buffer{}
	folder := filepath.Join(dir, "secrets")
	args := append([]string{"credentials", "make", filepath.Join(folder, "nats")}, strings.Fields(script)...)
	if code := payctl.Run(t.Context(), args, payctl.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, LookupEnv: os.LookupEnv, Now: time.Now, Kinds: app.Kinds()}); code != payctl.ExitOK {
		t.Fatalf("payctl %v: exit %d\n%s", args, code, out.String())
	}
	for want := range 2 { // the second time nothing may be overwritten
		output, err := exec.CommandContext(t.Context(), "/bin/sh", "../../deploy/docker/secrets.sh", folder).CombinedOutput()
		if (err == nil) != (want == 0) {
			t.Fatalf("run %d: %v\n%s", want+1, err, output)
		}
	}
	secrets, _ := at(documents(t, composeFile)[0], "secrets").(node)
	if len(secrets) < 14 {
		t.Errorf("only %d secrets are named", len(secrets))
	}
	texts := map[string]string{}
	for name, secret := range secrets {
		path, _ := at(secret, "file").(string)
		path = filepath.Join(dir, strings.Replace(path, "${PAYONCE_SECRETS:-./secrets}", "secrets", 1))
		info, err := os.Stat(path)
		if err != nil || info.Size() < 32 || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %s is %v: %v", name, path, info, err)
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil || texts[string(text)] != "" {
			t.Errorf("%s is the same as %s: %v", name, texts[string(text)], err)
		}
		texts[string(text)] = name
	}
}
