package campaign

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/test/redistest"
)

// The campaign starts itself again for its processes; under test, that is this test program.
func TestMain(m *testing.M) {
	if code, child := Child(os.Args[1:], os.Stdout, os.Stderr); child {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

var lastLine = regexp.MustCompile(`\ncampaign: orders=(\d+) settled=\d+ failed=\d+ parked=\d+ pending=\d+ in_doubt=\d+ conflict=\d+ charged_twice=0 lost=0 wrong_outcome=0 kills=[1-9]\d* flushes=[1-9]\d* cuts=[1-9]\d*\n$`)

// smallest is the campaign of the tests.
var smallest = Options{Seed: 1, Orders: 150, Duration: 8 * time.Second, Workers: 2, DrainFor: 6 * time.Minute}

// A small campaign, with real processes: the promise holds, and the last line says so.
func TestCampaign(t *testing.T) {
	redistest.Require(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	last, limited := t.Deadline()
	if !limited {
		last = time.Now().Add(20 * time.Minute)
	}
	ctx, cancel := context.WithDeadline(t.Context(), last.Add(-30*time.Second)) // so that it reports how far it came
	defer cancel()
	var out bytes.Buffer
	o := smallest
	o.Program, o.Out = self, &out
	err = Run(ctx, o)
	t.Logf("\n%s", out.String())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "\nplayed: lost_webhooks=") {
		t.Error("it does not tell what was played")
	}
	line := lastLine.FindStringSubmatch(out.String())
	if line == nil || line[1] != "150" {
		t.Errorf("the last line is %q", line)
	}
}

func TestPlan(t *testing.T) {
	ways := []string{"nats-1", "redis", "sandbox"}
	for _, length := range []time.Duration{6 * time.Second, time.Minute, 10 * time.Minute} {
		strikes := plan(7, length, 4, ways)
		if again := plan(7, length, 4, ways); !slices.Equal(strikes, again) {
			t.Errorf("%s: the same seed gives other strikes", length)
		}
		if other := plan(8, length, 4, ways); slices.Equal(strikes, other) {
			t.Errorf("%s: another seed gives the same strikes", length)
		}
		seen := map[Kind]bool{}
		for i, s := range strikes {
			seen[s.Kind] = true
			if s.At <= 0 || s.At >= length || i > 0 && s.At <= strikes[i-1].At {
				t.Errorf("%s: strike %d is at %s", length, i, s.At)
			}
		}
		for _, kind := range []Kind{KillWorker, KillIngress, KillLeader, KillRedis, FlushRedis, Cut, Freeze, Deploy} {
			if !seen[kind] {
				t.Errorf("%s: there is no %s in %v", length, kind, strikes)
			}
		}
		if length >= time.Minute && !seen[KillQuorum] {
			t.Errorf("%s: the cluster always has a quorum", length)
		}
	}
}

// The orders of a run are all ways of paying, all ways to send, and all misfortunes.
func TestOrders(t *testing.T) {
	orders := makeOrders(3, 2000)
	numbers, ways, faults, currencies, again := map[payment.Ref]bool{}, map[Way]int{}, map[string]bool{}, map[string]bool{}, map[Again]int{}
	for _, o := range orders {
		if err := o.Ref.Validate(); err != nil || len(o.Ref.Order) > 32 { // TeemoPay's limit
			t.Errorf("%s: %v", o.Ref, err)
		}
		numbers[o.Ref], currencies[o.Amount.Currency] = true, true
		ways[o.Way]++
		again[o.Again]++
		if o.Page && slices.Contains(o.Faults, sandbox.LostCallback) {
			t.Errorf("%s: nobody would hear of it in time", o.Ref)
		}
		if o.Other == o.Command || o.Again != NotAgain && o.AgainBy == "" {
			t.Errorf("%s: sent again %q by %q", o.Ref, o.Again, o.AgainBy)
		}
		for _, f := range o.Faults {
			faults[string(f)] = true
		}
	}
	if len(numbers) != 2000 || len(ways) != 3 || ways[ByHTTP] < 1000 || !currencies["KRW"] || !currencies["TWD"] {
		t.Errorf("%d numbers, %v, %v", len(numbers), ways, currencies)
	}
	if again[SameCommand] < 50 || again[OtherCommand] < 50 || again[NotAgain] < 1000 {
		t.Errorf("sent again: %v", again)
	}
	for _, m := range misfortunes {
		for _, f := range m.faults {
			if !faults[string(f)] {
				t.Errorf("no order has the fault %s", f)
			}
		}
	}
}
