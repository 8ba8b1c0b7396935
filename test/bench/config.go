package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"payonce/test/bench/baseline"
)

// closedAccount is the account that is closed while payments of another one are measured.
const closedAccount = "bench-closed"

// configText is the configuration of payonce's workers: what a file has that says only what it must, and when payments are looked
// up, so that none is looked up by chance while others are measured.
const configText = `environment: test
nats:
  urls: [%s]
  replicas: %d
redis:
  addresses: [%q]
worker:
  slots: %d
%sproviders:
`

// quickWork lets a payment be due for a look-up soon: the provider's word is not believed before these times have passed.
const (
	quickWork     = "  submit_timeout: 2s\n  retry_for: 1s\n  lease: 6s\n"
	leastDueAfter = 10 * time.Second // lease, submit_timeout, clock_bound and a second
)

const accountText = `  %s:
    kind: diamondpay
%s    settings:
      base_url: %s
      platform_id: %s
      secret_file: secret
      sign_type: HMAC-SHA256
      currency: KRW
      version: v2
      settling_delay: %s
      callback_url: ` + baseline.NotifyURL + `
      allow_plain_links: true
`

// configuration of workers. now says when the closed account opens: half a day later.
func (s *system) configuration(now time.Time) string {
	work, lookups, settling := "", "    basic_time: 12h\n    threshold: 60d\n", time.Minute
	if s.due > 0 {
		work, lookups, settling = quickWork, fmt.Sprintf("    basic_time: %s\n    threshold: 60d\n", s.dueAfter), leastDueAfter
	}
	text := fmt.Sprintf(configText, `"`+strings.Join(s.urls(), `", "`)+`"`, s.nodes, s.redis.Addr(), s.slots, work)
	text += fmt.Sprintf(accountText, baseline.Provider, lookups, s.provider, baseline.PlatformID, settling)
	if s.parked > 0 {
		opens := now.UTC().Add(12 * time.Hour).Hour()
		hours := fmt.Sprintf("    hours: {zone: UTC, days: mon-sun, hours: \"%02d:00-%02[1]d:59\"}\n", opens)
		text += fmt.Sprintf(accountText, closedAccount, lookups+hours, s.provider+"/closed", "PF0003", settling)
	}
	return text
}

// answer is the provider: it takes every deposit and payout, remembers nothing, and says of every order that it is pending.
func (s *system) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodGet {
		s.answerLookup(w, r.URL.Path)
		return
	}
	var asked struct {
		Deposit string          `json:"payment_cl_id"`
		Payout  string          `json:"payout_cl_id"`
		Amount  json.RawMessage `json:"amount"` // a string of a deposit, a number of a payout
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if s.delay > 0 {
		select {
		case <-time.After(s.delay):
		case <-r.Context().Done():
		}
	}
	if asked.Payout != "" {
		_, _ = fmt.Fprintf(w, `{"error_code":"0000","data":{"payout_id":"P%s"}}`, asked.Payout)
		return
	}
	_, _ = fmt.Fprintf(w, `{"error_code":"0000","data":{"link":"https://pay.example.com/cashier/%[1]s","payment_cl_id":%[1]q,"payment_id":"P%[1]s","amount":%[2]s}}`, asked.Deposit, asked.Amount)
}

// answerLookup says of an order that it is pending. What else a worker asks has no answer.
func (s *system) answerLookup(w http.ResponseWriter, asked string) {
	folder, order := path.Split(asked)
	kind := strings.TrimSuffix(path.Base(folder), "s")
	if kind != "payment" && kind != "payout" {
		http.Error(w, "not here", http.StatusNotFound)
		return
	}
	s.lookups.Add(1)
	_, _ = fmt.Fprintf(w, `{"error_code":"0000","data":{"%[1]s_cl_id":%[2]q,"%[1]s_id":"P%[2]s","platform_id":%[3]q,"amount":"10000","status":"1"}}`, kind, order, baseline.PlatformID)
}
