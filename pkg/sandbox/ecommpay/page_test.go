package ecommpay

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/pkg/sandbox"
)

// link is the request of the Korean banks page for Payment Page, with some values replaced; empty removes one.
func link(order string, change map[string]string) string {
	values := map[string]string{
		"payment_id": order, "payment_amount": "10000", "payment_currency": "KRW", "project_id": "200", "customer_id": "123",
		"customer_first_name": "Kan", "customer_last_name": "Do", "customer_email": "do@mail.com",
	}
	for name, value := range change {
		if values[name] = value; value == "" {
			delete(values, name)
		}
	}
	return SignedLink(secret, "https://paymentpage.ecommpay.com", values)
}

func (s *stand) visit(link string) sandbox.Reply {
	s.t.Helper()
	page, err := s.box.Visit(s.t.Context(), provider, link)
	if err != nil {
		s.t.Fatal(err)
	}
	return page
}

func TestDepositExistsWhenTheCustomerOpensTheLink(t *testing.T) {
	s := newStand(t, func(_ *Settings, a *sandbox.AccountConfig) { a.AutoPay = true })
	page := link("3936", nil)
	if _, answer := s.post(statusPath, general("3936")); !strings.Contains(answer, `"3061"`) {
		t.Errorf("known before the visit: %s", answer)
	}
	got := s.visit(page)
	if got.Status != http.StatusOK || !strings.Contains(string(got.Body), "Payment 3936 is registered<") {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if o := s.order("3936"); len(o.Charges) != 1 || o.Charges[0].Method != MethodPage || len(o.Callbacks) != 0 {
		t.Errorf("%+v", o)
	}
	if again := s.visit(page); again.Status != http.StatusOK || !strings.Contains(string(again.Body), "registered already") {
		t.Errorf("%d %s", again.Status, again.Body)
	}
	s.clock.until(t, wednesday.Add(time.Second))
	s.clock.set(wednesday.Add(time.Second))
	if paid := s.next(); !strings.Contains(paid, `"status":"success"`) || !strings.Contains(paid, `"customer":{"id":"123"}`) {
		t.Error(paid)
	}
	if o := s.order("3936"); len(o.Charges) != 1 || o.Creates != 2 {
		t.Errorf("%+v", o)
	}
	if status, answer := s.post(salePath, sale("3936", nil)); status != 400 || field(answer, "code") != "3041" {
		t.Errorf("%d %s", status, answer)
	}
}

func TestVisitOverHTTPAndByAdmin(t *testing.T) {
	s := newStand(t, nil)
	_, query, _ := strings.Cut(link("D1", map[string]string{"merchant_callback_url": "http://127.0.0.1:1/x", "flag": "true"}), "?")
	response, err := s.client.Get(s.url + "/payment?" + query)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if o := s.order("D1"); response.StatusCode != 200 || len(o.Charges) != 1 || o.Charges[0].CallbackURL != "http://127.0.0.1:1/x" {
		t.Errorf("%d %+v", response.StatusCode, o)
	}
	admin := strings.Replace(s.url, "/"+provider, "/admin/"+provider+"/visit", 1)
	for body, want := range map[string]string{
		`{"link":"` + link("D2", nil) + `"}`: `"status":200`, `{"link":"x"}`: "the link", `{"x":1}`: "unknown field",
		`{"link":"` + s.url + "/payment?" + query + `"}`: "registered already",
	} {
		response, err := s.client.Post(admin, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		var answer strings.Builder
		if err := response.Write(&answer); err != nil || !strings.Contains(answer.String(), want) {
			t.Errorf("%s: %v %s", body, err, answer.String())
		}
	}
	if o := s.order("D2"); len(o.Charges) != 1 {
		t.Errorf("%+v", o)
	}
}

func TestDroppedVisit(t *testing.T) {
	s := newStand(t, nil)
	if _, err := s.box.Visit(t.Context(), provider, link("D1-x-drop", nil)); err == nil {
		t.Error("a page came")
	}
	if o := s.order("D1-x-drop"); len(o.Charges) != 1 {
		t.Errorf("%+v", o)
	}
	if _, err := s.box.Visit(t.Context(), "nobody", link("D1", nil)); err == nil {
		t.Error("a page came of nobody")
	}
	s.box.Close()
	if _, err := s.box.Visit(t.Context(), provider, link("D1", nil)); err == nil {
		t.Error("a page came after the end")
	}
}

func TestBoolsInLinksAreSignedAsNumbers(t *testing.T) {
	s := newStand(t, nil)
	// The SDKs write true into the link and sign 1.
	text := SignedLink(secret, "", map[string]string{
		"payment_id": "D1", "payment_amount": "10000", "payment_currency": "KRW", "project_id": "200", "customer_id": "1", "flag": "1",
	})
	if got := s.visit(strings.Replace(text, "flag=1", "flag=true", 1)); got.Status != 200 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}

func TestLinksThatAreRefused(t *testing.T) {
	s := newStand(t, func(settings *Settings, _ *sandbox.AccountConfig) { settings.RefuseLimits = true })
	_, unsigned, _ := strings.Cut(link("D1", nil), "?")
	unsigned = unsigned[:strings.Index(unsigned, "&signature=")]
	for name, c := range map[string]struct {
		link   string
		status int
		code   string
	}{
		"changed":     {strings.Replace(link("D1", nil), "10000", "10001", 1), 401, "3261"},
		"unsigned":    {"/payment?" + unsigned, 401, "3262"},
		"project":     {link("D1", map[string]string{"project_id": "201"}), 400, "2442"},
		"no customer": {link("D1", map[string]string{"customer_id": ""}), 400, "2004"},
		"number":      {link("D 1", nil), 400, "3024"},
		"dollars":     {link("D1", map[string]string{"payment_currency": "USD"}), 400, "3121"},
		"fraction":    {link("D1", map[string]string{"payment_amount": "1.5"}), 400, "502"},
		"little":      {link("D1", map[string]string{"payment_amount": "9999"}), 400, "3358"},
		"callback":    {link("D1", map[string]string{"merchant_callback_url": "x"}), 400, "502"},
		"late":        {link("D1", map[string]string{"best_before": "2019-10-16T09:39:20+0000"}), 400, "502"},
		"late, RFC":   {link("D1", map[string]string{"best_before": "2019-10-16T18:39:20+09:00"}), 400, "502"},
	} {
		got := s.visit(c.link)
		if got.Status != c.status || !strings.Contains(string(got.Body), "("+c.code+")") {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	if o := s.order("D1"); len(o.Charges) != 0 {
		t.Errorf("%+v", o)
	}
	if got := s.visit(link("D1", map[string]string{"best_before": "2019-10-16T09:39:21+0000"})); got.Status != 200 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}
