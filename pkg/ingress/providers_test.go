package ingress_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/connectors"
	"payonce/pkg/connectors/check"
	"payonce/pkg/ingress"
	"payonce/pkg/payment"
)

// describing says what it needs.
type describing struct{ tellingConnector }

func (describing) Form(op payment.Operation, method, _ string) (check.Form, bool) {
	return check.Form{Least: 100, Fields: []check.Field{check.Required("customer.name", check.Most(20))}}, op == payment.Deposit || method == ""
}

func TestWhatAProviderNeeds(t *testing.T) {
	hours, err := calendar.Parse(calendar.ECommPayKorea())
	if err != nil {
		t.Fatal(err)
	}
	b := newBorder(t, withGame, func(o *ingress.Options) {
		o.Registry = connectors.NewRegistry(map[string]connectors.Connector{"fake-kr": &describing{}, "other-kr": fakeConnector{}, "mute-kr": muteConnector{}})
		o.OrderPrefixes = payment.OrderPrefixes{"game": "G-"}
		o.Opening = func(_ string, op payment.Operation) ingress.Opening {
			if op == payment.Payout {
				return ingress.Opening{Hours: hours, WhenClosed: "reject"}
			}
			return ingress.Opening{WhenClosed: "park"}
		}
	})
	type answerType struct {
		Hours map[string]struct {
			OpenNow    bool   `json:"open_now"`
			WhenClosed string `json:"when_closed"`
			Zone       string
			Until      time.Time
			Open       []struct{ From, To time.Time }
		}
		Ways []struct {
			Operation, Method, Currency string
			Default                     bool
			Schema                      struct {
				Required   []string
				Properties map[string]json.RawMessage
			}
		}
		Banks map[string][]struct{ Code string }
	}
	var a answerType
	read := func(key ...string) string {
		a = answerType{}
		got := b.do("GET", "/v1/providers/fake-kr", "", key...)
		got.mustBe(t, 200)
		if err := json.Unmarshal([]byte(got.body), &a); err != nil {
			t.Fatal(err)
		}
		return got.body
	}
	read()
	// The test begins on Sunday at 9:00 in Seoul.
	if o := a.Hours["deposit"]; !o.OpenNow || len(o.Open) != 0 || o.WhenClosed != "park" || !o.Until.IsZero() {
		t.Errorf("deposits are open %+v", o)
	}
	if o := a.Hours["payout"]; o.OpenNow || len(o.Open) == 0 || !o.Open[0].From.Equal(o.Until) || o.Zone != "+09:00" || o.WhenClosed != "reject" || !hours.Open(o.Until) {
		t.Errorf("payouts are open %+v", o)
	}
	if len(a.Banks["payout"]) == 0 || a.Banks["deposit"] != nil {
		t.Errorf("the banks are %+v", a.Banks)
	}
	var defaults []string
	for _, way := range a.Ways {
		if way.Default {
			defaults = append(defaults, way.Operation+" "+way.Method+" "+way.Currency)
		}
		if way.Operation == "deposit" && strings.Join(way.Schema.Required, " ") != "amount customer method order provider" && !way.Default {
			t.Errorf("%s needs %v", way.Method, way.Schema.Required)
		}
	}
	if len(a.Ways) < 2 || len(defaults) == 0 || !strings.HasPrefix(defaults[0], "deposit va KRW") {
		t.Errorf("the ways are %+v", a.Ways)
	}
	if body := read(asGame...); !strings.Contains(body, "^G-[A-Za-z0-9_-]{0,") {
		t.Errorf("an upstream with a prefix is told %s", body)
	}
	if list := b.do("GET", "/v1/providers", ""); !strings.Contains(list.body, `"open_now":false`) || strings.Contains(list.body, "schema") {
		t.Errorf("the list is %s", list.body)
	}
}
