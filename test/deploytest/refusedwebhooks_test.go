package deploytest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"payonce/internal/payctl"
	"payonce/test/testenv"
)

// refusedWebhooks lets a forged webhook be refused, and a person look at it with the key of an operator. The ingress's key adds to
// these webhooks and can do nothing else to them.
func refusedWebhooks(t *testing.T, s *system) {
	t.Helper()
	forged := `{"merchantOrderNo":"FORGED-1","payerName":"HongGilDong"}`
	if status, body := s.Post(bounded(t), "/webhooks/"+testenv.TeemoPay, forged); status != http.StatusUnauthorized {
		t.Errorf("a forged webhook is answered %d %s", status, body)
	}
	show := []string{"webhooks", "refused", "show", "1", "--json"}
	eventually(t, "the forged webhook can be looked at", func() bool {
		code, _ := s.payctl(t, "operator-kim", show...)
		return code == payctl.ExitOK
	})
	_, out := s.payctl(t, "operator-kim", show...)
	var shown struct{ Provider, Refusal, Body string }
	if err := json.Unmarshal([]byte(out), &shown); err != nil || shown.Provider != testenv.TeemoPay || shown.Refusal != "bad_signature" || shown.Body != `{"merchantOrderNo":"FORGED-1","payerName":"…"}` {
		t.Errorf("%v: %s", err, out)
	}
	s.wantPayctl(t, "operator-kim", payctl.ExitOK, "1 refused webhook.", "webhooks", "refused", "list", "--provider", testenv.TeemoPay)

	nc := s.login(t, "ingress")
	for _, header := range []nats.Header{{"Nats-Rollup": {"all"}}, {"Nats-Rollup": {"sub"}}, {"Nats-Schedule": {"@every 1s"}, "Nats-Schedule-Target": {"webhook.refused.x.1"}}} {
		if m, err := nc.RequestMsg(&nats.Msg{Subject: "webhook.refused.x.0", Header: header, Data: []byte("{}")}, timeout); err != nil || !strings.Contains(string(m.Data), `"error"`) {
			t.Errorf("%v: %v", header, err)
		}
	}
	for _, subject := range []string{"$JS.API.STREAM.MSG.GET.REFUSED_WEBHOOKS", "$JS.API.STREAM.PURGE.REFUSED_WEBHOOKS"} {
		if m, err := nc.Request(subject, []byte(`{"seq":1}`), time.Second); err == nil {
			t.Errorf("%s: %s", subject, m.Data)
		}
	}
}
