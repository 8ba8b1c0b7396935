package ecommpay_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/ecommpay"
)

// Anybody can send a callback. A long name around many values makes a signed text that is many times as long as the
// body; it is refused before it is made.
func TestABodyCostsNoMoreThanItsSize(t *testing.T) {
	const size = 256 << 10 // the largest that the ingress takes
	name := strings.Repeat("a", size/2)
	fields := &strings.Builder{}
	for n := range size / 2 / 16 {
		fmt.Fprintf(fields, `"%08d":{},`, n)
	}
	for what, body := range map[string]string{
		"a list":          `{"` + name + `":[` + strings.Repeat("1,", size/4) + `1],"signature":"x"}`,
		"empty objects":   `{"` + name + `":[` + strings.Repeat("{},", size/6) + `{}],"signature":"x"}`,
		"lists in lists":  `{"` + name + `":` + strings.Repeat(`[`, 20) + strings.Repeat("[],", size/6) + `1` + strings.Repeat(`]`, 20) + `,"signature":"x"}`,
		"in general":      `{"general":{"` + name + `":[` + strings.Repeat("1,", size/4) + `1]},"signature":"x"}`,
		"fields of names": `{"` + name + `":{` + strings.TrimSuffix(fields.String(), ",") + `},"signature":"x"}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := connect(t, settings("https://api.example.com")).Webhook(nil, []byte(body), clock())
		runtime.ReadMemStats(&after)
		var refused *connectors.WebhookError
		if !errors.As(err, &refused) || refused.Refusal != connectors.BadSignature {
			t.Errorf("%s: %v", what, err)
		}
		if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 128 {
			t.Errorf("%s: %d MiB", what, used)
		}
		if _, err := ecommpay.SigningString([]byte(body), ecommpay.NaturalByPath); err == nil {
			t.Errorf("%s: it has a signed text", what)
		}
	}
}
