package diamondpay

import (
	"fmt"
	"strings"

	"payonce/pkg/sandbox"
)

// depositV1 serves POST v1/payments: won (KRW deposit page) and New Taiwan dollars (TWD deposit page).
func (p *Protocol) depositV1(q *request) {
	if p.settings.Currency == "TWD" {
		p.deposit(q, depositTWD, p.answerTWD)
		return
	}
	p.deposit(q, depositKRWv1, p.answerKRW)
}

// depositV2 serves POST v2/payments: won (v2 deposit page).
func (p *Protocol) depositV2(q *request) { p.deposit(q, depositKRWv2, p.answerV2) }

func (p *Protocol) deposit(q *request, table []field, answer func(order string, result sandbox.Result) any) {
	no := p.checkService(q)
	if no == nil {
		no = q.checkFields(table)
	}
	if no == nil && p.settings.Currency == "TWD" {
		no = checkLastNumbers(q.fields)
	}
	var amount int64
	if no == nil {
		amount, no = p.amount(q.fields)
	}
	if no != nil {
		p.refuse(q, *no)
		return
	}
	q.account.Create(q.w, q.r, q.create(sandbox.Deposit, amount), func(result sandbox.Result) sandbox.Reply {
		switch result.Verdict {
		case sandbox.Charged:
			if p.settings.Currency == "TWD" && p.settings.CamelCase {
				return inJSON(map[string]any{"data": answer(q.order, result), "errorCode": codeOK})
			}
			return succeeded(answer(q.order, result))
		case sandbox.ChannelFailed:
			return refused(q.r.URL.Path, codeDepositError)
		case sandbox.Duplicate:
			return refused(q.r.URL.Path, codeDuplicate)
		default:
			return refused(q.r.URL.Path, codeCard)
		}
	})
}

// units is an amount as the provider writes it.
func (p *Protocol) units(amount int64) int64 { return amount * p.hundredths() }

func (p *Protocol) link(version, reference string) string {
	return p.settings.PortalURL + "/gateway/portal/" + version + "/payments/" + reference
}

type krwAnswer struct {
	Link         string       `json:"link"`
	RegisterLink string       `json:"register_link,omitempty"`
	PaymentInfo  *paymentInfo `json:"payment_info,omitempty"`
}

type paymentInfo struct {
	Amount        int64    `json:"amount"`
	DisplayAmount int64    `json:"display_amount"`
	PaymentID     string   `json:"payment_id"`
	Order         string   `json:"payment_cl_id"`
	Receiver      receiver `json:"receiver"`
	Sender        sender   `json:"sender"`
	Token         string   `json:"token"`
}

type receiver struct {
	CardName   string `json:"card_name"`
	CardNumber string `json:"card_number"`
	BankName   string `json:"bank_name"`
	BankBranch string `json:"bank_branch"`
}

type sender struct {
	CardName   string `json:"card_name"`
	CardNumber string `json:"card_number"`
	BankName   string `json:"bank_name"`
}

// What the provider takes off or puts on an amount, in won: the examples have 49996 beside 50000 (v1), and 5001000 for
// what is probably an order of 5000000 (v2). That these are whole won is an assumption: no customer can pay a fraction.
const (
	takenOff = 4
	putOn    = 10
)

// displayed is what payment_info asks the customer to transfer, in won. Of an order of a few won nothing is left to
// take off.
func (p *Protocol) displayed(won int64) int64 {
	if p.settings.ExactAmounts || won < 10*takenOff {
		return won
	}
	return won - takenOff
}

// answerKRW has the shapes of the KRW deposit page (v1).
func (p *Protocol) answerKRW(order string, result sandbox.Result) any {
	reference := result.Charge.Reference
	answer := krwAnswer{Link: p.link("v1", reference)}
	if p.settings.LinksOnly {
		answer.RegisterLink = p.settings.PortalURL + "/gateway/register/v1/payments/" + reference
		return answer
	}
	if p.settings.PortalURL == defaultPortal {
		answer.Link = plainPortal + strings.TrimPrefix(answer.Link, defaultPortal)
	}
	answer.PaymentInfo = &paymentInfo{
		Amount: p.units(result.Echo), DisplayAmount: p.units(p.displayed(result.Echo)), PaymentID: reference, Order: order,
		Receiver: receiver{CardName: "test_name", CardNumber: cardNumber(result.Charge), BankName: "test_bank"},
		Sender:   sender{CardName: result.Charge.Details[detailName], CardNumber: "*************123456", BankName: "test_bank"},
		Token:    fmt.Sprintf("%05d", result.Charge.Serial%100_000),
	}
	return answer
}

func cardNumber(c sandbox.Charge) string { return fmt.Sprintf("2014%08d", c.Serial) }

// v2Answer is the answer of the v2 deposit page.
type v2Answer struct {
	Link       string `json:"link"`
	PaymentID  string `json:"payment_id"`
	Order      string `json:"payment_cl_id"`
	Amount     int64  `json:"amount"`
	QRCode     string `json:"qr_code_content"`
	Token      string `json:"token"`
	CardName   string `json:"card_name"`
	CardNumber string `json:"card_number"`
	BankName   string `json:"bank_name"`
	BankCode   string `json:"bank_code"`
}

func (p *Protocol) answerV2(order string, result sandbox.Result) any {
	c, named := result.Charge, result.Echo
	if !p.settings.ExactAmounts {
		named += putOn
	}
	return v2Answer{
		Link: p.settings.PortalURL + "/cashier/" + c.Reference, PaymentID: c.Reference, Order: order, Amount: p.units(named),
		QRCode: fmt.Sprintf("00020101021238600010A000000727%08d", c.Serial), Token: fmt.Sprintf("t%07d", c.Serial),
		CardName: "TEST", CardNumber: cardNumber(c), BankName: "KB Kookmin Bank", BankCode: "KBSTAR_KR",
	}
}

// answerTWD has the shape of the TWD deposit page, whose example is in camelCase and whose text is in snake_case.
func (p *Protocol) answerTWD(order string, result sandbox.Result) any {
	amount := p.units(result.Echo)
	answer := map[string]any{
		"link": p.settings.PortalURL + "/payment/index.html?token=" + result.Charge.Reference,
		"payment_info": map[string]any{
			"amount": amount, "display_amount": amount, "payment_cl_id": order, "payment_id": result.Charge.Reference,
			"receiver": map[string]any{
				"bank_branch": "", "bank_logo": "", "bank_name": "臺灣企銀", "card_name": "test", "card_number": cardNumber(result.Charge),
			},
			"token": "无须附言",
		},
	}
	if p.settings.CamelCase {
		return inCamelCase(answer)
	}
	return answer
}

// inCamelCase renames all fields.
func inCamelCase(value any) any {
	names, ok := value.(map[string]any)
	if !ok {
		return value
	}
	renamed := map[string]any{}
	for name, below := range names {
		renamed[camel(name)] = inCamelCase(below)
	}
	return renamed
}
