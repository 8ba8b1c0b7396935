package payctl_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events/jetstream/admin"

	"payonce/pkg/archive"
	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// archived adds an archive to a configuration.
func archived(t *testing.T, config string) (location archive.Location) {
	t.Helper()
	location = archive.Location{File: filepath.Join(t.TempDir(), "archive.db")}
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, []byte("archive: {file: "+location.File+", customer_field: customer_id}\n")...)
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return location
}

// copyLog stores the log in the archive.
func copyLog(t *testing.T, conn *admin.Conn, location archive.Location) {
	t.Helper()
	s, err := archive.Open(bounded(t), location)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	bounds, err := conn.LogBounds(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	err = conn.ReadLog(bounded(t), 1, func(m events.Message) (bool, error) {
		_, err := s.Append(context.Background(), bounds.Log, []events.Message{m}, time.Now())
		return true, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func withReference(p *payment.Payment) {
	pending(p)
	p.ProviderReference, p.Metadata = "=R/77", map[string]string{"customer_id": "c-4711"}
}

func refusedWithoutAmount(p *payment.Payment) {
	p.Status, p.Amount, p.Reason = payment.Failed, payment.Money{}, &payment.Reason{Code: "invalid_command"}
}

// A refused command without an amount has none in the list, which is not 0.
func TestPaymentsListWithoutAmount(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	live(t, conn, payment.New(command("N-1")), refusedWithoutAmount)
	out := run(t, "", "payments", "list", "--config", config)
	if lines := strings.Split(out.out, "\n"); len(lines) < 2 || len(lines[0]) == 0 || !strings.HasPrefix(lines[1][strings.Index(lines[0], "AMOUNT"):], "-  ") {
		t.Errorf("%+v", out)
	}
	rows, err := csv.NewReader(strings.NewReader(run(t, "", "payments", "list", "--csv", "--config", config).out)).ReadAll()
	if err != nil || len(rows) != 2 || rows[0][6] != "amount" || rows[1][6] != "" {
		t.Errorf("%v %v", err, rows)
	}
}

// Lists and references are found in the archive and, without one, in the log, which is said.
func TestPaymentsList(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	first := payment.New(command("L-1"))
	first.Metadata = map[string]string{"customer_id": "c-4711"}
	live(t, conn, first, submitting, withReference, paidOut)
	live(t, conn, payment.New(command("L-2")), submitting, pending)
	check := func(note string) {
		t.Helper()
		run(t, "", "payments", "list", "--config", config).expect(t, 0, "2 payments.", note)
		run(t, "", "payments", "list", "--status", "settled", "--metadata", "customer_id=c-4711", "--config", config).expect(t, 0, "1 payment.", note)
		run(t, "", "payments", "list", "--status", "conflict", "--config", config).expect(t, 0, "0 payments.", note)
		run(t, "", "payments", "list", "--limit", "1", "--from", "2020-01-01", "--config", config).expect(t, 0, "L-2", note)
		var list []struct{ Payment payment.Payment }
		out := run(t, "", "payments", "list", "--json", "--provider-reference", "=R/77", "--config", config)
		if err := json.Unmarshal([]byte(out.out), &list); err != nil || len(list) != 1 || list[0].Payment.Order != "L-1" {
			t.Errorf("%v %+v", err, out)
		}
		table := run(t, "", "payments", "list", "--csv", "--order", "L-1", "--config", config)
		rows, err := csv.NewReader(strings.NewReader(table.out)).ReadAll()
		if err != nil || len(rows) != 2 || rows[1][2] != "L-1" || rows[1][8] != "'=R/77" {
			t.Errorf("%v %v", err, rows)
		}
		run(t, "", "payment", "show", shop, "=R/77", "--config", config).expect(t, 0, "settled", "The order with this reference is L-1.")
		run(t, "", "payment", "show", shop, "=R/78", "--config", config).expect(t, 1, "", "no payment of "+shop)
	}
	check("There is no archive: 5 events of the log were read, all of it.")
	run(t, "", "payments", "list", "--events", "2", "--config", config).expect(t, 0, "1 payment.", "older payments are not found")
	run(t, "", "payments", "list", "--status", "odd", "--amount-from", "1", "--config", config).expect(t, 2, "", "--amount-from: needs currency")
	copyLog(t, conn, archived(t, config))
	check("")
	if out := run(t, "", "payments", "list", "--config", config); out.errors != "" {
		t.Errorf("%+v", out)
	}
}

func TestArchiveCommands(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	run(t, "", "archive", "status", "--config", config).expect(t, 2, "", "the configuration has no archive")
	location := archived(t, config)
	live(t, conn, payment.New(command("A-1")), submitting, withReference, paidOut)
	copyLog(t, conn, location)
	live(t, conn, payment.New(command("A-2")), submitting)
	run(t, "", "archive", "status", "--config", config).expect(t, 0, "not read yet 1", "")
	run(t, "", "archive", "verify", "--config", config).expect(t, 0, "3 events of the log and 1 payments compared", "")
	run(t, "", "archive", "rebuild", "--config", config).expect(t, 0, "The archive was made again.", "4 of 4 events archived")
	run(t, "", "archive", "status", "--json", "--config", config).expect(t, 0, `"lag": 0`, "")
	run(t, "", "archive", "rebuild", "--other-log", "--config", config).expect(t, 2, "", "--by NAME and --reason TEXT are required")
	run(t, "", "archive", "rebuild", "--dry-run", "--config", config).expect(t, 2, "", "--dry-run needs --other-log")

	again, url := streams(t) // the same archive and another log
	live(t, again, payment.New(command("A-9")), submitting)
	other := configuration(t, url, nowhere)
	text, _ := os.ReadFile(other)
	if err := os.WriteFile(other, append(text, []byte("archive: {file: "+location.File+"}\n")...), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "", "archive", "status", "--config", other).expect(t, 1, "", "PAYMENTS was made again")
	run(t, "", "archive", "verify", "--config", other).expect(t, 1, "", "PAYMENTS was made again")
	run(t, "", "archive", "rebuild", "--config", other).expect(t, 1, "", "PAYMENTS was made again")
	rebuild := []string{"archive", "rebuild", "--other-log", "--by", "kim", "--reason", "ticket 4718", "--config", other}
	run(t, "", rebuild...).expect(t, 2, "", "--yes")
	run(t, "", append(rebuild, "--dry-run")...).expect(t, 0, "had read to event 4 of the log made at ", "")
	run(t, "", "audit", "list", "--action", "rebuild", "--config", other).expect(t, 0, "0 actions", "")
	run(t, "", "archive", "status", "--config", other).expect(t, 1, "", "PAYMENTS was made again")
	run(t, "", append(rebuild, "--yes")...).expect(t, 0, "The archive was made again.", "")
	entries, err := again.Audits(bounded(t), 0, 10)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%+v, %v", entries, err)
	}
	for i, want := range []struct {
		stage  events.Stage
		result string
	}{{events.Intended, ""}, {events.Finished, "made again"}} {
		if r := entries[i].Record; r.Stage != want.stage || r.Action != events.ActionRebuild || r.By != "kim" || r.Reason != "ticket 4718" || r.LogSequence == 0 ||
			!strings.HasPrefix(r.Items[0].Stream, "archive: had read to event 4 of the log made at ") || r.Items[0].Result != want.result {
			t.Errorf("%+v", r)
		}
	}
	run(t, "", "payments", "list", "--config", other).expect(t, 0, "1 payment.", "")
}

// An erasure reaches the archive, also by the customer, and leaves what is open.
func TestEraseInTheArchive(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	location := archived(t, config)
	for _, order := range []string{"E-1", "E-2"} {
		p := payment.New(command(order))
		p.Metadata = map[string]string{"customer_id": "c-4711"}
		if order == "E-1" {
			live(t, conn, p, submitting, withReference, paidOut)
		} else {
			live(t, conn, p, submitting)
		}
	}
	copyLog(t, conn, location)
	erase := []string{"privacy", "erase", shop, "--customer", "c-4711", "--by", "kim", "--reason", "ticket 4711", "--config", config}
	run(t, "", append(erase, "--dry-run")...).expect(t, 1, "E-1 settled ACTIONS 1, archive", "1 not done")
	run(t, "", append(erase, "--yes")...).expect(t, 1, "archive 3", "1 not done")
	run(t, "", "payments", "list", "--json", "--order", "E-1", "--config", config).expect(t, 0, `"customer_id": "[erased]"`, "")
	run(t, "", "payments", "list", "--json", "--order", "E-2", "--config", config).expect(t, 0, "c-4711", "")
	run(t, "", "archive", "verify", "--config", config).expect(t, 0, "0 differences", "")
	run(t, "", append(erase, "--customer", "nobody", "--yes")...).expect(t, 1, "", "has no payment")
	run(t, "", "audit", "list", "--action", "erase", "--json", "--config", config).expect(t, 0, "ticket 4711", "")
}
