package docstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"payonce/internal/app"
	"payonce/internal/payctl"
	"payonce/pkg/events"
)

// languages of fenced blocks. What is typed into a shell is under sh, where every line is checked.
var languages = []string{"sh", "text", "yaml", "json", "go", "js", "csv", "promql", "mermaid"}

// unchecked are the commands that no checker here knows, with the reason why that is so.
var unchecked = map[string]string{
	"kind load docker-image payonce-test:local": "a local cluster's own tool",
	"set -a":                "of the shell",
	"date -d yesterday +%F": "of the shell",
	"set +a":                "of the shell",
	"export PAYONCE_CONFIG=/etc/payonce/payonce.yaml": "of the shell",
	"sha256sum --check --ignore-missing SHA256SUMS":   "the last step of make release",
	"tar -xzf payonce-*-linux-amd64.tar.gz":           "what make release makes",
	"sudo install payonce-*-linux-amd64/worker payonce-*-linux-amd64/ingress payonce-*-linux-amd64/archive payonce-*-linux-amd64/notifier payonce-*-linux-amd64/console payonce-*-linux-amd64/payctl /usr/local/bin/": "what make release makes",
	". nats/server/nats.env":                        "typed by TestNATSPageIsTyped",
	"nats-server --config nats/server/node.conf -t": "typed by TestNATSPageIsTyped",
	"sh deploy/docker/secrets.sh secrets":           "run by test/deploytest",
	"sudo chown -R 65532:65532 secrets/nats secrets/redis secrets/ingress secrets/grafana secrets/providers secrets/endpoints": "of the shell",
	"curl --cacert secrets/nats/clients/ca.pem https://127.0.0.1:8092/received":                                                "what the receiver of test/testmerchant answers",
}

// checkers know whether a command can be typed as it is, by the program.
var checkers = map[string]func(args []string) error{
	"make": checkMake, "go": checkGo, "payctl": checkPayctl, "worker": checkService(app.Worker()), "ingress": checkService(app.Ingress()), "archive": checkService(app.Archive()), "console": checkService(app.Console()), "notifier": checkService(app.Notifier()),
	"docker-compose": checkCompose, "kubectl": checkKubectl, "docker": checkDocker, "curl": checkCurl, "nats": checkNATS,
	"node": checkNode, "npm": checkNPM, "cd": checkFolder,
}

// checkCommand says what is wrong with a command of a page.
func checkCommand(words []string) error {
	line := strings.Join(words, " ")
	check, known := checkers[words[0]]
	if _, listed := unchecked[line]; listed {
		return nil
	}
	if words[0] == "xargs" && len(words) > 5 && words[1] == "-a" && words[3] == "-I" { // xargs -a FILE -I WORD, then a command
		return checkCommand(words[5:])
	}
	if !known {
		return errors.New("no checker knows it")
	}
	return check(words[1:])
}

// Every line that a page tells its reader to type can be typed.
func TestCommandsOfAllPages(t *testing.T) {
	listed := map[string]bool{}
	for _, page := range allPages(t) {
		fenced, _ := blocks(page.text)
		for _, b := range fenced {
			if !slices.Contains(languages, b.language) {
				t.Errorf("%s:%d: a block of %q: what is its language?", page.path, b.line, b.language)
			}
			if b.language != "sh" {
				continue
			}
			for _, words := range script(b.text) {
				listed[strings.Join(words, " ")] = true
				if err := checkCommand(words); err != nil {
					t.Errorf("%s:%d: %s: %v", page.path, b.line, strings.Join(words, " "), err)
				}
			}
		}
	}
	for line := range unchecked {
		if !listed[line] {
			t.Errorf("%q is on no page any more", line)
		}
	}
}

var inline = regexp.MustCompile("`((?:make|payctl|go run|go test|docker-compose|kubectl) [^`]+)`")

// So are commands within sentences.
func TestCommandsWithinSentences(t *testing.T) {
	for _, page := range allPages(t) {
		if strings.HasSuffix(page.path, "UPGRADING.md") { // it names what is gone
			continue
		}
		_, rest := blocks(page.text)
		for _, found := range inline.FindAllStringSubmatch(rest, -1) {
			for _, words := range script(found[1]) {
				if err := checkCommand(words); err != nil {
					t.Errorf("%s: %s: %v", page.path, found[1], err)
				}
			}
		}
	}
}

