package config_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"payonce/pkg/config"
	"payonce/pkg/payment"
)

func TestApprovals(t *testing.T) {
	c, err := config.Load(testFile, fake(least+"approvals: {above: [1000000 KRW, \"30000 TWD\"], expires: 2h}\n", nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	if want := []payment.Money{payment.KRW(1000000), {Minor: 3000000, Currency: "TWD"}}; !reflect.DeepEqual(c.Approvals.Limits(), want) || c.Approvals.Expires != 2*time.Hour {
		t.Errorf("%+v", c.Approvals)
	}
	if text := c.Summary(); !strings.Contains(text, "approvals:\n  above:\n    - 1000000 KRW\n    - 30000.00 TWD\n  expires: 2h\n") {
		t.Error(text)
	}
	for section, problem := range map[string]string{
		"{above: [1000000]}":                 "approvals.above[0]: must be an amount like 1000000 KRW",
		"{above: [1000000 EUR]}":             "approvals.above[0]: must be an amount like 1000000 KRW",
		"{above: [10000 KRW, 1 KRW]}":        "approvals.above[1]: has a currency that stands above it already",
		"{above: [10000 KRW], expires: 0s}":  "approvals.expires: must be positive and at most 30d",
		"{above: [10000 KRW], expires: 31d}": "approvals.expires: must be positive and at most 30d",
	} {
		if _, err := config.Load(testFile, fake(least+"approvals: "+section+"\n", nil, nil)); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v", section, err)
		}
	}
}
