package testenv

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/pkg/secret"
)

// The sandbox answers as the examples of the pages do, with other amounts than the ordered one and links that are not
// https. With the settings of the test environment's file, and without plain links, each customer learns how much to transfer
// and where, and what arrives settles the deposit.
func TestDiamondPayDepositsCanBePaid(t *testing.T) {
	keys, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := keys.Accounts(Addresses{}, func(a *sandbox.AccountConfig) { a.MoveDelay, a.CallbackURL = time.Hour, "" })
	if err != nil {
		t.Fatal(err)
	}
	box, err := sandbox.New(sandbox.Options{Accounts: accounts, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(box.Close)
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	settings := diamondPaySettings(t, keys, server.URL)
	for _, c := range []struct {
		account, method string
		due             payment.Money
	}{
		{DiamondPayInfo, "", payment.KRW(49_996)},
		{DiamondPayV2, "", payment.KRW(50_010)},
		{DiamondPayV2, "atm", payment.KRW(49_996)}, // the other version of the same account
	} {
		t.Run(c.account+" "+c.method, func(t *testing.T) {
			account, due := c.account, c.due
			s := settings[account]
			s.AllowPlainLinks = false
			client := httpcall.NewClient(httpcall.Options{})
			t.Cleanup(client.CloseIdleConnections)
			conn, err := diamondpay.New(account, s, client, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			ref := payment.Ref{Provider: account, Order: "o-1" + c.method}
			cmd, err := events.ParseCommand(payment.Deposit, []byte(Variant{Account: account, Method: c.method, Amount: payment.KRW(50_000)}.Command(ref)))
			if err != nil {
				t.Fatal(err)
			}
			p := payment.New(cmd)
			observe := func(o payment.Observation, err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				if p, _, err = payment.Decide(p, o, time.Now()); err != nil {
					t.Fatal(err)
				}
			}
			observe(payment.Observation{Kind: payment.Intend}, nil)
			observe(conn.Submit(t.Context(), cmd))
			if p.Status != payment.Pending || p.Action == nil || p.Action.Transfer == nil || p.Action.Transfer.Amount != due || p.Action.Transfer.AccountNumber == "" {
				t.Fatalf("%s, %+v, %+v", p.Status, p.Reason, p.Action)
			}
			if err := box.Pay(account, ref.Order, due.Minor); err != nil {
				t.Fatal(err)
			}
			observe(conn.Lookup(t.Context(), connectors.Query{Ref: ref, Operation: payment.Deposit, Amount: p.Amount}))
			if p.Status != payment.Settled || p.SettledAmount != due || p.Amount != payment.KRW(50_000) {
				t.Errorf("%s of %s, %+v", p.Status, p.SettledAmount, p.Reason)
			}
		})
	}
}

// diamondPaySettings reads what the test environment's file says about the accounts at Diamond Pay.
func diamondPaySettings(t *testing.T, keys Keys, sandboxURL string) map[string]diamondpay.Settings {
	t.Helper()
	dir := t.TempDir()
	path, _, err := keys.WriteConfig(dir, Addresses{NATS: []string{"nats://127.0.0.1:1"}, Redis: "127.0.0.1:1", Listen: "127.0.0.1:1", Sandbox: sandboxURL})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Providers map[string]struct {
			Settings yaml.Node `yaml:"settings"`
		} `yaml:"providers"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(filepath.Base(path), err)
	}
	settings := map[string]diamondpay.Settings{}
	for _, account := range []string{DiamondPayInfo, DiamondPayV2} {
		node := file.Providers[account].Settings
		var s diamondpay.Settings
		if err := node.Decode(&s); err != nil {
			t.Fatal(err)
		}
		s.Secret, s.Authorization = secret.New(keys.shared), secret.New(keys.token)
		settings[account] = s
	}
	return settings
}