// Each kind of mistake is seen.
func TestWrongCommandsAreSeen(t *testing.T) {
	for _, wrong := range []string{
		"make demmo", "make simulate RUN=1", "make compose-test COMPOSEFLAGS=-hah", "go run ./cmd/dema", "go run ./cmd/demo --kep", "go test ./internal/simulaton", "go test ./test/simulation -run 'Simulatoin$'",
		"payctl parked relaese x", "payctl parked release --bye kim", "payctl nonsense", "worker --chek", "worker check", "ingress --cheque",
		"docker-compose run --rm sekrets", "docker-compose --env-file deploy/none.env up", "docker-compose explode", "kubectl apply -k deploy/kubernetes/none", "kubectl scale --replicas 3", "kubectl apply -f deploy/none.yaml", "kubectl -n payonce rollout status deployment/none", "kubectl -n payonce exec deploy/none -- payctl status",
		"kubectl -n payonce port-forward service/none 1:1", "kubectl create secret generic payonce-none --from-file=a", "kubectl label namespace nats payonce/none=allowed", "docker build --target none .",
		"curl -s http://127.0.0.1:8080/v1/deposit -d '{}'", "curl -s http://127.0.0.1:8080/v1/deposits", "curl -s -X DELETE http://127.0.0.1:8080/v1/payments/a/b",
		`nats req deposits.requested.a.b '{}'`, `nats req deposit.requested.a.b '{"provider": "x", "order": "b", "amount": {"value": "1", "currency": "KRW"}}'`, "nats stream rm PAYMENTS",
		"rm -rf /", "cd examples/none", "npm install", "node none.js", "node ledger.js --natz x", "payctl streams diff && make demmo", "xargs -a x.txt -I X payctl payment rettry a X", "x=$(payctl nonsense)",
	} {
		seen := false
		for _, words := range script(wrong) {
			seen = seen || checkCommand(words) != nil
		}
		if !seen {
			t.Errorf("%q is not seen", wrong)
		}
	}
}

func file(path string) string {
	data, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return ""
	}
	return string(data)
}

func exists(path string) error {
	_, err := os.Stat(filepath.Join(root, path))
	return err
}

// checkMake wants a target with its help, and variables that the Makefile names.
func checkMake(args []string) error {
	makefile := file("Makefile")
	for i, arg := range args {
		name, _, variable := strings.Cut(arg, "=")
		if variable && i > 0 && !strings.Contains(makefile, "$("+name+")") {
			return fmt.Errorf("the Makefile does not know %s", name)
		}
		if name == "COMPOSEFLAGS" {
			if err := checkGoFlags("test/composetest", "run", strings.Fields(strings.TrimPrefix(arg, name+"="))); err != nil {
				return err
			}
		}
		if !variable && !regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(arg)+`:.*## `).MatchString(makefile) {
			return fmt.Errorf("there is no target %s", arg)
		}
	}
	return nil
}

// made are packages that are not here: a reader makes them.
var made = []string{"./pkg/connectors/acme"} // by make connector NAME=acme, as the test of internal/newconnector does

// checkGo wants a package that is there, flags that its code names, and tests that it has.
func checkGo(args []string) error {
	folder := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "./") || strings.HasPrefix(arg, "payonce/") })
	if folder < 1 || !slices.Contains([]string{"run", "test", "doc", "build"}, args[0]) {
		return errors.New("go run, test, build or doc of a package is expected")
	}
	if slices.Contains(made, args[folder]) {
		return nil
	}
	path := strings.TrimPrefix(args[folder], "payonce/")
	if err := exists(path); err != nil {
		return err
	}
	return checkGoFlags(path, args[0], args[folder+1:])
}

func checkGoFlags(folder, verb string, args []string) error {
	var code strings.Builder
	files, _ := filepath.Glob(filepath.Join(root, folder, "*.go"))
	for _, path := range files {
		data, _ := os.ReadFile(path)
		code.Write(data)
	}
	ofGo := []string{"v", "run", "race", "count", "help", "fuzz", "bench"}
	for i, arg := range args {
		name := strings.TrimLeft(arg, "-")
		switch {
		case name == arg:
		case name == "run" && verb == "test":
			if tests := strings.Trim(args[i+1], "^$"); !regexp.MustCompile(`func \w*` + tests + `\w*\(`).MatchString(code.String()) {
				return fmt.Errorf("there is no test %s", tests)
			}
		case !slices.Contains(ofGo, name) && !strings.Contains(code.String(), `"`+name+`",`):
			return fmt.Errorf("there is no flag %s", arg)
		}
	}
	return nil
}

