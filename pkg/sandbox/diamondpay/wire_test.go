package diamondpay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"payonce/pkg/sandbox"
)

// TestKRWDepositPage compares with both answers of the KRW deposit page (v1).
func TestKRWDepositPage(t *testing.T) {
	s := newStand(t, func(settings *Settings, a *sandbox.AccountConfig) { settings.LinksOnly, a.MoveDelay = true, time.Hour })
	same(t, "standard", s.post(v1Path, s.exampleKRW("DEVPM00014581")), `{"error_code":"0000","data":{"link":"https://portal.sandbox.invalid/gateway/portal/v1/payments/PM00000001","register_link":"https://portal.sandbox.invalid/gateway/register/v1/payments/PM00000001"}}`)
	if o := s.order("DEVPM00014581"); o.Charges[0].Amount != 1_300_000 || o.Charges[0].Method != "SVC0026" {
		t.Errorf("%+v", o)
	}
	s = newStand(t, byHand)
	same(t, "with the order", s.post(v1Path, with(s.exampleKRW("DEVPM00014581"), change{"amount": 50000})), `{"error_code":"0000","data":{"link":"http://portal.sandbox.invalid/gateway/portal/v1/payments/PM00000001","payment_info":{"amount":50000,"display_amount":49600,"payment_id":"PM00000001","payment_cl_id":"DEVPM00014581","receiver":{"card_name":"test_name","card_number":"201400000001","bank_name":"test_bank","bank_branch":""},"sender":{"card_name":"테스","card_number":"*************123456","bank_name":"test_bank"},"token":"00001"}}}`)
	body, err := SignedRequest(MD5, "sandbox-other", s.exampleKRW("D2"))
	if err != nil {
		t.Fatal(err)
	}
	_, answer, err := s.send(v1Path, body)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "error", answer, `{"error_code":"0004","error_msg":"Signature Verification Failed!"}`)
	s.refusedAs("D2", ReasonSignature)
}

// Deposits of a few won are named as they are, and so are all deposits where the account says so.
func TestNamedAmounts(t *testing.T) {
	exact := func(settings *Settings, a *sandbox.AccountConfig) {
		settings.ExactAmounts, a.MoveDelay = true, time.Hour
	}
	for _, c := range []struct {
		change func(*Settings, *sandbox.AccountConfig)
		won    int64
		v1, v2 string
	}{
		{byHand, 39, `"display_amount":3900,`, `"amount":4900,`},
		{byHand, 40, `"display_amount":3600,`, `"amount":5000,`},
		{exact, 50_000, `"display_amount":5000000,`, `"amount":5000000,`},
	} {
		s := newStand(t, c.change)
		amount := change{"amount": c.won * 100}
		if answer := s.post(v1Path, with(s.exampleKRW("D1"), amount)); !strings.Contains(answer, c.v1) {
			t.Errorf("v1, %d won: %s", c.won, answer)
		}
		if answer := s.post(v2Path, with(s.exampleV2("D2"), amount)); !strings.Contains(answer, c.v2) {
			t.Errorf("v2, %d won: %s", c.won, answer)
		}
	}
}

func TestV2DepositPage(t *testing.T) {
	s := newStand(t, byHand)
	for n, service := range []string{"SVC0015", "SVC0016", "SVC0017"} {
		order := fmt.Sprintf("DEVPM0001458%d", n)
		same(t, service, s.post(v2Path, with(s.exampleV2(order), change{"service_id": service})), fmt.Sprintf(`{"error_code":"0000","data":{"link":"https://portal.sandbox.invalid/cashier/PM%08[1]d","payment_id":"PM%08[1]d","payment_cl_id":"%[2]s","amount":50001000,"qr_code_content":"00020101021238600010A000000727%08[1]d","token":"t%07[1]d","card_name":"TEST","card_number":"2014%08[1]d","bank_name":"KB Kookmin Bank","bank_code":"KBSTAR_KR"}}`, n+1, order))
	}
	body, err := SignedRequest(MD5, "sandbox-other", s.exampleV2("D2"))
	if err != nil {
		t.Fatal(err)
	}
	_, answer, err := s.send(v2Path, body)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "error", answer, `{"error_code":"0004","error_msg":"Signature verification failed!"}`)
}

