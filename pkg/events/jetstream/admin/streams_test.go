package admin_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"payonce/internal/streamconfig"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/test/jetstreamtest"
	"payonce/test/natstest"
)

var update = flag.Bool("update", false, "write deploy/nats/streams")

func TestStreamFilesAreShipped(t *testing.T) {
	files, err := admin.StreamFiles(streamconfig.Of(config.Defaults()))
	if err != nil {
		t.Fatal(err)
	}
	directory := filepath.Join("..", "..", "..", "..", "deploy", "nats", "streams")
	for name, want := range files {
		path := filepath.Join(directory, name)
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if have, err := os.ReadFile(path); err != nil || !bytes.Equal(have, want) {
			t.Errorf("%s differs from the definition (%v): run go test -update", path, err)
		}
	}
	if shipped, err := filepath.Glob(filepath.Join(directory, "*")); err != nil || len(shipped) != len(files) {
		t.Errorf("%v holds %d files, want %d", directory, len(shipped), len(files))
	}
}

// The shipped files are what the server's API takes, which is also what "nats stream add --config" sends.
func TestStreamFilesAreTakenByTheServer(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	nc, _ := foreign(t, server.URL())
	files, err := admin.StreamFiles(streamconfig.Of(config.Defaults()))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		stream := strings.ToUpper(strings.TrimSuffix(name, ".json"))
		answer, err := nc.RequestWithContext(testContext(t), "$JS.API.STREAM.CREATE."+stream, text)
		if err != nil || !bytes.Contains(answer.Data, []byte(`"did_create":true`)) {
			t.Errorf("%s: %s %v", name, answer.Data, err)
		}
	}
	cfg := testConfig()
	shipped := streamconfig.Of(config.Defaults())
	cfg.DeadLetterBytes, cfg.RefusedBytes, cfg.RefusalBytes = shipped.DeadLetterBytes, shipped.RefusedBytes, shipped.RefusalBytes
	c, err := jetstreamtest.Dial(testContext(t), options(t, server.URL(), cfg))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if differences, err := c.CheckStreams(testContext(t)); err != nil || len(differences) > 0 {
		t.Errorf("%v, %v", differences, err)
	}
}

func TestEnsureStreams(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	ctx := testContext(t)
	c, err := jetstreamtest.Dial(ctx, options(t, server.URL(), testConfig()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	missing, err := c.CheckStreams(ctx)
	if err != nil || len(missing) != 10 || missing[0].String() != "COMMANDS: missing" {
		t.Fatalf("before: %v, %v", missing, err)
	}
	for range 2 {
		if err := c.EnsureStreams(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if differences, err := c.CheckStreams(ctx); err != nil || len(differences) > 0 {
		t.Fatalf("after: %v, %v", differences, err)
	}
}

func TestEnsureStreamsChangesNothing(t *testing.T) {
	server, c := start(t)
	ctx := testContext(t)
	_, js := foreign(t, server.URL())
	stream, err := js.Stream(ctx, events.StreamCommands)
	if err != nil {
		t.Fatal(err)
	}
	changed := stream.CachedInfo().Config
	changed.MaxAge, changed.Description = 3*time.Hour, "somebody else's"
	changed.Metadata = map[string]string{"owner": "somebody"}
	if _, err := js.UpdateStream(ctx, changed); err != nil {
		t.Fatal(err)
	}
	var mismatch *admin.MismatchError
	err = c.EnsureStreams(ctx)
	if !errors.As(err, &mismatch) || len(mismatch.Differences) != 3 {
		t.Fatalf("got %v, want three differences", err)
	}
	for _, text := range []string{
		`COMMANDS: description is "somebody else's"`, "COMMANDS: max_age is 10800000000000, want 0",
		`COMMANDS: metadata is {"owner":"somebody"`, "want not set",
	} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q is not in %q", text, err)
		}
	}
	if stream, err = js.Stream(ctx, events.StreamCommands); err != nil || stream.CachedInfo().Config.MaxAge != 3*time.Hour {
		t.Errorf("the stream was changed: %v", err)
	}
}

func TestLogDeniesDeleteAndPurge(t *testing.T) {
	server, c := start(t)
	seq := jetstreamtest.Append(t, c, paymentOf(ref("D-1"), "submitting"), 0)
	_, js := foreign(t, server.URL())
	stream, err := js.Stream(testContext(t), events.StreamPayments)
	if err != nil {
		t.Fatal(err)
	}
	if stream.DeleteMsg(testContext(t), seq) == nil || stream.Purge(testContext(t)) == nil {
		t.Error("the log lets itself be deleted")
	}
}

func TestConfigValidate(t *testing.T) {
	if err := streamconfig.Of(config.Defaults()).Validate(); err != nil {
		t.Fatalf("the default: %v", err)
	}
	err := jetstream.Config{Replicas: 2, PublishTimeout: time.Second, AckWait: time.Second, WebhookRetention: time.Minute}.Validate()
	if err == nil {
		t.Fatal("no problem found")
	}
	for _, text := range []string{
		"replicas", "payment_retention", "webhook_retention must be at least", "dead_letter_retention", "retry_delay", "stall_after",
		"orphan_after", "max_ack_pending", "webhook_max_ack_pending", "publish_timeout must be shorter", "must not be longer than payment_retention",
	} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q is not in %q", text, err)
		}
	}
}
