package payctl_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// gate answers like the list of banks of ECommPay's Gate (pm_korea_gate).
func gate(t *testing.T, status int, answer string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		list := answer
		if r.URL.Path == "/v2/info/banks/korea/sale/list" {
			list = strings.Replace(answer, "751", "752", 1)
		}
		_, _ = io.WriteString(w, list)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

const twoBanks = `[{"id":751,"abbr":"SH","name":"Shinhan Bank","nativeName":"신한은행","currencies":[{"id":410,"alpha_3_4217":"KRW","number_3_4217":"410","alias":"","exponent":0}]},` +
	`{"id":771,"abbr":"KB","name":"Kookmin Bank","nativeName":"","currencies":[{"id":410,"alpha_3_4217":"KRW","number_3_4217":"410","alias":"","exponent":0}]}]`

func TestBanks(t *testing.T) {
	t.Parallel()
	config := configuration(t, "nats://127.0.0.1:1", gate(t, 200, twoBanks))
	run(t, "", "banks", shop, "--config", config).expect(t, 0, "CODE NAME NATIVE NAME\n751 Shinhan Bank 신한은행\n771 Kookmin Bank", "")
	o := run(t, "", "banks", shop, "--json", "--config", config)
	var list []map[string]string
	if err := json.Unmarshal([]byte(o.out), &list); err != nil || len(list) != 2 || list[0]["code"] != "751" || list[0]["native_name"] != "신한은행" {
		t.Errorf("%v %v", err, o)
	}
	run(t, "", "banks", shop, "--operation", "deposit", "--config", config).expect(t, 0, "752 Shinhan Bank", "")
}

func TestBanksRefused(t *testing.T) {
	t.Parallel()
	config := configuration(t, "nats://127.0.0.1:1", gate(t, 401, `{"status":"error","code":"3261","message":"Invalid signature"}`))
	run(t, "", "banks", shop, "--config", config).expect(t, 1, "", "banks of ecommpay-kr")
	run(t, "", "banks", other, "--config", config).expect(t, 1, "", "teemopay-kr has no list of banks (kind teemopay)")
	run(t, "", "banks", "acme", "--config", config).expect(t, 2, "", `provider "acme" is not configured; configured: ecommpay-kr, teemopay-kr`)
	run(t, "", "banks", shop, "--operation", "refund", "--config", config).expect(t, 2, "", "payout or deposit")
	run(t, "", "banks", shop, "--config", "none.yaml").expect(t, 2, "", "cannot be read")
}
