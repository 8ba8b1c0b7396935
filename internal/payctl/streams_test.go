package payctl_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/natstest"
)

func TestStreams(t *testing.T) {
	t.Parallel()
	path := configuration(t, natstest.Start(t).URL(), nowhere)
	with := func(more string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		other := filepath.Join(filepath.Dir(path), "other.yaml")
		if err := os.WriteFile(other, []byte(strings.Replace(string(text), "nats: {", "nats: {"+more, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		return other
	}
	run(t, "", "streams", "diff", "--config", path).expect(t, 1, "PAYMENTS: missing", "payctl streams apply")
	run(t, "", "streams", "apply", "--config", path).expect(t, 0, "done: PAYMENTS: missing\n", "")
	run(t, "", "streams", "diff", "--config", path).expect(t, 0, "", "All streams match their definition.")
	if again := run(t, "", "streams", "apply", "--config", path); again.code != 0 || strings.Contains(again.out, "done") {
		t.Errorf("applied twice: %+v", again)
	}
	longer := with("payments_retention: 500d, ledgers: [accounting], ")
	run(t, "", "streams", "apply", "--config", longer).expect(t, 1, "done: BALANCES consumer ledger-accounting: missing\nleft: PAYMENTS: max_age is", "2 differences are left")
	run(t, "", "streams", "diff", "--json", "--config", longer).expect(t, 1, `"field": "max_age"`, "--update")
	run(t, "", "streams", "apply", "--update", "--by", "kim", "--reason", "ticket 7", "--config", longer).expect(t, 0, "done: PAYMENTS: max_age is", "")
	// A shorter memory would forget payments: no flag allows that.
	run(t, "", "streams", "apply", "--update", "--by", "kim", "--reason", "ticket 8", "--config", path).expect(t, 1, "", "PAYMENTS: max_age is")
	run(t, "", "streams", "diff", "--config", longer).expect(t, 0, "", "match their definition")
	// Each of the three that did or tried something left its intent and its result; applying nothing left none.
	run(t, "", "audit", "list", "--action", "apply", "--config", longer).expect(t, 0, "unattended create what is missing 10 done", "")
	run(t, "", "audit", "list", "--action", "apply", "--config", longer).expect(t, 0, "kim ticket 7 2 done", "")
	run(t, "", "audit", "list", "--action", "apply", "--config", longer).expect(t, 0, "kim ticket 8 2 not done", "")
	run(t, "", "audit", "list", "--action", "apply", "--config", longer).expect(t, 0, "4 actions.", "")
	run(t, "", "audit", "list", "--json", "--config", longer).expect(t, 0, `"stream": "PAYMENTS consumer ledger-accounting: missing"`, "")
	for _, missing := range [][]string{{}, {"--by", "kim"}, {"--reason", "ticket"}, {"--by", " ", "--reason", "ticket"}} {
		run(t, "", append([]string{"streams", "apply", "--update", "--config", path}, missing...)...).expect(t, 2, "", "--by NAME and --reason TEXT are required with --update: ")
	}
	run(t, "", "streams", "apply", "X").expect(t, 2, "", "takes no arguments")
	run(t, "", "streams", "diff", "--config", configuration(t, "nats://127.0.0.1:1", nowhere)).expect(t, 1, "", "connect to NATS")
}

func TestCredentialsMake(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "nats")
	run(t, "", "credentials", "make", dir, "--upstream", "shop=acme-kr,acme-tw", "--ledger", "accounting", "--host", "nats-1").
		expect(t, 0, "clients", "")
	seeds := 0
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", path, info.Mode())
		}
		if strings.HasSuffix(path, ".seed") {
			seeds++
		}
		return err
	})
	if err != nil || seeds != 9 {
		t.Errorf("%d seeds: %v", seeds, err)
	}
	key := filepath.Join(dir, "server", "nats.env")
	before, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	// One file that is there keeps all others from being written.
	if err := os.Remove(filepath.Join(dir, "ca.key")); err != nil {
		t.Fatal(err)
	}
	run(t, "", "credentials", "make", dir).expect(t, 1, "", "is there already; nothing was written")
	if after, err := os.ReadFile(key); err != nil || string(after) != string(before) {
		t.Errorf("nats.env was changed: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "ca.key")); err == nil {
		t.Error("ca.key was written beside old files")
	}
	for _, test := range [][]string{
		{"--upstream", "shop"}, {"--upstream", "Shop=acme"}, {"--upstream", "shop=acme.>"}, {"--upstream", "shop="}, {"--upstream", "shop=ac*"}, {"--upstream", "shop=>"}, {"--upstream", "shop=*,acme"},
		{"--upstream", "shop=a", "--upstream", "shop=b"}, {"--ledger", "a.b"}, {"--upstream", "ledger-a=x", "--ledger", "a"}, {"--host", ""},
	} {
		fresh := filepath.Join(t.TempDir(), "nats")
		if got := run(t, "", append([]string{"credentials", "make", fresh}, test...)...); got.code == 0 {
			t.Errorf("%v was taken", test)
		}
		if _, err := os.Lstat(fresh); err == nil {
			t.Errorf("%v: something was written", test)
		}
	}
}

// "streams diff" finds that the log was made again until a person has accepted that.
func TestAcceptedLogIsNoDifference(t *testing.T) {
	t.Parallel()
	conn, url := streams(t)
	config := configuration(t, url, nowhere)
	live(t, conn, payment.New(command("D-1")), submitting, pending, settled)
	run(t, "", "log", "accept", "--by", "kim", "--reason", "a record of how the log stands", "--yes", "--config", config).expect(t, 0, "accepted", "")
	run(t, "", "streams", "diff", "--config", config).expect(t, 0, "", "match their definition")
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := njs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(bounded(t), events.StreamPayments); err != nil {
		t.Fatal(err)
	}
	if err := conn.EnsureStreams(bounded(t)); err != nil {
		t.Fatal(err)
	}
	run(t, "", "streams", "diff", "--config", config).expect(t, 1, "it was recreated, or restored from an older copy", "")
	run(t, "", "log", "accept", "--by", "kim", "--reason", "ticket 1", "--dry-run", "--config", config).expect(t, 0, "nothing was done", "")
	run(t, "", "streams", "diff", "--config", config).expect(t, 1, "it was recreated", "")
	run(t, "", "log", "accept", "--by", "kim", "--reason", "ticket 1", "--yes", "--config", config).expect(t, 0, "accepted", "")
	run(t, "", "streams", "diff", "--config", config).expect(t, 0, "", "match their definition")
}
