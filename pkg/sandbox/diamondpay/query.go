package diamondpay

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"payonce/pkg/sandbox"
)

// serveQuery answers GETs, which carry the platform's token.
func (p *Protocol) serveQuery(q *request, path string) {
	q.action = sandbox.ActionQuery
	if strings.HasSuffix(path, "/balance") {
		q.action = "balance"
	}
	switch q.r.Header.Get("Authorization") {
	case p.settings.Token:
	case "":
		p.refuse(q, refusal{codeNoToken, ReasonNoToken})
		return
	default:
		p.refuse(q, refusal{codeToken, ReasonToken})
		return
	}
	switch {
	case path == "v1/payments":
		p.listV1(q, sandbox.Deposit, "payment")
	case path == "v1/payouts":
		p.listV1(q, sandbox.Payout, "payout")
	case path == "v1/platforms/balance":
		p.balanceV1(q)
	case path == "v2/platforms/balance":
		p.balanceV2(q)
	case strings.HasPrefix(path, "v2/payments/"):
		p.queryV2(q, strings.TrimPrefix(path, "v2/payments/"), sandbox.Deposit)
	case strings.HasPrefix(path, "v2/payouts/"):
		p.queryV2(q, strings.TrimPrefix(path, "v2/payouts/"), sandbox.Payout)
	default:
		http.NotFound(q.w, q.r)
	}
}

// Limits of v1 lists.
const (
	pageDefault = 25
	pageMost    = 500
)

// listV1 serves v1 queries by order, by the provider's number, or by time. No match is an empty list.
func (p *Protocol) listV1(q *request, operation sandbox.Operation, word string) {
	values := q.r.URL.Query()
	if order := values.Get(word + "_cl_id"); order != "" {
		if !orderNumber.MatchString(order) {
			p.refuse(q, *fieldError(word + "_cl_id"))
			return
		}
		q.account.Query(q.w, order, operation, func(v sandbox.View, found bool) sandbox.Reply {
			if !found {
				return p.rows(nil, 0)
			}
			return p.rows([]sandbox.View{v}, 1)
		})
		return
	}
	ask, offset, limit, ok := p.readList(q, word)
	if !ok {
		p.refuse(q, *fieldError("query"))
		return
	}
	ask.Operation = operation
	views := q.account.Statement(ask)
	if id := values.Get(word + "_id"); id != "" {
		views = slices.DeleteFunc(views, func(v sandbox.View) bool { return v.Charge.Reference != id })
	}
	total := len(views)
	views = views[min(offset, total):]
	write(q.w, p.rows(views[:min(limit, len(views))], total))
}

// readList reads the paging and the times. The v1 page about payouts spells create_time__lte wrongly; both
// spellings are taken.
func (p *Protocol) readList(q *request, word string) (ask sandbox.Statement, offset, limit int, ok bool) {
	values := q.r.URL.Query()
	number := func(name string, otherwise int64) int64 {
		text := values.Get(name)
		if text == "" {
			return otherwise
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return -1
		}
		return n
	}
	now := q.account.Now().Unix()
	from, to := number("create_time__gte", 0), min(number("create_time__lte", now), number("carete_time__lte", now))
	first, most := number("offset", 0), number("limit", pageDefault)
	ask = sandbox.Statement{From: time.Unix(from, 0), To: time.Unix(to+1, -1), Limit: 1 << 30}
	return ask, int(first), int(most), from >= 0 && to >= 0 && first >= 0 && most >= 1 && most <= pageMost
}

// row is one order in a v1 list; each is signed. Deposits and payouts differ by their names.
type row struct {
	Amount     int64  `json:"amount"`
	RealAmount int64  `json:"real_amount"`
	Fee        int64  `json:"fee"`
	PaymentID  string `json:"payment_id,omitempty"`
	Payment    string `json:"payment_cl_id,omitempty"`
	Name       string `json:"payment_cl_name,omitempty"`
	PayoutID   string `json:"payout_id,omitempty"`
	Payout     string `json:"payout_cl_id,omitempty"`
	PlatformID string `json:"platform_id"`
	ChannelID  string `json:"platform_channel_id"`
	Status     int    `json:"status"`
	Memo       string `json:"memo"`
	ErrorMsg   string `json:"error_msg,omitempty"`
	CreateTime int64  `json:"create_time"`
	UpdateTime int64  `json:"update_time"`
	Sign       string `json:"sign,omitempty"`
}

