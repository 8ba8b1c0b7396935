package deploytest

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	shipped "payonce/deploy/nats"
)

// TestWhatMayBePublishedIsImported: outside the account of the streams a permission is worth nothing without an import. What a
// program may publish leads somewhere, and what its account imports is what it may publish: the server could send an answer there
// for it, past its permissions.
func TestWhatMayBePublishedIsImported(t *testing.T) {
	text, err := shipped.Files.ReadFile("accounts.conf")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile(`"([^"]+)"`)
	imported := regexp.MustCompile(`\{ service: \{ account: \w+, subject: "([^"]+)" \}(?:, to: "([^"]+)")? \}`)
	// The server answers it in every account.
	everywhere := []string{"$SYS.REQ.USER.INFO"}
	// Wider than the permissions, because of the deny list of ledgers, and of forms of one request; workerkey_test.go tries them.
	wider := map[string][]string{"worker": {"$JS.API.CONSUMER.CREATE.>", "$JS.API.CONSUMER.DELETE.*.*", "$JS.API.CONSUMER.LIST.*"}}
	for _, account := range []string{"worker", "ingress", "archive", "console", "administrator"} {
		_, block, found := strings.Cut(string(text), "\n  "+account+": {\n")
		block, _, ended := strings.Cut(block, "\n  }\n")
		_, publish, publishes := strings.Cut(block, "publish: ")
		publish, _, subscribes := strings.Cut(publish, "subscribe: ")
		if !found || !ended || !publishes || !subscribes {
			t.Fatalf("account %s is not found", account)
		}
		publish, _, _ = strings.Cut(publish, "deny:")
		publish = regexp.MustCompile(`#.*`).ReplaceAllString(publish, "")
		var may, imports []string
		for _, m := range quoted.FindAllStringSubmatch(publish, -1) {
			may = append(may, m[1])
		}
		for _, m := range imported.FindAllStringSubmatch(block, -1) {
			local := m[2]
			if local == "" {
				local = m[1]
			}
			imports = append(imports, local)
			covered := slices.ContainsFunc(may, func(subject string) bool { return covers(subject, local) })
			if !covered && !slices.Contains(wider[account], local) {
				t.Errorf("%s imports %s and may not publish there", account, local)
			}
		}
		for _, subject := range may {
			if !slices.ContainsFunc(append(imports, everywhere...), func(i string) bool { return covers(i, subject) || covers(subject, i) }) {
				t.Errorf("%s may publish %s, which leads nowhere: export it from PAYONCE and import it", account, subject)
			}
		}
	}
}

// covers reports whether every subject of the second pattern is one of the first.
func covers(wide, narrow string) bool {
	w, n := strings.Split(wide, "."), strings.Split(narrow, ".")
	for i, token := range w {
		if token == ">" {
			return len(n) > i
		}
		if i >= len(n) || token != "*" && token != n[i] || n[i] == ">" {
			return false
		}
	}
	return len(w) == len(n)
}
