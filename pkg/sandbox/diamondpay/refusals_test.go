package diamondpay

import (
	"net/http"
	"strings"
	"testing"

	"payonce/pkg/sandbox"
)

func long(n int) string { return strings.Repeat("x", n) }

func TestRefusals(t *testing.T) {
	s := newStand(t, func(settings *Settings, a *sandbox.AccountConfig) {
		byHand(settings, a)
		settings.MinAmount, settings.MaxAmount = 10_000, 2_000_000
	})
	v1, v2, pays := s.exampleKRW("D1"), s.exampleV2("D1"), s.payout("P1")
	for _, c := range []struct {
		name    string
		path    string
		content change
		code    string
		reason  string
	}{
		{"platform", v1Path, with(v1, change{"platform_id": "PF0003"}), "0002", ReasonPlatform},
		{"unknown service", v1Path, with(v1, change{"service_id": "SVC9999"}), "0009", ReasonService},
		{"service of v2", v1Path, with(v1, change{"service_id": "SVC0015"}), "0009", ReasonService},
		{"service of v1", v2Path, with(v2, change{"service_id": "SVC0026"}), "0009", ReasonService},
		{"service of Taiwan", v1Path, with(v1, change{"service_id": "SVC0025"}), "0010", ReasonService},
		{"too little", v1Path, with(v1, change{"amount": 999900}), "0028", ReasonLimit},
		{"too much", v1Path, with(v1, change{"amount": 200000100}), "0029", ReasonLimit},
		{"part of a won", v1Path, with(v1, change{"amount": 130000001}), "0002", "field:amount"},
		{"zero", v1Path, with(v1, change{"amount": "0"}), "0002", "field:amount"},
		{"fraction", v1Path, with(v1, change{"amount": "1300000.00"}), "0002", "field:amount"},
		{"list as amount", v1Path, with(v1, change{"amount": []int{1}}), "0002", "field:amount"},
		{"no amount", v1Path, with(v1, change{"amount": nil}), "0002", "field:amount"},
		{"11 digits", v1Path, with(v1, change{"amount": "10000000000"}), "0002", "field:amount"},
		{"long name", v1Path, with(v1, change{"name": strings.Repeat("홍", 17)}), "0002", "field:name"},
		{"long user", v1Path, with(v1, change{"user_id": long(17)}), "0002", "field:user_id"},
		{"long bank", v1Path, with(v1, change{"bank_name": long(33)}), "0002", "field:bank_name"},
		{"no address", v1Path, with(v1, change{"notify_url": nil}), "0002", "field:notify_url"},
		{"bad address", v1Path, with(v1, change{"notify_url": "ftp://x"}), "0002", "field:notify_url"},
		{"no time", v1Path, with(v1, change{"request_time": nil}), "0002", "field:request_time"},
		{"text as time", v1Path, with(v1, change{"request_time": "today"}), "0002", "field:request_time"},
		{"no bank", payoutPath, with(pays, change{"bank_name": nil}), "0002", "field:bank_name"},
		{"foreign bank", payoutPath, with(pays, change{"bank_name": "ACB"}), "0012", "field:bank_name"},
		{"no phone", payoutPath, with(pays, change{"phone_number": nil}), "0002", "field:phone_number"},
		{"no currency", payoutPath, with(pays, change{"currency": nil}), "0002", "field:currency"},
		{"dollars", payoutPath, with(pays, change{"currency": "usd"}), "0002", "field:currency"},
		{"letters as account", payoutPath, with(pays, change{"number": "abc"}), "0002", "field:number"},
		{"no name", payoutPath, with(pays, change{"name": ""}), "0002", "field:name"},
		{"little payout", payoutPath, with(pays, change{"amount": 999900}), "0028", ReasonLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			order := "D1"
			if c.path == payoutPath {
				order = "P1"
			}
			answer := s.post(c.path, c.content)
			if code(answer) != c.code || !strings.Contains(answer, `"error_msg":"`+messages[c.code]) {
				t.Error(answer)
			}
			s.refusedAs(order, c.reason)
			if o := s.order(order); len(o.Charges) != 0 {
				t.Errorf("accepted: %+v", o)
			}
		})
	}
	for path, content := range map[string]change{v1Path: s.exampleKRW(long(33)), v2Path: s.exampleV2(long(65)), payoutPath: s.payout("P 1")} {
		if answer := s.post(path, content); code(answer) != codeParameters {
			t.Errorf("%s: %s", path, answer)
		}
	}
	if answer := s.post(v2Path, s.exampleV2(long(64))); code(answer) != codeOK {
		t.Error(answer)
	}
	if answer := s.post(payoutPath, s.payout(long(64))); code(answer) != codeDuplicate {
		t.Error(answer) // one number for both operations
	}
	s.refusedAs(long(64), "duplicate")
}