func TestTWDDepositPage(t *testing.T) {
	s := newStand(t, func(settings *Settings, a *sandbox.AccountConfig) {
		settings.Currency, settings.CamelCase, a.MoveDelay = "TWD", true, time.Hour
	})
	const order = "test_tw_card_1766005863_25"
	same(t, "camelCase", s.post(v1Path, s.exampleTWD(order)), `{"data":{"link":"https://portal.sandbox.invalid/payment/index.html?token=PM00000001","paymentInfo":{"amount":48389,"displayAmount":48389,"paymentClId":"test_tw_card_1766005863_25","paymentId":"PM00000001","receiver":{"bankBranch":"","bankLogo":"","bankName":"臺灣企銀","cardName":"test","cardNumber":"201400000001"},"token":"无须附言"}},"errorCode":"0000"}`)
	if o := s.order(order); o.Charges[0].Amount != 48389 || o.Charges[0].Details["last_numbers"] != `["12345","67890","11111"]` {
		t.Errorf("%+v", o)
	}
	same(t, "errors stay in snake_case", s.post(v1Path, s.exampleTWD(order)), `{"error_code":"0014","error_msg":"Duplicate order number"}`)
	s.pay(order, 0)
	if notice := s.next(); !strings.Contains(notice, `"amount":48389,"real_amount":48389,`) {
		t.Error(notice)
	}
	truth := s.box.Truth()
	if truth.Accounts[0].Currency != "TWD" || truth.Summary().Currencies["TWD"].Deposited != 48389 {
		t.Errorf("%+v", truth.Summary())
	}

	s = newStand(t, taiwan)
	same(t, "snake_case", s.post(v1Path, s.exampleTWD(order)), `{"error_code":"0000","data":{"link":"https://portal.sandbox.invalid/payment/index.html?token=PM00000001","payment_info":{"amount":48389,"display_amount":48389,"payment_cl_id":"test_tw_card_1766005863_25","payment_id":"PM00000001","receiver":{"bank_branch":"","bank_logo":"","bank_name":"臺灣企銀","card_name":"test","card_number":"201400000001"},"token":"无须附言"}}}`)
}

func TestTWDDepositPageInCamelCase(t *testing.T) {
	s := newStand(t, taiwan)
	body, err := SignedRequest(MD5, secret, s.exampleTWD("D1"))
	if err != nil {
		t.Fatal(err)
	}
	var content change
	if err := json.Unmarshal(body, &content); err != nil {
		t.Fatal(err)
	}
	renamed := change{}
	for name, value := range content {
		renamed[camel(name)] = value
	}
	if body, err = json.Marshal(renamed); err != nil || !bytes.Contains(body, []byte(`"paymentClId"`)) {
		t.Fatal(err, string(body))
	}
	if _, answer, err := s.send(v1Path, body); err != nil || code(answer) != codeOK {
		t.Errorf("%v %s", err, answer)
	}
}

func TestDepositNotification(t *testing.T) {
	s := newStand(t, byHand)
	s.post(v1Path, with(s.exampleKRW("97a968b4a9db497c8c03198e395a38c6"), change{"amount": 400000, "name": nil}))
	s.pay("97a968b4a9db497c8c03198e395a38c6", 0)
	got := s.next()
	cut := strings.Index(got, `,"sign":"`)
	if cut < 0 || len(got) != cut+len(`,"sign":"`)+32+2 {
		t.Fatal(got)
	}
	// The documents' notification, with our times and number.
	same(t, "deposit", got[:cut], `{"payment_id":"PM00000001","payment_cl_id":"97a968b4a9db497c8c03198e395a38c6","platform_id":"PF0002","amount":400000,"real_amount":400000,"fee":3200,"status":2,"create_time":1567614049,"update_time":1567614049`)

	s = newStand(t, func(settings *Settings, a *sandbox.AccountConfig) {
		settings.SignType, a.MoveDelay = HMACSHA256, time.Hour
	})
	s.post(v1Path, s.exampleKRW("D1"))
	s.pay("D1", 1_299_996) // the customer pays another amount
	got = s.next()
	if !strings.Contains(got, `"amount":130000000,"real_amount":129999600,`) || !strings.Contains(got, `"payment_cl_name":"테스"`) ||
		!strings.Contains(got, `"sign_type":"HMAC-SHA256","sign":"`) || len(got)-strings.Index(got, `"sign":"`) != 64+10 {
		t.Error(got)
	}
	if err := s.box.Fail(provider, "D1"); err != nil {
		t.Fatal(err)
	}
	s.box.Close()
	if len(s.calls) != 0 || len(s.order("D1").Callbacks) != 1 {
		t.Error("a failed deposit was told")
	}
}

