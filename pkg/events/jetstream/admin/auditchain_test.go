package admin_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/test/jetstreamtest"
	"payonce/test/natstest"
)

func auditRecord(id string) events.AuditRecord {
	return events.AuditRecord{ID: id, Stage: events.Intended, Action: events.ActionDrop, Provider: "acme", By: "kim", Reason: "a test", At: time.Now().UTC()}
}

func verified(t *testing.T, c *admin.Conn) string {
	t.Helper()
	check, err := c.VerifyAudit(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(check.Findings)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Records of many writers at once form one chain, each record is there once however often it is sent, and the chain shows
// what is taken away, changed or written past it.
func TestAuditIsAChain(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	c := connect(t, server.URL(), testConfig())
	_, js := foreign(t, server.URL())
	jetstreamtest.Append(t, c, paymentOf(ref("D-1"), "settled"), 0)
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			for range 2 { // repeated, as after a lost acknowledgement
				if err := c.Audit(testContext(t), auditRecord(fmt.Sprint("id-", i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if n := messages(t, js, events.StreamAudit); n != 8 {
		t.Fatalf("%d records, want 8", n)
	}
	if found := verified(t, c); found != "[]" {
		t.Fatalf("found %s", found)
	}
	// A client writes past payctl.
	past, err := json.Marshal(auditRecord("forged"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(testContext(t), "operator.settle.acme.D-1", past); err != nil {
		t.Fatal(err)
	}
	if found := verified(t, c); !strings.Contains(found, "no link") {
		t.Errorf("a forged record: %s", found)
	}
	// An administrator takes a record away: a stream without deny_delete, as one restored in its place would be.
	rewrite(t, js, func(records []*njs.RawStreamMsg) []*njs.RawStreamMsg { return append(records[:3:3], records[4:8]...) })
	if found := verified(t, jetstreamtest.Reconnect(t, server.URL(), testConfig())); !strings.Contains(found, "claims to follow record") {
		t.Errorf("a record less: %s", found)
	}
}

// A record that was changed afterwards breaks the chain at the next one.
func TestChangedAuditRecordIsSeen(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	c := connect(t, server.URL(), testConfig())
	_, js := foreign(t, server.URL())
	for i := range 4 {
		if err := c.Audit(testContext(t), auditRecord(fmt.Sprint("id-", i))); err != nil {
			t.Fatal(err)
		}
	}
	rewrite(t, js, func(records []*njs.RawStreamMsg) []*njs.RawStreamMsg {
		records[1].Data = []byte(strings.Replace(string(records[1].Data), "a test", "a lie", 1))
		return records
	})
	if found := verified(t, jetstreamtest.Reconnect(t, server.URL(), testConfig())); !strings.Contains(found, `"sequence":3`) || !strings.Contains(found, "was changed") {
		t.Errorf("found %s", found)
	}
}

// Of many who write after the same record at once, one does; the others are told, and nothing of theirs is kept.
func TestRecordAfterIsWrittenOnce(t *testing.T) {
	t.Parallel()
	c := connect(t, natstest.Start(t).URL(), testConfig())
	last, err := c.RecordRequest(testContext(t), auditRecord("request"))
	if err != nil || last != 1 {
		t.Fatalf("%d, %v", last, err)
	}
	results := make([]error, 8)
	var writers sync.WaitGroup
	for i := range results {
		writers.Go(func() { results[i] = c.RecordAfter(testContext(t), auditRecord(fmt.Sprint("id-", i)), last) })
	}
	writers.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
		} else if !errors.Is(err, events.ErrStale) {
			t.Error(err)
		}
	}
	if entries, err := c.Audits(testContext(t), 0, 10); won != 1 || err != nil || len(entries) != 2 {
		t.Errorf("%d won, %d records, %v", won, len(entries), err)
	}
	if found := verified(t, c); found != "[]" {
		t.Errorf("found %s", found)
	}
}

// rewrite makes AUDIT again with other records.
func rewrite(t *testing.T, js njs.JetStream, change func([]*njs.RawStreamMsg) []*njs.RawStreamMsg) {
	t.Helper()
	stream, err := js.Stream(testContext(t), events.StreamAudit)
	if err != nil {
		t.Fatal(err)
	}
	var records []*njs.RawStreamMsg
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		raw, err := stream.GetMsg(testContext(t), seq)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, raw)
	}
	if err := js.DeleteStream(testContext(t), events.StreamAudit); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(testContext(t), stream.CachedInfo().Config); err != nil {
		t.Fatal(err)
	}
	for _, r := range change(records) {
		if _, err := js.Publish(testContext(t), r.Subject, r.Data); err != nil {
			t.Fatal(err)
		}
	}
}

// What AUDIT remembers of the log shows a log that was made again, is shorter, or lost events.
func TestLogThatLostItsPastIsSeen(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(t *testing.T, js njs.JetStream, config njs.StreamConfig){
		"made again": func(*testing.T, njs.JetStream, njs.StreamConfig) {},
		"restored, and goes on": func(t *testing.T, js njs.JetStream, _ njs.StreamConfig) {
			for i := range 9 {
				if _, err := js.Publish(testContext(t), fmt.Sprintf("payment.settled.acme.N-%d", i), []byte("{}")); err != nil {
					t.Fatal(err)
				}
			}
		},
		"begins later": func(t *testing.T, js njs.JetStream, config njs.StreamConfig) {
			if err := js.DeleteStream(testContext(t), events.StreamPayments); err != nil {
				t.Fatal(err)
			}
			config.FirstSeq = 3
			if _, err := js.CreateStream(testContext(t), config); err != nil {
				t.Fatal(err)
			}
			if _, err := js.Publish(testContext(t), "payment.settled.acme.N-1", []byte("{}")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := natstest.Start(t)
			c := connect(t, server.URL(), testConfig())
			_, js := foreign(t, server.URL())
			for i := range 3 {
				jetstreamtest.Append(t, c, paymentOf(ref(fmt.Sprint("D-", i)), "settled"), 0)
			}
			if err := c.Audit(testContext(t), auditRecord("id")); err != nil {
				t.Fatal(err)
			}
			if lost, err := c.CheckLog(testContext(t)); err != nil || len(lost) != 0 {
				t.Fatalf("before: %v: %v", lost, err)
			}
			stream, err := js.Stream(testContext(t), events.StreamPayments)
			if err != nil {
				t.Fatal(err)
			}
			config := stream.CachedInfo().Config
			if err := js.DeleteStream(testContext(t), events.StreamPayments); err != nil {
				t.Fatal(err)
			}
			if _, err := js.CreateStream(testContext(t), config); err != nil {
				t.Fatal(err)
			}
			lose(t, js, config)
			if lost, err := jetstreamtest.Reconnect(t, server.URL(), testConfig()).CheckLog(testContext(t)); err != nil || len(lost) == 0 {
				t.Errorf("nothing was seen: %v", err)
			}
		})
	}
}

// A person who accepts a log knows what it lost until then. What it loses later is seen all the same.
func TestAcceptedLossesAreNotFoundAgain(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	c := connect(t, server.URL(), testConfig())
	_, js := foreign(t, server.URL())
	write := func(from, to int) {
		for i := from; i < to; i++ {
			jetstreamtest.Append(t, c, paymentOf(ref(fmt.Sprint("D-", i)), "settled"), 0)
		}
	}
	write(0, 5)
	if err := c.Audit(testContext(t), auditRecord("before")); err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(testContext(t), events.StreamPayments)
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.DenyDelete = false // by a person with an administrator's key
	if err := js.DeleteStream(testContext(t), events.StreamPayments); err != nil {
		t.Fatal(err)
	}
	if stream, err = js.CreateStream(testContext(t), config); err != nil {
		t.Fatal(err)
	}
	write(10, 18)
	if err := stream.DeleteMsg(testContext(t), 4); err != nil {
		t.Fatal(err)
	}
	lost := func(after string, want int) {
		t.Helper()
		if problems, err := c.CheckLog(testContext(t)); err != nil || len(problems) != want {
			t.Errorf("after %s: %q, %v, want %d", after, problems, err, want)
		}
	}
	lost("the loss", 2)
	accept := auditRecord("accept")
	accept.Action, accept.Provider, accept.Order = events.ActionAccept, events.NoProvider, ""
	for i, stage := range []events.Stage{events.Intended, events.Finished} {
		accept.Stage = stage
		if err := c.Audit(testContext(t), accept); err != nil {
			t.Fatal(err)
		}
		lost(string(stage), 2-2*i)
	}
	write(20, 22)
	lost("further events", 0)
	if err := stream.DeleteMsg(testContext(t), 6); err != nil {
		t.Fatal(err)
	}
	lost("a deletion", 1)
}

// Pages of the newest records together have each once.
func TestLatestAudits(t *testing.T) {
	t.Parallel()
	c := connect(t, natstest.Start(t).URL(), testConfig())
	if none, err := c.LatestAudits(testContext(t), 0, 3); err != nil || len(none) > 0 {
		t.Fatal(none, err)
	}
	for i := range 7 {
		if err := c.Audit(testContext(t), auditRecord(fmt.Sprint("id-", i))); err != nil {
			t.Fatal(err)
		}
	}
	var sequences []uint64
	for before := uint64(0); ; before = sequences[len(sequences)-1] {
		page, err := c.LatestAudits(testContext(t), before, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			sequences = append(sequences, e.Sequence)
		}
		if len(page) < 3 {
			break
		}
	}
	if fmt.Sprint(sequences) != "[7 6 5 4 3 2 1]" {
		t.Error(sequences)
	}
}
