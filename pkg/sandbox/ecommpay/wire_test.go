package ecommpay

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/pkg/sandbox"
)

func described(order, description string) map[string]any {
	return sale(order, map[string]any{"payment": map[string]any{"amount": 10000, "currency": "KRW", "description": description}})
}

func (s *stand) pay(order string) {
	s.t.Helper()
	if err := s.box.Pay(provider, order, 0); err != nil {
		s.t.Fatal(err)
	}
}

// TestPurchaseWithRedirection plays the Korean banks page and compares with its figures.
func TestPurchaseWithRedirection(t *testing.T) {
	s := newStand(t, nil)
	const order = "TEST_15710440622623432441"
	status, answer := s.post(salePath, described(order, "TEST_1571044062268"))
	if status != 200 {
		t.Fatal(status)
	}
	same(t, "answer", answer, `{"status":"success","request_id":"R","project_id":200,"payment_id":"TEST_15710440622623432441"}`)
	same(t, "redirection", s.next(), `{
		"project_id": 200,
		"payment": {"id": "TEST_15710440622623432441", "type": "purchase", "status": "awaiting redirect result", "date": "2019-10-16T09:39:20+0000",
			"method": "Korean banks", "sum": {"amount": 10000, "currency": "KRW"}, "description": "TEST_1571044062268"},
		"customer": {"id": "21"},
		"redirect_data": {
			"body": {"sid": 2553, "tid": 1737000000001, "amount": "10000", "currency": "KRW", "payby": "p2p", "item_quantity[]": "1",
				"item_name[]": "1", "item_no[]": "1", "item_desc[]": "1", "item_amount_unit[]": "1000000",
				"firstname": "Kon", "lastname": "Do", "email": "do@mail.com", "description": "TEST_1571044062268"},
			"method": "POST", "url": "https://bank.sandbox.invalid/"},
		"operation": {"id": 1, "type": "sale", "status": "awaiting redirect result", "date": "2019-10-16T09:39:20+0000",
			"created_date": "2019-10-16T09:39:20+0000", "request_id": "R",
			"sum_initial": {"amount": 10000, "currency": "KRW"}, "sum_converted": {"amount": 10000, "currency": "KRW"},
			"code": "9999", "message": "Awaiting processing", "provider": {"id": 1481, "payment_id": "", "auth_code": ""}},
		"signature": "S"}`)
	s.clock.set(time.Date(2019, 10, 16, 9, 41, 26, 0, time.UTC))
	s.pay(order)
	same(t, "succeed purchase of the Korean banks page", s.next(), `{ "project_id": 200,
        "payment": {
            "id": "TEST_15710440622623432441",
            "type": "purchase",
            "status": "success",
            "date": "2019-10-16T09:41:26+0000",
            "method": "Korean banks",
            "sum": {
                "amount": 10000,
                "currency": "KRW"
            },
            "description": "TEST_1571044062268"
        },
        "customer": {
            "id": "21"
        },
        "operation": {
            "id": 1,
            "type": "sale",
            "status": "success",
            "date": "2019-10-16T09:41:26+0000",
            "created_date": "2019-10-16T09:39:20+0000",
            "request_id": "R",
            "sum_initial": {
                "amount": 10000,
                "currency": "KRW"
            },
            "sum_converted": {
                "amount": 10000,
                "currency": "KRW"
            },
            "code": "0",
            "message": "success",
            "provider": {
                "id": 1481,
                "payment_id": "",
                "auth_code": ""
            }
        },
        "signature": "S"
    }`)
}

