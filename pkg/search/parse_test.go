package search_test

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/search"
)

func TestParse(t *testing.T) {
	values, err := url.ParseQuery("status=settled&status=failed&provider=acme&operation=payout&order=D-1&provider_reference=R-1&code=declined" +
		"&amount_from=1.50&amount_to=2&currency=TWD&from=2026-11-22T09:00:00%2B09:00&to=2026-11-23T00:00:00Z&metadata=shop=a%3Db&overdue=true")
	if err != nil {
		t.Fatal(err)
	}
	f, problems := search.Parse(values)
	want := search.Filter{
		Statuses: []payment.Status{payment.Settled, payment.Failed}, Providers: []string{"acme"}, Operations: []payment.Operation{payment.Payout},
		Order: "D-1", Reference: "R-1", Codes: []string{"declined"}, AmountFrom: payment.TWD(150), AmountTo: payment.TWD(200),
		From: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC),
		MetadataName: "shop", MetadataValue: "a=b", HasValue: true, Overdue: true,
	}
	if len(problems) > 0 || !reflect.DeepEqual(f, want) {
		t.Errorf("%+v\n%+v\n%v", f, want, problems)
	}
}

// Every bad parameter is named, and its value is not shown.
func TestParseNamesEveryProblem(t *testing.T) {
	values := url.Values{"hunter2!": {"hunter2"}}
	for _, name := range search.Parameters() {
		if name != "code" && name != "provider_reference" {
			values.Set(name, "hunter2!")
		}
	}
	values["metadata"] = []string{"=hunter2"}
	values["code"] = slices.Repeat([]string{"hunter2"}, 21)
	values["provider_reference"] = []string{"hunter2", "hunter2"}
	_, problems := search.Parse(values)
	if len(problems) != len(search.Parameters())+1 {
		t.Errorf("%d problems: %v", len(problems), problems)
	}
	for _, p := range problems {
		if strings.Contains(p.Error(), "hunter2") {
			t.Errorf("%v shows the value", p)
		}
	}
	for query, name := range map[string]string{"amount_from=5": "amount_from", "currency=KRW": "currency", "amount_to=1.5&currency=KRW": "amount_to", "status=requested": "status", "overdue=": "overdue", "order=": "order", "state=x": "state", "after=x": "after", "%1b=x&:=x": ""} {
		values, _ := url.ParseQuery(query)
		if _, problems := search.Parse(values); len(problems) != 1 || problems[0].Name != name {
			t.Errorf("%s: %v", query, problems)
		}
	}
	many := url.Values{}
	for i := range 1000 {
		many.Set(fmt.Sprintf("x%d", i), "")
	}
	if _, problems := search.Parse(many); len(problems) != 20 {
		t.Errorf("%d problems of 1000 unknown parameters", len(problems))
	}
}
