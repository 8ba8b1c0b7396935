package jetstream_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/test/natstest"
)

func refusedMessage(t *testing.T, provider string, bucket int, body string) events.Outgoing {
	t.Helper()
	out, err := events.EncodeRefusedWebhook(events.RefusedWebhook{Provider: provider, Refusal: "bad_signature", ReceivedAt: time.Unix(0, 0), Body: body}, bucket, "id")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A flood to one provider pushes out what was sent to it from the same addresses before, and nothing else.
func TestRefusedWebhooksPushOutOnlyTheirOwn(t *testing.T) {
	c := connectWide(t, natstest.Start(t).URL())
	ctx := testContext(t)
	publish := func(provider string, bucket int, body string) {
		t.Helper()
		if err := c.PublishRefusedWebhook(ctx, refusedMessage(t, provider, bucket, body)); err != nil {
			t.Fatal(err)
		}
	}
	publish("acme", 0, "first")
	publish("acme", 1, "of another address")
	publish("other", 0, "of another provider")
	for range 100 {
		publish("acme", 0, "flood")
	}
	all, err := c.RefusedWebhooks(ctx, 0, 1000)
	if err != nil || len(all) != events.RefusedPerBucket+2 {
		t.Fatalf("%d are kept: %v", len(all), err)
	}
	if all[0].Webhook.Body != "of another address" || all[1].Webhook.Body != "of another provider" || all[2].Webhook.Body != "flood" || all[1].Webhook.Provider != "other" {
		t.Errorf("kept %+v", all)
	}
	if rest, err := c.RefusedWebhooks(ctx, all[0].Sequence, 1); err != nil || len(rest) != 1 || rest[0].Sequence != all[1].Sequence {
		t.Errorf("a page has %+v, %v", rest, err)
	}
	if one, err := c.RefusedWebhook(ctx, all[1].Sequence); err != nil || one.Webhook.Body != "of another provider" || one.Problem != "" {
		t.Errorf("read %+v, %v", one, err)
	}
	if _, err := c.RefusedWebhook(ctx, 1); !errors.Is(err, admin.ErrNoRefusedWebhook) {
		t.Errorf("one that was pushed out: %v", err)
	}
}

// The stream has room for as many as are kept, as large as they may be, of 32 providers, and takes nothing larger.
func TestRefusedWebhooksHaveRoom(t *testing.T) {
	server := natstest.Start(t)
	c := connectWide(t, server.URL())
	ctx := testContext(t)
	_, js := foreign(t, server.URL())
	large := &nats.Msg{Data: []byte(strings.Repeat("x", events.MaxRefusedBytes-100)), Header: nats.Header{"Nats-Msg-Id": {""}}}
	const providers, each = 32, events.RefusedBuckets * events.RefusedPerBucket
	for i := range providers * each {
		large.Subject = events.RefusedSubject("p-"+deadLetters(i%providers), i/providers%events.RefusedBuckets)
		large.Header.Set("Nats-Msg-Id", deadLetters(i))
		if _, err := js.PublishMsg(ctx, large); err != nil {
			t.Fatal(err)
		}
	}
	stream, err := js.Stream(ctx, events.StreamRefusedWebhooks)
	if err != nil || stream.CachedInfo().State.Msgs != providers*each {
		t.Fatalf("%d of %d are kept: %v", stream.CachedInfo().State.Msgs, providers*each, err)
	}
	if got := stream.CachedInfo().Config; got.MaxAge != 24*time.Hour || got.Discard != njs.DiscardOld || got.AllowRollup || got.AllowMsgSchedules {
		t.Errorf("the stream is %+v", got)
	}
	large.Data = append(large.Data, make([]byte, 200)...)
	large.Header.Set("Nats-Msg-Id", "larger")
	if _, err := js.PublishMsg(ctx, large); err == nil {
		t.Error("it takes a larger one")
	}
	// What cannot be read is shown as that.
	all, err := c.RefusedWebhooks(ctx, 0, 1)
	if err != nil || len(all) != 1 || all[0].Problem == "" {
		t.Errorf("read %+v, %v", all, err)
	}
}

// A stream that is missing or full does not affect the others: publishes elsewhere decide whether this process is ready.
func TestRefusedWebhooksDoNotTurnReadinessOff(t *testing.T) {
	server, c := start(t)
	ctx := testContext(t)
	_, js := foreign(t, server.URL())
	if err := js.DeleteStream(ctx, events.StreamRefusedWebhooks); err != nil {
		t.Fatal(err)
	}
	if err := c.PublishRefusedWebhook(ctx, refusedMessage(t, "acme", 0, "x")); err == nil {
		t.Error("no error without a stream")
	}
	if err := c.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
}

// deadLetters is a number in letters, as names of providers can have them.
func deadLetters(n int) string {
	return string([]byte{'a' + byte(n/676%26), 'a' + byte(n/26%26), 'a' + byte(n%26)})
}

// connectWide connects with as much room for refused webhooks as is shipped.
func connectWide(t *testing.T, url string) *admin.Conn {
	t.Helper()
	cfg := testConfig()
	cfg.RefusedBytes = jetstream.DefaultConfig().RefusedBytes
	return connect(t, url, cfg)
}