// TestDeclinesForLimits plays the declined examples of the Korean banks page: accepted, then declined by callback.
func TestDeclinesForLimits(t *testing.T) {
	s := newStand(t, func(settings *Settings, _ *sandbox.AccountConfig) { settings.MinPayout = 10000 })
	content := sale("TEST_157130660960567", map[string]any{
		"payment":  map[string]any{"amount": 1000, "currency": "KRW", "description": "TEST_157130660960567"},
		"customer": map[string]any{"id": "1", "ip_address": "248.1.1.1", "first_name": "K", "last_name": "D", "email": "do@mail.com"},
	})
	s.taken(salePath, content)
	s.clock.until(t, wednesday.Add(time.Second))
	s.clock.set(wednesday.Add(time.Second))
	same(t, "declined purchase of the Korean banks page", s.next(), `{
        "project_id": 200,
        "payment": {
            "id": "TEST_157130660960567",
            "type": "purchase",
            "status": "decline",
            "date": "2019-10-16T09:39:21+0000",
            "method": "Korean banks",
            "sum": {
                "amount": 1000,
                "currency": "KRW"
            },
            "description": "TEST_157130660960567"
        },
        "customer": {
            "id": "1"
        },
        "operation": {
            "id": 1,
            "type": "sale",
            "status": "decline",
            "date": "2019-10-16T09:39:21+0000",
            "created_date": "2019-10-16T09:39:20+0000",
            "request_id": "R",
            "sum_initial": {
                "amount": 1000,
                "currency": "KRW"
            },
            "sum_converted": {
                "amount": 1000,
                "currency": "KRW"
            },
            "code": "603",
            "message": "Auto decline",
            "provider": {
                "id": 1481,
                "payment_id": ""
            }
        },
        "signature": "S"
    }`)
	s.taken(payoutPath, payoutOf("Test_8998465_001", map[string]any{"payment": map[string]any{"amount": 1000, "currency": "KRW"}}))
	s.clock.until(t, wednesday.Add(2*time.Second))
	s.clock.set(wednesday.Add(2 * time.Second))
	same(t, "declined payout of the Korean banks page", s.next(), `{
        "project_id": 200,
        "payment": {
            "id": "Test_8998465_001",
            "type": "payout",
            "status": "decline",
            "date": "2019-10-16T09:39:22+0000",
            "method": "Korean banks",
            "sum": {
                "amount": 1000,
                "currency": "KRW"
            },
            "description": ""
        },
        "account": {
            "number": "950-001413-01-010"
        },
        "customer": {
            "id": "100"
        },
        "operation": {
            "id": 1,
            "type": "payout",
            "status": "decline",
            "date": "2019-10-16T09:39:22+0000",
            "created_date": "2019-10-16T09:39:21+0000",
            "request_id": "R",
            "sum_initial": {
                "amount": 1000,
                "currency": "KRW"
            },
            "sum_converted": {
                "amount": 1000,
                "currency": "KRW"
            },
            "code": "20000",
            "message": "General decline",
            "provider": {
                "id": 1481,
                "payment_id": "B",
                "auth_code": "",
                "date": "2019-10-16T09:39:21+0000"
            }
        },
        "signature": "S"
    }`)
}

// TestPurchaseWithoutRedirection plays the Korean banks page: instructions, success, and a decline.
func TestPurchaseWithoutRedirection(t *testing.T) {
	s := newStand(t, func(settings *Settings, _ *sandbox.AccountConfig) {
		settings.Redirect, settings.SignGeneral = false, true
	})
	content := sale("1234567890_0007", map[string]any{
		"customer": map[string]any{"id": "customer123", "ip_address": "248.1.1.1", "first_name": "Kon", "last_name": "Do"},
	})
	delete(content, "return_url")
	s.taken(salePath, content)
	same(t, "instructions", s.next(), `{
		"general": {"signature": "S"},
		"project_id": 200,
		"payment": {"id": "1234567890_0007", "type": "purchase", "status": "awaiting customer", "date": "2019-10-16T09:39:20+0000",
			"method": "Korean banks", "sum": {"amount": 10000, "currency": "KRW"}, "description": ""},
		"customer": {"id": "customer123"},
		"provider_extra_fields": {
			"timeout": 60,
			"merchant_bank": "Kyungnam Bank 039",
			"merchant_bank_account": "1111-1111-0001",
			"merchant_bank_account_name": "TEST"
		},
		"operation": {"id": 1, "type": "sale", "status": "awaiting customer", "date": "2019-10-16T09:39:20+0000",
			"created_date": "2019-10-16T09:39:20+0000", "request_id": "R",
			"sum_initial": {"amount": 10000, "currency": "KRW"}, "sum_converted": {"amount": 10000, "currency": "KRW"},
			"code": "9999", "message": "Awaiting processing", "provider": {"id": 1995, "payment_id": "", "auth_code": ""}}}`)
	s.pay("1234567890_0007")
	paid := s.next()
	for _, part := range []string{
		`"code":"0","message":"Success","provider":{"id":1995,"payment_id":"","auth_code":""}}`,
		`"payment":{"id":"1234567890_0007","type":"purchase","status":"success"`,
	} {
		if !strings.Contains(paid, part) {
			t.Errorf("%s is not in %s", part, paid)
		}
	}
	s.taken(salePath, sale("1234567890_0008-x-decline", nil))
	s.clock.until(t, wednesday.Add(time.Second))
	s.clock.set(wednesday.Add(time.Second))
	if declined := s.next(); !strings.Contains(declined, `"code":"20000","message":"General decline","provider":{"id":1995,"payment_id":"","auth_code":""}}`) ||
		!strings.Contains(declined, `"type":"purchase","status":"decline"`) {
		t.Error(declined)
	}
}

