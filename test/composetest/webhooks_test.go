package main

import (
	"slices"
	"testing"

	"payonce/pkg/payment"
	"payonce/test/testmerchant"
)

// One webhook about each payment and nothing else is what must be; of a time before, the same may come again.
func TestWebhooksAreChecked(t *testing.T) {
	one := testmerchant.Received{ID: "a", Provider: "acme", Order: "D-1", Status: payment.Settled, Times: 1}
	two := testmerchant.Received{ID: "b", Provider: "acme", Order: "D-2", Status: payment.Settled, Times: 2} // at least once
	failed, twice := one, one
	failed.Status, twice.ID = payment.Failed, "c"
	for name, c := range map[string]struct {
		got    testmerchant.Webhooks
		before map[string]bool
		good   bool
	}{
		"as it must be":             {testmerchant.Webhooks{Received: []testmerchant.Received{one, two}}, nil, true},
		"one is missing":            {testmerchant.Webhooks{Received: []testmerchant.Received{one}}, nil, false},
		"one more":                  {testmerchant.Webhooks{Received: []testmerchant.Received{one, two, {ID: "d", Provider: "acme", Order: "D-3", Status: payment.Settled}}}, nil, false},
		"two ids of one outcome":    {testmerchant.Webhooks{Received: []testmerchant.Received{one, two, twice}}, nil, false},
		"another outcome":           {testmerchant.Webhooks{Received: []testmerchant.Received{failed, two}}, nil, false},
		"a bad signature":           {testmerchant.Webhooks{Received: []testmerchant.Received{one, two}, Refused: 1}, nil, false},
		"one of a time before":      {testmerchant.Webhooks{Received: []testmerchant.Received{one, two, twice}}, map[string]bool{"c": true}, true},
		"only those of time before": {testmerchant.Webhooks{Received: []testmerchant.Received{one, two}}, map[string]bool{"a": true}, false},
	} {
		ids, err := checkWebhooks(c.got, 2, c.before)
		if (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
		for id := range c.before {
			if err == nil && (!ids[id] || !ids["b"]) {
				t.Errorf("%s: ids %v", name, ids)
			}
		}
	}
}

// The link is read from the log of a console that was started again: the last one counts.
func TestLinkOfTheConsole(t *testing.T) {
	log := "console_1  | {\"level\":\"WARN\",\"msg\":\"this link signs in once, within ten minutes\",\"link\":\"http://127.0.0.1:8091/sign-in/link?token=a%3D\"}\n" +
		"console_1  | {\"level\":\"WARN\",\"msg\":\"this link signs in once, within ten minutes\",\"link\":\"http://127.0.0.1:8091/sign-in/link?token=b\"}\n"
	if token, err := linkToken(log); err != nil || token != "b" {
		t.Errorf("%q, %v", token, err)
	}
	if _, err := linkToken("listening"); err == nil {
		t.Error("no link is one")
	}
	if got := missing("<b>D-1</b> settled", []string{"D-1", "settled", "x"}); !slices.Equal(got, []string{"x"}) {
		t.Errorf("missing %v", got)
	}
}