// checkPayctl lets payctl itself read the command, flags and all, up to its help.
func checkPayctl(args []string) error {
	var out, problems bytes.Buffer
	code := payctl.Run(context.Background(), append(slices.Clone(args), "--help"), payctl.Env{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &problems, Now: time.Now, Kinds: app.Kinds(),
		LookupEnv: func(string) (string, bool) { return "", false },
	})
	if code != payctl.ExitOK {
		return errors.New(problems.String())
	}
	said := out.String() + problems.String()
	_, usage, _ := strings.Cut(said, "Usage:\n")
	usage, _, _ = strings.Cut(strings.TrimSpace(usage), "\n")
	words := append([]string{"payctl"}, args...)
	path := 0 // how many words name the command
	for _, word := range strings.Fields(usage) {
		if strings.ToLower(word) != word || strings.ContainsAny(word, "[<") {
			break
		}
		if path >= len(words) || words[path] != word {
			return fmt.Errorf("it is read as %s", usage)
		}
		path++
	}
	if strings.Contains(said, "Available Commands:") && path < len(words) && !strings.HasPrefix(words[path], "-") {
		return fmt.Errorf("there is no command %q", words[path])
	}
	return nil
}

// checkService lets a service read its flags.
func checkService(service app.Service) func(args []string) error {
	return func(args []string) error {
		var problems bytes.Buffer
		if code := app.Main(service, append(slices.Clone(args), "--help"), &problems, &problems); code != app.ExitOK {
			return errors.New(problems.String())
		}
		if strings.Contains(strings.Join(args, "\n"), "\n") && !strings.HasPrefix(args[0], "-") || len(args) == 1 && !strings.HasPrefix(args[0], "-") {
			return errors.New("it takes only flags")
		}
		return nil
	}
}

// nodeExample is where the programs for Node are.
const nodeExample = "examples/ledger-node"

// checkNode wants a program, with flags that it or what it shares with the others names.
func checkNode(args []string) error {
	if len(args) == 0 || exists(filepath.Join(nodeExample, args[0])) != nil {
		return errors.New("there is no such program")
	}
	code := file(filepath.Join(nodeExample, args[0])) + file(filepath.Join(nodeExample, "connect.js"))
	for _, arg := range args[1:] {
		flag, found := strings.CutPrefix(arg, "--")
		if found && !regexp.MustCompile(`(?m)^ *'?`+regexp.QuoteMeta(flag)+`'?: \{ ?type`).MatchString(code) {
			return fmt.Errorf("there is no flag %s", arg)
		}
	}
	return nil
}

func checkNPM(args []string) error {
	if slices.Equal(args, []string{"run", "build"}) {
		return exists("clients/typescript/package.json")
	}
	if !slices.Equal(args, []string{"ci"}) {
		return errors.New("npm ci is expected")
	}
	return exists(filepath.Join(nodeExample, "package-lock.json"))
}

func checkFolder(args []string) error { return exists(args[0]) }

// checkCurl wants a path and a method of the API.
func checkCurl(args []string) error {
	method, path := "get", ""
	for i, arg := range args {
		switch {
		case arg == "-d" || arg == "--data":
			method = "post"
		case arg == "-X":
			method = strings.ToLower(args[i+1])
		case strings.Contains(arg, "://"):
			_, rest, _ := strings.Cut(arg, "://")
			_, path, _ = strings.Cut(rest, "/")
			path, _, _ = strings.Cut(path, "?")
		}
	}
	var api struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal([]byte(file("docs/contracts/openapi.yaml")), &api); err != nil {
		return err
	}
	for template, methods := range api.Paths {
		pattern := "^" + regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(regexp.QuoteMeta(template), "[^/]+") + "$"
		if regexp.MustCompile(pattern).MatchString("/" + path) {
			if _, found := methods[method]; found {
				return nil
			}
		}
	}
	return fmt.Errorf("openapi.yaml has no %s of /%s", method, path)
}

// checkNATS wants a command that a worker would read, under its own subject.
func checkNATS(args []string) error {
	for len(args) > 2 && slices.Contains([]string{"--server", "--nkey", "--tlsca", "-H"}, args[1]) {
		args = append(args[:1:1], args[3:]...)
	}
	if len(args) != 3 || args[0] != "req" && args[0] != "pub" {
		return errors.New("nats req SUBJECT BODY is expected")
	}
	_, err := events.DecodeCommand(events.Message{Subject: args[1], Data: []byte(args[2])})
	return err
}