func TestSuccessfulPayoutOfTheKoreanBanksPage(t *testing.T) {
	s := newStand(t, func(settings *Settings, _ *sandbox.AccountConfig) {
		settings.Banks = []Bank{{140, "Bank of the example"}}
	})
	content := payoutOf("TEST_22153483503277312", map[string]any{
		"account": map[string]any{"bank_id": 140, "customer_name": "Do", "number": "950-001413-01-010"},
	})
	s.taken(payoutPath, content)
	s.clock.until(t, wednesday.Add(time.Second))
	s.clock.set(wednesday.Add(time.Second))
	same(t, "successful payout of the Korean banks page", s.next(), `{
        "project_id": 200,
        "payment": {
            "id": "TEST_22153483503277312",
            "type": "payout",
            "status": "success",
            "date": "2019-10-16T09:39:21+0000",
            "method": "Korean banks",
            "sum": {
                "amount": 10000,
                "currency": "KRW"
            },
            "description": ""
        },
        "account": {
            "number": "950-001413-01-010"
        },
        "customer": {
            "id": "100"
        },
        "operation": {
            "id": 1,
            "type": "payout",
            "status": "success",
            "date": "2019-10-16T09:39:21+0000",
            "created_date": "2019-10-16T09:39:20+0000",
            "request_id": "R",
            "sum_initial": {
                "amount": 10000,
                "currency": "KRW"
            },
            "sum_converted": {
                "amount": 10000,
                "currency": "KRW"
            },
            "code": "0",
            "message": "Success",
            "provider": {
                "id": 1481,
                "payment_id": "B",
                "auth_code": "",
                "date": "2019-10-16T09:39:20+0000"
            }
        },
        "signature": "S"
    }`)
	if o := s.order("TEST_22153483503277312"); o.State != sandbox.Paid || o.Movements[0].Amount != 10000 {
		t.Errorf("%+v", o)
	}
}

