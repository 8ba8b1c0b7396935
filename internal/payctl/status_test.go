package payctl_test

import (
	"encoding/json"
	"testing"
	"time"

	"payonce/pkg/events/jetstream/statistics"

	"payonce/internal/payctl"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/status"
)

// Without any process the queue and what was in doubt are known all the same; the rest is said to be unknown.
func TestStatusWithoutAnyProcess(t *testing.T) {
	t.Parallel()
	conn, url := streams(t)
	config := configuration(t, url, "http://127.0.0.1:1")
	p := payment.New(command("P-1001"))
	p.Status, p.Revision, p.Reason = payment.Conflict, 1, &payment.Reason{Code: payment.ReasonContradiction}
	if _, err := conn.Append(t.Context(), p, 0); err != nil {
		t.Fatal(err)
	}
	run(t, "", "status", "--config", config).expect(t, payctl.ExitOK, "no worker lives: nothing is executed", "")
	run(t, "", "status", "--config", config).expect(t, payctl.ExitOK, "payments unknown: no process lives that counts them", "")
	run(t, "", "status", "--config", config).expect(t, payctl.ExitOK, "payctl payment resolve "+shop+" P-1001 --settled or --failed", "")
	run(t, "", "status", "--check", "--config", config).expect(t, payctl.ExitFailed, "", "something needs a person, or is not known")
	var got status.Report
	if err := json.Unmarshal([]byte(run(t, "", "status", "--json", "--config", config).out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Providers[0].Payments != nil || got.Providers[0].Queue == nil || len(got.Attention) != 1 || got.Attention[0].Order != "P-1001" {
		t.Errorf("got %+v", got)
	}
}

// What a process counted is shown, and a system without anything to do passes --check.
func TestStatusOfALivingSystem(t *testing.T) {
	t.Parallel()
	conn, url := streams(t)
	config := configuration(t, url, "http://127.0.0.1:1")
	reporter, err := statistics.New(conn.Conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	open := status.NewOpen(time.Now)
	open.CaughtUp()
	for _, beat := range []status.Heartbeat{
		{ID: "1", Service: status.ServiceWorker, Process: "worker@host:1", Version: "v1", StartedAt: time.Now(), At: time.Now(), Providers: map[string]status.ProviderHealth{shop: {Breaker: status.BreakerClosed}}},
		{ID: "2", Service: status.ServiceIngress, Process: "ingress@host:2", Version: "v1", StartedAt: time.Now(), At: time.Now(), Open: open.Summary([]string{shop})},
	} {
		data, err := beat.Encode()
		if err == nil {
			err = reporter.PutHeartbeat(t.Context(), events.HeartbeatKey(beat.Service, beat.ID), data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	run(t, "", "status", "--check", "--config", config).expect(t, payctl.ExitOK, "nothing needs a person", "")
	run(t, "", "status", "--config", config).expect(t, payctl.ExitOK, "worker@host:1 v1", "")
}

// Without NATS the hours are known, and every source that failed is named.
func TestStatusWithoutNATS(t *testing.T) {
	t.Parallel()
	config := configuration(t, "nats://127.0.0.1:1", "http://127.0.0.1:1")
	o := run(t, "", "status", "--config", config)
	o.expect(t, payctl.ExitOK, "processes unknown: heartbeats cannot be read", "")
	o.expect(t, payctl.ExitOK, "queue unknown", "")
	o.expect(t, payctl.ExitOK, "payments unknown", "")
	o.expect(t, payctl.ExitOK, "hours", "")
}