func TestTaiwaneseFields(t *testing.T) {
	s := newStand(t, func(settings *Settings, a *sandbox.AccountConfig) {
		byHand(settings, a)
		taiwan(settings, a)
	})
	numbers := func(n int) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = "12345"
		}
		return list
	}
	right := s.exampleTWD("D1")
	for _, c := range []struct {
		name   string
		change change
		code   string
	}{
		{"none", change{"last_numbers": nil}, "0026"},
		{"empty", change{"last_numbers": []string{}}, "0026"},
		{"eleven", change{"last_numbers": numbers(11)}, "0002"},
		{"four digits", change{"last_numbers": []string{"1234"}}, "0002"},
		{"number", change{"last_numbers": []int{12345}}, "0002"},
		{"text", change{"last_numbers": "12345"}, "0002"},
		{"no name", change{"name": nil}, "0002"},
		{"long bank", change{"bank_code": "0123"}, "0002"},
		{"won", change{"service_id": "SVC0026"}, "0010"},
	} {
		if answer := s.post(v1Path, with(right, c.change)); code(answer) != c.code {
			t.Errorf("%s: %s", c.name, answer)
		}
	}
	for n, list := range [][]string{numbers(1), numbers(10)} {
		if answer := s.post(v1Path, with(s.exampleTWD(long(n+1)), change{"last_numbers": list})); code(answer) != codeOK {
			t.Error(answer)
		}
	}
	if answer := s.post(payoutPath, s.payout("P1")); code(answer) != codeNotEnabled {
		t.Error(answer)
	}
}

func TestOldPayouts(t *testing.T) {
	s := newStand(t, func(settings *Settings, a *sandbox.AccountConfig) {
		byHand(settings, a)
		settings.OldPayouts = true
	})
	old := with(s.payout("P1"), change{"phone_number": nil, "currency": nil, "platform_channel_id": "PFC00001"})
	if answer := s.post(payoutPath, old); code(answer) != codeOK {
		t.Error(answer)
	}
	if answer := s.post(payoutPath, with(s.payout("P2"), change{"currency": "usd"})); code(answer) != codeParameters {
		t.Error(answer)
	}
	if answer := s.post(payoutPath, s.payout(long(33))); code(answer) != codeParameters {
		t.Error(answer)
	}
}

func TestRequestsThatCannotBeRead(t *testing.T) {
	s := newStand(t, nil)
	for body, want := range map[string]string{"{": "0021", "[]": "0021", "{}{}": "0021", "{}": "0002", strings.Repeat(" ", 64<<10+1): "0021"} {
		if _, answer, err := s.send(v1Path, []byte(body)); err != nil || code(answer) != want {
			t.Errorf("%v %s", err, answer)
		}
	}
	response, err := s.client.Post(s.url+v1Path, "text/plain", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.url+v1Path, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if response, err = s.client.Do(request); err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	reasons := map[string]bool{}
	for _, r := range s.box.Truth().Accounts[0].Refused {
		reasons[r.Reason] = true
	}
	for _, reason := range []string{ReasonBody, ReasonPlatform, ReasonContentType, ReasonMethod} {
		if !reasons[reason] {
			t.Errorf("nothing was refused for %s: %v", reason, reasons)
		}
	}
	for _, path := range []string{"/elsewhere", "/gateway/api/v3/payments"} {
		if status, _, _ := s.send(path, []byte("{}")); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
		if status, _ := s.getWith(path, token); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
	for given, want := range map[string]string{"": "0005", "sandbox-other": "0006", "Bearer " + token: "0006"} {
		if _, answer := s.getWith(v2Path+"/D1", given); code(answer) != want {
			t.Errorf("%q: %s", given, answer)
		}
	}
}

func TestSettingsAreChecked(t *testing.T) {
	good := Settings{PlatformID: "PF0002", Secret: secret, Token: token}
	for name, bad := range map[string]func(*Settings){
		"no platform": func(s *Settings) { s.PlatformID = "" }, "long platform": func(s *Settings) { s.PlatformID = "PF000002" },
		"secret": func(s *Settings) { s.Secret = "" }, "token": func(s *Settings) { s.Token = "" },
		"sign type": func(s *Settings) { s.SignType = "SHA1" }, "currency": func(s *Settings) { s.Currency = "USD" },
		"limits": func(s *Settings) { s.MinAmount, s.MaxAmount = 2, 1 },
	} {
		s := good
		bad(&s)
		if _, err := New(s); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
