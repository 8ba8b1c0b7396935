package deploytest

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"payonce/test/testenv"
)

var update = flag.Bool("update", false, "write docs/nats-keys.md")

const keysPage = "../../docs/nats-keys.md"

// TestKeysPageIsWhatWasTried: docs/nats-keys.md holds every attempt of the tests, for each shipped user of NATS.
func TestKeysPageIsWhatWasTried(t *testing.T) {
	want := renderKeys()
	if *update {
		testenv.Must(t, os.WriteFile(keysPage, []byte(want), 0o644))
	}
	if have, err := os.ReadFile(keysPage); err != nil || string(have) != want {
		t.Errorf("%s differs from the tests (%v): go test ./test/deploytest -run KeysPage -update", keysPage, err)
	}
}

func renderKeys() string {
	var b strings.Builder
	b.WriteString(`# What each key of NATS was tried with

Written by a test; do not edit. Each line is tried on servers with the shipped files, one alone and three as a cluster
(` + "`TestPaymentOnOneServer`, `TestPaymentOnACluster`" + `). What the keys are for, and what a stolen one can do, stands in
[SECURITY.md](../SECURITY.md#keys-and-what-a-stolen-one-can-do).
`)
	var users []string
	for _, a := range everyAttempt() {
		if !slices.Contains(users, a.user) {
			users = append(users, a.user)
		}
	}
	for _, user := range users {
		fmt.Fprintf(&b, "\n## `%s`\n\n| result | tried |\n|---|---|\n", user)
		for _, allowed := range []bool{true, false} {
			for _, action := range []string{"publish", "subscribe"} {
				keysRow(&b, map[bool]string{true: "allowed: ", false: "refused: "}[allowed]+action, subjects(user, action, allowed))
			}
		}
		switch user {
		case "ingress", "upstream-shop":
			var headers []string
			for _, h := range orders {
				headers = append(headers, strings.Join(h, " "))
			}
			keysRow(&b, "refused: publish with the header", headers)
			keysRow(&b, "without effect: the answer to a request is to go to", targets)
		case "ledger-" + accounting, "archive", "console", "viewer":
			keysRow(&b, "without effect: the answer to a request is to go to", targets)
		case "operator-kim":
			keysRow(&b, "without effect (tried as operator-lee): the answer to a request is to go to", targets)
		case "worker":
			keysRow(&b, "without effect: the answer to a request, what a consumer delivers, or a schedule is to go to", workerTargets)
		}
		if !slices.Contains([]string{"monitor", "upstream-game", "notifier"}, user) {
			keysRow(&b, "refused: the answer to a request is to acknowledge another's message", []string{"$JS.ACK…"})
		}
	}
	return b.String()
}

func subjects(user, action string, allowed bool) (all []string) {
	for _, a := range everyAttempt() {
		if a.user == user && a.action == action && a.allowed == allowed {
			all = append(all, a.subject)
		}
	}
	return all
}

func keysRow(b *strings.Builder, result string, tried []string) {
	if len(tried) > 0 {
		fmt.Fprintf(b, "| %s | `%s` |\n", result, strings.Join(tried, "`, `"))
	}
}
