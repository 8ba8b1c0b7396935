package payctl_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"payonce/internal/payctl"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
)

// refuse keeps a refused webhook, as the ingress does.
func refuse(t testing.TB, conn *admin.Conn, w events.RefusedWebhook) {
	t.Helper()
	out, err := events.EncodeRefusedWebhook(w, 0, "id")
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.PublishRefusedWebhook(t.Context(), out); err != nil {
		t.Fatal(err)
	}
}

func TestRefusedWebhooks(t *testing.T) {
	t.Parallel()
	conn, url := streams(t)
	config := configuration(t, url, nowhere)
	run(t, "", "webhooks", "refused", "list", "--config", config).expect(t, payctl.ExitOK, "0 refused webhooks.", "")
	at := time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC)
	refuse(t, conn, events.RefusedWebhook{
		Provider: shop, Refusal: "bad_signature", Reason: "the signature does not match", Address: "203.0.113.7", RequestID: "r-1", ReceivedAt: at, ContentType: "application/json",
		Headers:   []events.RefusedHeader{{Name: "X-Signature", Bytes: 88, SHA256: "00ff"}, {Name: "Host-\x1b[2J", Bytes: 1}},
		BodyBytes: 5120, BodySHA256: "11ee", Body: `{"payment":{"id":"D-1"},"name":"…"}`,
	})
	refuse(t, conn, events.RefusedWebhook{Provider: events.NoProvider, Path: "ecommpay-kz", Refusal: "unknown_provider", ReceivedAt: at})
	refuse(t, conn, events.RefusedWebhook{Provider: other, Refusal: "bad_signature", ReceivedAt: at, BodyBytes: 60000, BodySHA256: "22dd", Body: `["…","`, Truncated: true})

	list := run(t, "", "webhooks", "refused", "list", "--config", config)
	for _, line := range []string{
		"1 2026-11-22T03:04:05Z ecommpay-kr bad_signature 203.0.113.7 5120 the signature does not match",
		"2 2026-11-22T03:04:05Z unknown unknown_provider 0 the path names ecommpay-kz", "3 2026-11-22T03:04:05Z teemopay-kr", "3 refused webhooks.",
	} {
		list.expect(t, payctl.ExitOK, line, "")
	}
	one := run(t, "", "webhooks", "refused", "list", "--provider", other, "--json", "--config", config)
	var found []struct {
		Sequence uint64
		events.RefusedWebhook
	}
	if err := json.Unmarshal([]byte(one.out), &found); err != nil || len(found) != 1 || found[0].Sequence != 3 || found[0].BodySHA256 != "22dd" {
		t.Errorf("%v: %s", err, one.out)
	}
	run(t, "", "webhooks", "refused", "list", "--provider", "nobody", "--config", config).expect(t, payctl.ExitOK, "no match (3 refused webhooks in total)", "")

	shown := run(t, "", "webhooks", "refused", "show", "1", "--config", config)
	for _, part := range []string{"request_id: r-1", "content type: application/json", "X-Signature: 88 bytes, SHA-256 00ff", "body: 5120 bytes, SHA-256 11ee", "\n \"payment\": {\n \"id\": \"D-1\"\n },\n \"name\": \"…\"\n"} {
		shown.expect(t, payctl.ExitOK, part, "")
	}
	if strings.Contains(shown.out, "\x1b") {
		t.Errorf("a terminal obeys %q", shown.out)
	}
	run(t, "", "webhooks", "refused", "show", "2", "--config", config).expect(t, payctl.ExitOK, "body: not read", "")
	run(t, "", "webhooks", "refused", "show", "3", "--config", config).expect(t, payctl.ExitOK, "[\"…\",\"\n(truncated)", "")
	run(t, "", "webhooks", "refused", "show", "1", "--json", "--config", config).expect(t, payctl.ExitOK, `"body": "{\"payment\":{\"id\":\"D-1\"},\"name\":\"…\"}"`, "")
	run(t, "", "webhooks", "refused", "show", "4", "--config", config).expect(t, payctl.ExitFailed, "", "no such refused webhook; see payctl webhooks refused list")
	run(t, "", "webhooks", "refused", "show", "x", "--config", config).expect(t, payctl.ExitUsage, "", "is not the number")

	// A record that another program wrote there is shown as what it is.
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Request("webhook.refused.acme.0", []byte("garbage"), timeout); err != nil {
		t.Fatal(err)
	}
	run(t, "", "webhooks", "refused", "list", "--config", config).expect(t, payctl.ExitOK, "it is not a refused webhook", "")
}