// channelID names the one channel of an account.
const channelID = "PFC00001"

func (p *Protocol) rows(views []sandbox.View, total int) sandbox.Reply {
	rows := []row{}
	for _, v := range views {
		r := p.row(v)
		signature, err := p.signAnswer(r)
		if err != nil {
			panic("diamondpay: an answer cannot fail to decode: " + err.Error())
		}
		r.Sign = signature
		rows = append(rows, r)
	}
	return inJSON(struct {
		Code  string `json:"error_code"`
		Data  []row  `json:"data"`
		Total int    `json:"total"`
	}{codeOK, rows, total})
}

func (p *Protocol) row(v sandbox.View) row {
	c := v.Charge
	r := row{
		Amount: p.units(v.Echo), RealAmount: p.units(v.Received()), PlatformID: p.settings.PlatformID, ChannelID: channelID,
		CreateTime: c.At.Unix(), UpdateTime: updated(c).Unix(),
	}
	if c.Operation == sandbox.Deposit {
		r.PaymentID, r.Payment, r.Name = c.Reference, v.Order, c.Details[detailName]
		r.Status, r.Fee = depositStatuses[c.State], fee(r.RealAmount)
	} else {
		r.PayoutID, r.Payout = c.Reference, v.Order
		r.Status, r.ErrorMsg = payoutStatuses[c.State], payoutError(c.State, c.Failure)
	}
	return r
}

// updated is when the order changed last.
func updated(c sandbox.Charge) time.Time {
	if c.CompletedAt.IsZero() {
		return c.At
	}
	return c.CompletedAt
}

// paymentV2 and payoutV2 are the data of v2 queries; they are not signed.
type paymentV2 struct {
	PaymentID   string `json:"payment_id"`
	Order       string `json:"payment_cl_id"`
	Amount      int64  `json:"amount"`
	RealAmount  int64  `json:"real_amount"`
	Fee         int64  `json:"fee"`
	Status      int    `json:"status"`
	Name        string `json:"payment_cl_name"`
	CreateTime  int64  `json:"create_time"`
	SuccessTime int64  `json:"success_time"`
}

type payoutV2 struct {
	PayoutID    string `json:"payout_id"`
	Order       string `json:"payout_cl_id"`
	Amount      int64  `json:"amount"`
	Fee         int64  `json:"fee"`
	Status      int    `json:"status"`
	ErrorMsg    string `json:"error_msg"`
	CreateTime  int64  `json:"create_time"`
	SuccessTime int64  `json:"success_time"`
}

// queryV2 serves v2 queries by order number. An unknown order has code 0050 (newer documents).
func (p *Protocol) queryV2(q *request, order string, operation sandbox.Operation) {
	if !orderNumber.MatchString(order) {
		p.refuse(q, refusal{codeNotFound, ReasonUnknownOrders})
		return
	}
	q.account.Query(q.w, order, operation, func(v sandbox.View, found bool) sandbox.Reply {
		if !found {
			return refused(q.r.URL.Path, codeNotFound)
		}
		r, success := p.row(v), int64(0)
		if v.Charge.State == sandbox.Paid {
			success = v.Charge.CompletedAt.Unix()
		}
		if operation == sandbox.Deposit {
			return succeeded(paymentV2{r.PaymentID, v.Order, r.Amount, r.RealAmount, r.Fee, r.Status, r.Name, r.CreateTime, success})
		}
		return succeeded(payoutV2{r.PayoutID, v.Order, r.Amount, r.Fee, r.Status, r.ErrorMsg, r.CreateTime, success})
	})
}
