package sandbox_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/pkg/sandbox"
)

// A sandbox that is started again with what was saved goes on: what it had accepted it knows, money moves, and the merchant gets what
// it had not acknowledged.
func TestRestore(t *testing.T) {
	const twice = "D-x-accept-duplicates_1-2"
	first := newRig(t, func(_ *sandbox.Options, a *sandbox.AccountConfig) {
		a.MoveDelay, a.AutoPay, a.Retry.Attempts = time.Hour, false, 100
	})
	first.merchant.answer = func(_ int, w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) }
	for _, order := range []string{"D-1", twice, twice} { // the last one uses the fault up
		if a := first.deposit(order); a.code() != 200 {
			t.Fatalf("%+v", a)
		}
	}
	if a := first.payout("P-1"); a.code() != 200 {
		t.Fatalf("%+v", a)
	}
	must(t, first.box.Pay(config, "D-1", 0))
	first.wait("D-1", func(o sandbox.Order) bool { return len(o.Callbacks) == 1 && len(o.Callbacks[0].Deliveries) > 0 })
	first.box.Close()
	var kept bytes.Buffer
	must(t, first.box.Save(&kept))

	second := newRig(t, func(_ *sandbox.Options, a *sandbox.AccountConfig) { a.MoveDelay, a.AutoPay = time.Millisecond, false })
	must(t, second.box.Restore(bytes.NewReader(bytes.ReplaceAll(kept.Bytes(), []byte(first.merchant.url), []byte(second.merchant.url)))))
	second.wait("D-1", sandbox.Acknowledged(1))
	if o := second.wait("P-1", sandbox.Acknowledged(1)); o.State != sandbox.Paid || len(o.Movements) != 1 {
		t.Errorf("the payout is %+v", o)
	}
	for _, order := range []string{"D-1", twice, "P-1"} {
		if a := second.create(sandbox.Operation(map[byte]string{'D': "deposit", 'P': "payout"}[order[0]]), order); a.code() == 200 {
			t.Errorf("%s is accepted again: %s", order, a.body)
		}
	}
	if a := second.deposit("D-3"); a.code() != 200 {
		t.Errorf("%+v", a)
	}
	references := map[string]bool{}
	for _, o := range second.box.Truth().Accounts[0].Orders {
		for _, c := range o.Charges {
			if references[c.Reference] {
				t.Errorf("the reference %s is given twice", c.Reference)
			}
			references[c.Reference] = true
		}
	}
	if len(references) != 5 {
		t.Errorf("%d charges, want 5", len(references))
	}
}

func TestRestoreRefusesWhatItCannotBe(t *testing.T) {
	const one = `{"provider":"teemopay-kr","orders":[{"order":"D-1"}],"records":[{"released":true}]}`
	for kept, want := range map[string]string{
		"":        "unexpected end",
		"no JSON": "invalid character",
		"{}":      "the account teemopay-kr is missing",
		"null":    "the account teemopay-kr is missing",
		`{"accounts":[` + one + `]}{"accounts":[]}`:                            "after top-level value",
		`{"accounts":[` + one + `,` + one + `]}`:                               "the account teemopay-kr occurs twice",
		`{"accounts":[` + one + `,{"provider":"other"}]}`:                      "other",
		`{"accounts":[{"provider":"teemopay-kr","orders":[{"order":"D-1"}]}]}`: "1 orders with 0 records",
		`{"accounts":[{"provider":"teemopay-kr","orders":[{"order":"D-1"},{"order":"D-1"}],"records":[{"released":true},{"released":true}]}]}`: "the order D-1 occurs twice",
		`{"accounts":[{"provider":"teemopay-kr","orders":[{"order":"D 1"}],"records":[{}]}]}`:                                                  "an order number is",
		`{"accounts":[{"provider":"teemopay-kr","orders":[{"order":"D-1","charges":[{}]}],"records":[{}]}]}`:                                   "D-1",
	} {
		if err := newRig(t, nil).box.Restore(strings.NewReader(kept)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", kept, err, want)
		}
	}
	must(t, newRig(t, nil).box.Restore(strings.NewReader(`{"accounts":[`+one+`]}`)))
}

func TestSaveSaysThatItCouldNot(t *testing.T) {
	if err := newRig(t, nil).box.Save(full{}); !errors.Is(err, errFull) {
		t.Error(err)
	}
}

type full struct{}

var errFull = errors.New("no room")

func (full) Write([]byte) (int, error) { return 0, errFull }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
