package deploytest

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"payonce/internal/app"
	"payonce/internal/payctl"
	"payonce/pkg/archive"
	"payonce/test/testenv"
)

// archived waits until the archive, with a key of its own that can only read, has all events, and compares it with the log. Its check of
// itself finds nothing wrong.
func archived(t *testing.T, s *system) {
	t.Helper()
	var st archive.Status
	said := ""
	eventually(t, "the archive has read the whole log", func() bool {
		_, said = s.payctl(t, "operator-kim", "archive", "status", "--json")
		return json.Unmarshal([]byte(said), &st) == nil && st.Lag == 0 && st.Events > 0
	})
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, " 0 differences", "archive", "verify")
	out := &testenv.Logs{} // connections log while the check writes
	if code := app.Main(app.Archive(), []string{"--config", filepath.Join(s.Dir, "archive.yaml"), "--check"}, out, out); code != app.ExitOK || !strings.Contains(out.String(), " 0 failed") {
		t.Errorf("archive --check: exit %d\n%s", code, out.String())
	}
}

var archiveSection = regexp.MustCompile(`(?m)^archive: .*\n`)

// TestArchiveWaitsForItsConsumer: without the consumer that an administrator makes the archive says what to do, and workers and the
// ingress start all the same.
func TestArchiveWaitsForItsConsumer(t *testing.T) {
	s := newSystem(t, startBroker(t, "node.conf", "nats-1"))
	administrator := s.config(t, s.Config, "administrator", 1)
	configs := map[string]string{}
	for _, user := range []string{"worker", "ingress", "archive"} {
		configs[user] = s.config(t, s.Config, user, 1)
	}
	rewrite(t, administrator, func(text string) string { return archiveSection.ReplaceAllString(text, "") })
	s.wantPayctl(t, "administrator", payctl.ExitOK, "INTAKE-shop: missing", "streams", "apply")
	s.run(t, app.Worker(), configs["worker"])
	s.run(t, app.Ingress(), configs["ingress"])
	s.run(t, app.Archive(), configs["archive"])
	eventually(t, "the archive says what to do", func() bool {
		return strings.Contains(s.logs.String(), "make it as administrator: payctl streams apply")
	})
	s.config(t, s.Config, "administrator", 1)
	s.wantPayctl(t, "administrator", payctl.ExitOK, "PAYMENTS consumer archive: missing", "streams", "apply")
	s.config(t, s.Config, "operator-kim", 1)
	s.wantShown(t, "operator-kim", s.payByHTTP(t, "H-1"), "settled")
	archived(t, s)
}