func TestStatusAnswers(t *testing.T) {
	s := newStand(t, nil)
	status := func(order string) string {
		t.Helper()
		code, answer := s.post(statusPath, general(order))
		if code != http.StatusOK {
			t.Fatalf("%d %s", code, answer)
		}
		return answer
	}
	same(t, "unknown", status("none"), `{"errors":[{"code":"3061","message":"Transaction not found"}],"payment":{"status":"error"}}`)
	_, accepted := s.post(salePath, described("D1", "shoes"))
	s.next()
	open := status("D1")
	if !Verify(secret, []byte(open)) {
		t.Error("a status is not signed")
	}
	same(t, "awaiting", open, `{
		"general": {"project_id": 200, "payment_id": "D1", "signature": "S"},
		"sum_request": {"amount": 10000, "currency": "KRW"}, "request_id": "R",
		"transaction": {"id": 1, "date": "2019-10-16T09:39:20+0000", "type": "sale"},
		"payment": {"method": "Korean banks", "date": "2019-10-16T09:39:20+0000", "result_code": "9999", "result_message": "Awaiting processing",
			"status": "awaiting redirect result", "is_new_attempts_available": false, "attempts_timeout": 0, "id": "D1",
			"cascading_with_redirect": false, "split_with_redirect": false, "provider_id": 1481},
		"sum_real": {"amount": 0, "currency": "KRW"}, "description": "shoes",
		"operations": [{"id": 1, "type": "sale", "status": "awaiting redirect result", "date": "2019-10-16T09:39:20+0000", "request_id": "R",
			"sum": {"amount": 10000, "currency": "KRW"}, "code": "9999", "message": "Awaiting processing",
			"provider": {"id": 1481, "payment_id": "", "auth_code": ""}}],
		"return_url": {"body": {"sid": 2553, "tid": 1737000000001, "amount": "10000", "currency": "KRW", "payby": "p2p", "item_quantity[]": "1",
			"item_name[]": "1", "item_no[]": "1", "item_desc[]": "1", "item_amount_unit[]": "1000000", "firstname": "Kon", "lastname": "Do",
			"email": "do@mail.com", "description": "shoes"}, "method": "POST", "url": "https://bank.sandbox.invalid/"}}`)
	s.pay("D1")
	paid := status("D1")
	for _, part := range []string{`"result_code":"0"`, `"status":"success","is_new`, `"sum_real":{"amount":10000,"currency":"KRW"}`} {
		if !strings.Contains(paid, part) || strings.Contains(paid, "return_url") {
			t.Errorf("%s is not in %s", part, paid)
		}
	}
	byRequest := map[string]any{"project_id": 200, "request_id": field(accepted, "request_id")}
	if _, answer := s.post("/v2/payment/status/request", byRequest); plain(answer) != plain(paid) {
		t.Error(answer)
	}
	byRequest["request_id"] = "00000000000000000000000000000000000000000000f-00000001"
	if code, answer := s.post("/v2/payment/status/request", byRequest); code != 200 || !strings.Contains(answer, `"3061"`) {
		t.Error(code, answer)
	}
	s.taken(payoutPath, payoutOf("P1", nil))
	if answer := status("P1"); !strings.Contains(answer, `"account":{"number":"950-001413-01-010"}`) || !strings.Contains(answer, `"status":"processing"`) {
		t.Error(answer)
	}
	if err := s.box.Fail(provider, "P1"); err != nil {
		t.Fatal(err)
	}
	if answer := status("P1"); !strings.Contains(answer, `"result_code":"100","result_message":"General decline","status":"decline"`) {
		t.Error(answer)
	}
}

func TestBankLists(t *testing.T) {
	s := newStand(t, nil)
	content := map[string]any{
		"general": map[string]any{"project_id": 200, "payment_id": "ORDER_155860015"},
		"payment": map[string]any{"amount": 1000, "currency": "KRW"},
	}
	for _, kind := range []string{"sale", "payout"} {
		status, answer := s.post("/v2/info/banks/korea/"+kind+"/list", content)
		if status != 200 || strings.Count(answer, `"id":410`) != 22 ||
			!strings.HasPrefix(answer, `[{"id":1376,"abbr":"Busan Bank","name":"Busan Bank","nativeName":"Busan Bank","currencies":[{"id":410,"alpha_3_4217":"KRW","number_3_4217":"410","alias":"South Korean won","exponent":0}]}`) {
			t.Errorf("%d %s", status, answer)
		}
	}
	content["payment"] = map[string]any{"amount": 1000, "currency": "USD"}
	if status, answer := s.post("/v2/info/banks/korea/sale/list", content); status != 400 || field(answer, "code") != "3121" {
		t.Errorf("%d %s", status, answer)
	}
	if o := s.order("ORDER_155860015"); len(o.Requests) != 0 {
		t.Errorf("%+v", o)
	}
}
