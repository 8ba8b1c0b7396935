package sandbox_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"payonce/pkg/sandbox"
	"payonce/pkg/sandbox/ecommpay"
)

const stagedSecret = "sandbox-secret"

// staged is a rig whose account reports what the customer has to do.
func staged(t *testing.T) *rig {
	t.Helper()
	protocol, err := ecommpay.New(ecommpay.Settings{ProjectID: 1, Secret: stagedSecret})
	if err != nil {
		t.Fatal(err)
	}
	return newRig(t, func(o *sandbox.Options, a *sandbox.AccountConfig) {
		a.Protocol = protocol
		o.Wait = func(ctx context.Context, d time.Duration) error { // half an hour passes at once
			if d != time.Hour {
				return ctx.Err()
			}
			<-ctx.Done()
			return ctx.Err()
		}
	})
}

func (g *rig) gate(path, order string, content map[string]any) answer {
	g.t.Helper()
	content["general"] = map[string]any{"project_id": 1, "payment_id": order}
	body, err := ecommpay.SignedRequest(stagedSecret, content)
	if err != nil {
		g.t.Fatal(err)
	}
	request := httptest.NewRequest(http.MethodPost, g.url+"/"+config+path, strings.NewReader(string(body))).WithContext(g.t.Context())
	request.RequestURI = ""
	return g.do(request)
}

func (g *rig) stagedSale(order string) answer {
	return g.gate("/v2/payment/banks/korea/sale", order, map[string]any{
		"payment":  map[string]any{"amount": 10000, "currency": "KRW"},
		"customer": map[string]any{"id": "1", "ip_address": "127.0.0.1", "first_name": "Kon", "last_name": "Do"},
	})
}

func TestStages(t *testing.T) {
	stages := func(o sandbox.Order) string {
		text := ""
		for _, c := range o.Callbacks {
			text += string(c.State) + " " + string(c.Stage) + ","
		}
		return text
	}
	g := staged(t)
	for order, want := range map[string]string{
		"D1":                                    "pending customer,paid ,",
		"D2-x-early-callback":                   "pending customer,paid ,",
		"D3-x-clarification":                    "pending clarification,failed ,", // no answer came in time
		"D4-x-clarification-x-early-callback_1": "pending clarification,",
		"D5-x-decline":                          "failed ,",
		"D6-x-channel":                          "failed ,",
		"D7-x-decline-x-early-callback":         "failed ,",
		"D8-x-refund":                           "pending customer,paid ,refunded ,",
	} {
		if a := g.stagedSale(order); a.status != 200 {
			t.Errorf("%s: %+v", order, a)
		}
		if o := g.wait(order, sandbox.Acknowledged(strings.Count(want, ","))); stages(o) != want {
			t.Errorf("%s: %s", order, stages(o))
		}
	}
	const asked = "D4-x-clarification-x-early-callback_1"
	data := map[string]any{"additional_data": map[string]any{"customer": map[string]any{"last_name": "Kim"}}}
	if a := g.gate("/v2/payment/clarification", asked, data); a.status != 200 {
		t.Errorf("%+v", a)
	}
	if o := g.wait(asked, sandbox.Acknowledged(3)); o.State != sandbox.Paid || o.Charges[0].Details["last_name"] != "Kim" || lastRequest(o) != `clarify accepted "" [] 200` {
		t.Errorf("%+v", o)
	}
	for order, want := range map[string]string{"D1": `clarify refused "not_asked" [] 400`, "D9": `clarify refused "not_found" [] 400`} {
		g.gate("/v2/payment/clarification", order, data)
		if got := lastRequest(g.order(order)); got != want {
			t.Errorf("%s: %s", order, got)
		}
	}
}

func TestVisit(t *testing.T) {
	g := staged(t)
	link := ecommpay.SignedLink(stagedSecret, g.url+"/"+config, map[string]string{
		"project_id": "1", "payment_id": "D1", "payment_amount": "10000", "payment_currency": "KRW", "customer_id": "1",
	})
	page, err := g.box.Visit(t.Context(), config, link)
	if err != nil || page.Status != 200 || !strings.Contains(string(page.Body), "registered") {
		t.Errorf("%v %d %s", err, page.Status, page.Body)
	}
	g.wait("D1", sandbox.InState(sandbox.Paid))
	if a := g.admin(http.MethodPost, "/admin/"+config+"/visit", `{"link":"`+link+`"}`); a.status != 200 || !strings.Contains(a.body, "registered already") {
		t.Errorf("%+v", a)
	}
	if a := g.admin(http.MethodPost, "/admin/"+config+"/visit", `{"link":"http://x/"}`); a.status != 400 {
		t.Errorf("%+v", a)
	}
	if a := g.admin(http.MethodPost, "/admin/"+config+"/orders/D1/clarify", ""); a.status != 400 {
		t.Errorf("%+v", a)
	}
	if _, err := g.box.Visit(t.Context(), "nobody", link); err == nil {
		t.Error("a page came of nobody")
	}
	if page, err := g.box.Visit(t.Context(), config, "/elsewhere?a=b"); err != nil || page.Status != http.StatusNotFound {
		t.Errorf("%v %d", err, page.Status)
	}
}