func TestPayoutNotifications(t *testing.T) {
	s := newStand(t, byHand)
	same(t, "answer", s.post(payoutPath, s.payout("P1")), `{"error_code":"0000","data":{"payout_id":"POT00000001"}}`)
	s.pay("P1", 0)
	got := s.next()
	same(t, "paid", got[:strings.Index(got, `,"sign"`)], `{"payout_id":"POT00000001","payout_cl_id":"P1","platform_id":"PF0002","amount":1000000,"real_amount":1000000,"fee":0,"status":3,"create_time":1567614049,"update_time":1567614049`)
	if err := s.box.Refund(provider, "P1"); err != nil {
		t.Fatal(err)
	}
	if got := s.next(); !strings.Contains(got, `"status":5,"error_msg":"Returned by the recipient's bank"`) {
		t.Error(got)
	}
	s.post(payoutPath, s.payout("P2"))
	if err := s.box.Fail(provider, "P2"); err != nil {
		t.Fatal(err)
	}
	if got := s.next(); !strings.Contains(got, `"real_amount":0,"fee":0,"status":5,"error_msg":"The account does not exist or is restricted"`) {
		t.Error(got)
	}
}

// verifyRows checks the signature of each row.
func verifyRows(t *testing.T, how SignType, answer string) int {
	t.Helper()
	var list struct{ Data []json.RawMessage }
	if err := json.Unmarshal([]byte(answer), &list); err != nil {
		t.Fatal(err, answer)
	}
	for _, row := range list.Data {
		if !Verify(how, secret, row) || Verify(how, "sandbox-other", row) {
			t.Errorf("a row is not signed: %s", row)
		}
	}
	return len(list.Data)
}

func withoutSigns(answer string) string {
	for {
		before, after, found := strings.Cut(answer, `,"sign":"`)
		if !found {
			return answer
		}
		_, rest, _ := strings.Cut(after, `"`)
		answer = before + rest
	}
}

