package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/idempotency"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/payment"
	"payonce/test/bench/baseline"
	"payonce/test/redistest"
	"payonce/test/testenv"
)

// TestGrowth is make bench-growth with few payments: each kind of earlier payments is measured, and look-ups are made only where they
// are due.
func TestGrowth(t *testing.T) {
	text, page := play(t, "--growth", "--kept", "300", "--parked", "20", "--pending", "20", "--due", "20", "--due-after", "10s",
		"--in-flight", "8", "--paced", "200ms", "--loads", "50", "--programs", "bare,payonce")
	rows := map[string][]string{}
	for line := range strings.Lines(text) {
		if cells := strings.Split(line, " | "); len(cells) > 3 {
			rows[strings.TrimPrefix(cells[0], "| ")+", "+cells[1]] = cells
		}
	}
	lookups := slices.Index(rows["there before, program"], "look-ups of a round")
	for _, name := range []string{
		"none, bare", "none, payonce", "300 payments kept, bare", "300 payments kept, payonce", "20 parked, payonce", "20 pending, payonce", "20 pending and due, payonce",
	} {
		if row := rows[name]; len(row) < lookups || strings.HasPrefix(name, "none") != (row[3] == "") || strings.Contains(name, "due") != (row[lookups] != "0") {
			t.Errorf("the row of %s is %q", name, row)
		}
	}
	written, err := os.ReadFile(page)
	if err != nil || !strings.Contains(string(written), text+"\n![") {
		t.Errorf("the page has not the table and its charts: %v\n%s", err, written)
	}
	for _, name := range []string{"bench-growth", "bench-kept"} {
		drawn, err := os.ReadFile(filepath.Join(filepath.Dir(page), "images", name+".svg"))
		if err != nil {
			t.Fatal(err)
		}
		checkSVG(t, string(drawn))
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(page), "images", "bench-throughput.svg")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the chart of all programs was drawn of this: %v", err)
	}
}

// TestFilledAsInLife holds that payments which are there before the measured ones are what workers leave: in the log, in the queue and
// in Redis.
func TestFilledAsInLife(t *testing.T) {
	redistest.Require(t)
	t.Cleanup(testenv.RemoveBuilds)
	s := start(t, t.TempDir(), setting{nodes: 1, slots: 8, workers: 1, kept: 30, parked: 20, pending: 10})
	s.fill(io.Discard)
	copied, original := payment.Ref{Provider: baseline.Provider, Order: keptOrder(17)}, payment.Ref{Provider: baseline.Provider, Order: keptOrder(0)}
	for ref, want := range map[payment.Ref]payment.Status{
		copied: payment.Settled, {Provider: baseline.Provider, Order: "P00000009"}: payment.Pending, {Provider: closedAccount, Order: "W00000019"}: payment.Parked,
	} {
		if p, _, err := s.conn.Last(t.Context(), ref); err != nil || p.Status != want || p.Ref != ref {
			t.Errorf("%s is %s, %v, want %s", ref, p.Status, err, want)
		}
		if _, err := s.conn.Append(t.Context(), payment.Payment{Ref: ref, Operation: payment.Deposit, Status: payment.Submitting, Amount: payment.KRW(1)}, 0); !errors.Is(err, events.ErrStale) {
			t.Errorf("%s can begin again: %v", ref, err)
		}
	}
	sameEvents(t, s, original, copied)
	parked, err := s.conn.ParkedOrders(t.Context(), closedAccount)
	if err != nil || len(parked) != s.parked {
		t.Fatalf("%d are parked, %v", len(parked), err)
	}
	if command, err := s.conn.ParkedCommand(t.Context(), parked[0]); err != nil || time.Until(command.Due) < 10*time.Hour {
		t.Errorf("%s is due at %s, %v", parked[0], command.Due, err)
	}
	client := s.redisClient()
	t.Cleanup(func() { _ = client.Close() })
	for _, ref := range []payment.Ref{copied, {Provider: baseline.Provider, Order: "P00000009"}, {Provider: closedAccount, Order: "W00000019"}} {
		if life, err := client.PTTL(t.Context(), "payonce:claim:{"+ref.Provider+":"+ref.Order+"}").Result(); err != nil || ref == copied && life < 390*24*time.Hour {
			t.Errorf("the claim of %s lives for %s, %v", ref, life, err)
		}
		claim, err := redis.New(client, redis.Options{}).Claim(t.Context(), ref, idempotency.Request{Owner: "test", Lease: time.Second, Retention: time.Minute})
		if err != nil || claim.Held.First() {
			t.Errorf("the claim of %s: %+v, %v", ref, claim, err)
		}
	}
	if n := len(s.consumers(events.StreamPayments)); n < 4 {
		t.Errorf("%d timers", n)
	}
}

// sameEvents compares the events of two orders, of which one is a copy.
func sameEvents(t *testing.T, s *system, original, copied payment.Ref) {
	t.Helper()
	log, err := s.js.Stream(t.Context(), events.StreamPayments)
	testenv.Must(t, err)
	for _, status := range []payment.Status{payment.Submitting, payment.Pending, payment.Settled} {
		a, err := log.GetLastMsgForSubject(t.Context(), events.PaymentSubject(status, original))
		testenv.Must(t, err)
		b, err := log.GetLastMsgForSubject(t.Context(), events.PaymentSubject(status, copied))
		testenv.Must(t, err)
		if want := bytes.ReplaceAll(a.Data, []byte(original.Order), []byte(copied.Order)); !bytes.Equal(b.Data, want) {
			t.Errorf("%s\nwant\n%s", b.Data, want)
		}
		a.Header.Del(njs.MsgIDHeader)
		for name := range a.Header {
			if len(b.Header.Values(name)) != len(a.Header.Values(name)) || b.Header.Get("ce-id") == a.Header.Get("ce-id") {
				t.Errorf("%s has %v, want the headers %v", copied, b.Header, a.Header)
			}
		}
		if len(b.Header) != len(a.Header) {
			t.Errorf("%s has %v, want the headers %v", copied, b.Header, a.Header)
		}
	}
}

func TestRoom(t *testing.T) {
	has := room{disk: 8.5e9, memory: 20e9} // 3.5 GB of disk to use
	if n := has.holds(); n != 1_000_000 {
		t.Errorf("%d fit", n)
	}
	million := setting{nodes: 1, kept: 1_000_000}
	other := setting{nodes: 1, pending: 1000}
	for name, c := range map[string]struct {
		settings []setting
		together bool
		fits     bool
	}{
		"one after the other": {[]setting{million, other}, false, true}, "at the same time": {[]setting{million, other}, true, false},
		"three servers": {[]setting{{nodes: 3, kept: 400_000}}, false, false}, "nothing": {[]setting{{nodes: 1}}, true, true},
	} {
		var said bytes.Buffer
		err := checkRoom(c.settings, c.together, has, &said)
		if (err == nil) != c.fits || err != nil && !strings.Contains(err.Error(), "1000000 fit") || name == "one after the other" && !strings.Contains(said.String(), "1000000 fit") {
			t.Errorf("%s: %v\n%s", name, err, said.String())
		}
	}
	if _, err := roomAt(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a folder that is not there has room")
	}
	if here, err := roomAt(t.TempDir()); err != nil || here.disk <= 0 || here.memory <= 0 {
		t.Errorf("room is %+v, %v", here, err)
	}
}

// TestTooMuch holds that what does not fit is refused before anything is written.
func TestTooMuch(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	if err := run(ctx, []string{"--kept", "99999999", "--nodes", "3", "--store", t.TempDir()}, io.Discard); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("300 million were taken: %v", err)
	}
}
