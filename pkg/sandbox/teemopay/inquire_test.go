package teemopay

import (
	"encoding/json"
	"testing"
)

const billPath = "/api/pay/transaction/queryList"

func billAsk(changes map[string]any) map[string]any {
	return with(map[string]any{
		"type": "PAYIN", "beginTime": "2025-01-01 00:00:00.000", "endTime": "2025-01-01 23:59:59.999",
	}, changes)
}

func (s *stand) bills(changes map[string]any) billPage {
	s.t.Helper()
	answer := s.post(billPath, billAsk(changes))
	var page struct {
		Code int
		Data billPage
	}
	if err := json.Unmarshal([]byte(answer), &page); err != nil || page.Code != 200 {
		s.t.Fatalf("%s: %v", answer, err)
	}
	return page.Data
}

func TestBills(t *testing.T) {
	s := newStand(t, nil)
	for _, order := range []string{"D1", "D2", "D3-x-channel"} {
		s.post(depositPath, seed(map[string]any{"merchantOrderNo": order}))
	}
	s.post(payoutPath, payout(nil))
	if err := s.box.Pay(provider, "D1", 0); err != nil {
		t.Fatal(err)
	}
	same(t, "paid", s.post(billPath, billAsk(map[string]any{"status": "2"})), `{"msg":"success","traceId":"T","code":200,"data":{"records":[{"type":"PAYIN","merchantOrderNo":"D1","tradeNo":"TS2501010001KR0000000000000001","amount":"1000.00","transactionAmount":"1000.00","serviceAmount":"15.00","status":2,"settleStatus":0,"failReason":null,"createTime":"2025-01-01 01:00:00","completeTime":"2025-01-01 01:00:00","settleTime":null,"paymentList":[{"paymentSingleOrderNo":"TSO2501010001KR000000000000005","paymentStatementAmount":"1000.00","settleStatus":0,"settleTime":null,"completeTime":"2025-01-01 01:00:00"}]}],"pageIndex":"YWZ0ZXI6MQ=="}}`)
	if page := s.bills(map[string]any{"status": 3}); len(page.Records) != 1 || page.Records[0].FailReason == nil {
		t.Errorf("%+v", page)
	}
	if page := s.bills(map[string]any{"type": "PAYOUT"}); len(page.Records) != 1 || page.Records[0].Type != "PAYOUT" || len(page.Records[0].PaymentList) != 0 {
		t.Errorf("%+v", page)
	}
	if page := s.bills(map[string]any{"status": "5"}); len(page.Records) != 0 {
		t.Errorf("%+v", page)
	}
	if page := s.bills(map[string]any{"endTime": "2025-01-01 00:59:59.999"}); len(page.Records) != 0 {
		t.Errorf("the end is not looked at: %+v", page)
	}
	if page := s.bills(map[string]any{"beginTime": "2025-01-01 01:00:00.000", "endTime": "2025-01-01 01:00:00.000"}); len(page.Records) != 3 {
		t.Errorf("the ends are not included: %+v", page)
	}
	var orders []string
	for index := ""; len(orders) < 4; {
		page := s.bills(map[string]any{"pageSize": 2, "pageIndex": index})
		for _, record := range page.Records {
			orders = append(orders, record.MerchantOrderNo)
		}
		if len(page.Records) < 2 {
			break
		}
		index = page.PageIndex
	}
	if len(orders) != 3 || orders[0] != "D1" || orders[1] != "D2" || orders[2] != "D3-x-channel" {
		t.Errorf("by pages %v", orders)
	}
}

func TestBillsRefuse(t *testing.T) {
	s := newStand(t, nil)
	type change = map[string]any
	for _, c := range []struct {
		change change
		code   int
	}{
		{change{"type": "BOTH"}, 600},
		{change{"beginTime": "2025-01-01"}, 414},
		{change{"endTime": nil}, 414},
		{change{"beginTime": "2024-09-01 00:00:00.000"}, 601},
		{change{"beginTime": "2024-11-01 00:00:00.000"}, 602},
		{change{"beginTime": "2025-01-01 02:00:00.000"}, 603},
		{change{"endTime": "2024-12-31 00:00:00.000"}, 604},
		{change{"status": "9"}, 605},
		{change{"pageIndex": "???"}, 606},
		{change{"pageSize": 1001}, 414},
		{change{"pageSize": 0}, 414},
	} {
		if answer := s.post(billPath, billAsk(c.change)); code(answer) != c.code {
			t.Errorf("%v: %s", c.change, answer)
		}
	}
}
