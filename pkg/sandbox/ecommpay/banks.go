package ecommpay

import (
	"net/http"
	"strconv"

	"payonce/pkg/sandbox"
)

// Bank is a bank by the provider's number.
type Bank struct {
	ID   int    `yaml:"id"`
	Name string `yaml:"name"`
}

// documentedBanks are table 1 of the Korean banks page.
var documentedBanks = []Bank{
	{1376, "Busan Bank"}, {1476, "Citibank Korea"}, {1426, "Credit Union"}, {1366, "Daegu Bank"},
	{1396, "dmsgod Mutual Savings Bank"}, {761, "IBK"}, {1456, "Jeju Bank"}, {1446, "Jeonbuk Bank"},
	{1406, "KakaoBank"}, {1486, "K Bank"}, {1386, "KDB"}, {1466, "KEB Hana Bank"}, {771, "Kookmin Bank"},
	{1356, "Kwangju Bank"}, {1346, "Kyungnam Bank"}, {781, "Nonghyup Bank"}, {1436, "Post Bank"},
	{811, "Saemaul Bank"}, {801, "SC First Bank"}, {751, "Shinhan Bank"}, {1416, "Suhyup Bank"}, {791, "Woori Bank"},
}

func (p *Protocol) knowsBank(id string) bool {
	for _, b := range p.banks {
		if strconv.Itoa(b.ID) == id {
			return true
		}
	}
	return false
}

// bankRow is one bank in the list (developers.ecommpay.com, info/banks).
type bankRow struct {
	ID         int            `json:"id"`
	Abbr       string         `json:"abbr"`
	Name       string         `json:"name"`
	NativeName string         `json:"nativeName"`
	Currencies []bankCurrency `json:"currencies"`
}

type bankCurrency struct {
	ID       int    `json:"id"`
	Alpha    string `json:"alpha_3_4217"`
	Number   string `json:"number_3_4217"`
	Alias    string `json:"alias"`
	Exponent int    `json:"exponent"`
}

// bankList serves /v2/info/banks/korea/{sale|payout}/list. The Korean banks page: the payment id may be any.
func (p *Protocol) bankList(q *request) {
	no := q.require("general.payment_id", "payment.amount", "payment.currency")
	if no == nil && q.at("payment.currency") != "KRW" {
		no = fieldError(codeCurrency, "payment.currency")
	}
	if no != nil {
		// The payment id is not an order here: nothing is written to one.
		q.account.Refused("", q.action, no.reason, no.status())
		write(q.w, p.refused(q.orderNumber(), *no))
		return
	}
	rows := []bankRow{}
	for _, b := range p.banks {
		rows = append(rows, bankRow{
			ID: b.ID, Abbr: b.Name, Name: b.Name, NativeName: b.Name,
			Currencies: []bankCurrency{{ID: 410, Alpha: "KRW", Number: "410", Alias: "South Korean won"}},
		})
	}
	var reply sandbox.Reply = inJSON(http.StatusOK, rows)
	write(q.w, reply)
}