func TestQueries(t *testing.T) {
	s := newStand(t, func(settings *Settings, a *sandbox.AccountConfig) {
		settings.SignType, a.MoveDelay = HMACSHA256, time.Hour
	})
	s.post(v1Path, s.exampleKRW("D1"))
	s.post(payoutPath, s.payout("P1"))
	first := s.get(v1Path + "?payment_cl_id=D1")
	if verifyRows(t, HMACSHA256, first) != 1 {
		t.Error(first)
	}
	same(t, "v1 deposit", withoutSigns(first), `{"error_code":"0000","data":[{"amount":130000000,"real_amount":0,"fee":0,"payment_id":"PM00000001","payment_cl_id":"D1","payment_cl_name":"테스","platform_id":"PF0002","platform_channel_id":"PFC00001","status":1,"memo":"","create_time":1567614049,"update_time":1567614049}],"total":1}`)
	same(t, "v2 deposit", s.get(v2Path+"/D1"), `{"error_code":"0000","data":{"payment_id":"PM00000001","payment_cl_id":"D1","amount":130000000,"real_amount":0,"fee":0,"status":1,"payment_cl_name":"테스","create_time":1567614049,"success_time":0}}`)
	s.pay("D1", 0)
	same(t, "v2 paid", s.get(v2Path+"/D1"), `{"error_code":"0000","data":{"payment_id":"PM00000001","payment_cl_id":"D1","amount":130000000,"real_amount":130000000,"fee":1040000,"status":2,"payment_cl_name":"테스","create_time":1567614049,"success_time":1567614049}}`)
	payout := s.get("/gateway/api/v1/payouts?payout_cl_id=P1")
	verifyRows(t, HMACSHA256, payout)
	same(t, "v1 payout", withoutSigns(payout), `{"error_code":"0000","data":[{"amount":1000000,"real_amount":0,"fee":0,"payout_id":"POT00000002","payout_cl_id":"P1","platform_id":"PF0002","platform_channel_id":"PFC00001","status":2,"memo":"","create_time":1567614049,"update_time":1567614049}],"total":1}`)
	same(t, "v2 payout", s.get(payoutPath+"/P1"), `{"error_code":"0000","data":{"payout_id":"POT00000002","payout_cl_id":"P1","amount":1000000,"fee":0,"status":2,"error_msg":"","create_time":1567614049,"success_time":0}}`)
	const none = `{"error_code":"0000","data":[],"total":0}`
	const unknown = `{"error_code":"0050","error_msg":"Order not found"}`
	for path, want := range map[string]string{
		v1Path + "?payment_cl_id=none": none, v1Path + "?payment_cl_id=P1": none, v2Path + "/none": unknown, v2Path + "/P1": unknown,
		payoutPath + "/D1": unknown, v2Path + "/a%20b": unknown,
		v1Path + "?payment_id=PM00000002": none, v1Path + "?create_time__gte=1567614050": none, v1Path + "?create_time__lte=1567614048": none,
		"/gateway/api/v1/payouts?carete_time__lte=1567614048": none,
	} {
		same(t, path, s.get(path), want)
	}
	for path, want := range map[string]int{
		v1Path: 1, v1Path + "?payment_id=PM00000001": 1, v1Path + "?create_time__gte=1567614049&create_time__lte=1567614049": 1,
		"/gateway/api/v1/payouts?payout_id=POT00000002": 1, "/gateway/api/v1/payouts": 1, v1Path + "?offset=1": 0,
	} {
		if got := verifyRows(t, HMACSHA256, s.get(path)); got != want {
			t.Errorf("%s: %d rows", path, got)
		}
	}
	for _, path := range []string{v1Path + "?limit=501", v1Path + "?limit=0", v1Path + "?offset=x", v1Path + "?payment_cl_id=a%20b"} {
		if got := s.get(path); code(got) != codeParameters {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func TestListsHavePages(t *testing.T) {
	s := newStand(t, byHand)
	for n := range 30 {
		s.post(v1Path, s.exampleKRW(fmt.Sprintf("D%d", n)))
	}
	for path, want := range map[string]int{"": 25, "?offset=25": 5, "?limit=500": 30, "?limit=7&offset=20": 7} {
		answer := s.get(v1Path + path)
		if got := verifyRows(t, MD5, answer); got != want || !strings.HasSuffix(answer, `"total":30}`) {
			t.Errorf("%s: %d rows", path, got)
		}
	}
}

func TestBalances(t *testing.T) {
	s := newStand(t, func(_ *Settings, a *sandbox.AccountConfig) { a.MoveDelay, a.Balance = time.Hour, 15_000 })
	s.post(payoutPath, s.payout("P1"))
	same(t, "v2", s.get("/gateway/api/v2/platforms/balance"), `{"error_code":"0000","data":{"platform_id":"PF0002","total_balance":1500000,"total_frozen_balance":1000000}}`)
	answer := s.get("/gateway/api/v1/platforms/balance")
	same(t, "v1", withoutSigns(answer), `{"error_code":"0000","data":{"platform_id":"PF0002","total":1,"total_balance":1500000,"total_frozen_balance":1000000,"request_time":1567614049,"platform_channels":[{"platform_channel_id":"PFC00001","channel_name":"ATM","balance":1500000,"frozen_balance":1000000}]}}`)
	var balance struct{ Data change }
	if err := json.Unmarshal([]byte(answer), &balance); err != nil {
		t.Fatal(err)
	}
	channel := balance.Data["platform_channels"].([]any)[0]
	delete(balance.Data, "platform_channels")
	for _, part := range []any{balance.Data, channel} {
		if body, err := json.Marshal(part); err != nil || !Verify(MD5, secret, body) {
			t.Errorf("%v %s", err, body)
		}
	}
	same(t, "too much", s.post(payoutPath, s.payout("P2")), `{"error_code":"0018","error_msg":"Insufficient merchant balance"}`)
	s.refusedAs("P2", "no_balance")
}
