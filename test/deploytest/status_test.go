package deploytest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"payonce/internal/payctl"
	"payonce/pkg/status"
)

// howItStands asks for the status with the key of an operator, and over HTTP of an ingress that may read neither the queue nor the
// log as a whole. The ingress's key cannot take the heartbeat of a worker away, nor speak as one.
func howItStands(t *testing.T, s *system) {
	t.Helper()
	said := ""
	defer func() {
		if t.Failed() {
			t.Logf("payctl status said %s", said)
		}
	}()
	eventually(t, "payctl status has all that an operator may see", func() bool {
		code, out := s.payctl(t, "operator-kim", "status", "--json")
		said = out
		var r status.Report
		if json.Unmarshal([]byte(out), &r) != nil || code != payctl.ExitOK || len(r.Unknown) > 0 {
			return false
		}
		services := map[string]bool{}
		for _, p := range r.Processes {
			services[p.Service] = true
		}
		served := len(r.Endpoints) == 1 && r.Endpoints[0].Breaker == status.BreakerClosed && r.Endpoints[0].New != nil
		return served && services[status.ServiceWorker] && services[status.ServiceIngress] && services[status.ServiceArchive] && services[status.ServiceNotifier] && r.AttentionTotal != nil && r.Providers[0].Payments != nil && r.Providers[0].Queue != nil
	})
	request, err := http.NewRequestWithContext(bounded(t), http.MethodGet, "http://"+s.At.Listen+"/v1/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.APIKey)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var r status.Report
	if err := json.NewDecoder(answer.Body).Decode(&r); err != nil || answer.StatusCode != http.StatusOK || len(r.Unknown) > 0 || len(r.Providers) == 0 || !r.Providers[0].Shared || r.Providers[0].Queue != nil {
		t.Errorf("GET /v1/status: %s, %v, %+v", answer.Status, err, r)
	}
	nc := s.login(t, "ingress")
	m, err := nc.RequestMsg(&nats.Msg{Subject: "$KV.HEARTBEATS.ingress.x", Header: nats.Header{"Nats-Rollup": {"all"}}, Data: []byte("{}")}, timeout)
	if err != nil || !strings.Contains(string(m.Data), `"error"`) {
		t.Errorf("a rollup of the ingress: %v", err)
	}
}
