package teemopay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/masking"
	"payonce/pkg/payment"
)

// Limits and forms of korea/inquire/bill.
const (
	statementPath = "/api/pay/transaction/queryList"
	statementPage = 500 // records; the default, of at most 1000
	statementMost = 31 * 24 * time.Hour
	billTime      = "2006-01-02 15:04:05.000"
)

// korea is the zone of all times without one (guides/timezone). It has no summer time.
var korea = time.FixedZone("KST", 9*60*60)

var statementTypes = map[payment.Operation]string{payment.Deposit: "PAYIN", payment.Payout: "PAYOUT"}

// statementRequest is the body of a query, in the order of the page's example.
type statementRequest struct {
	PageIndex string `json:"pageIndex,omitempty"`
	PageSize  int    `json:"pageSize"`
	Type      string `json:"type"`
	BeginTime string `json:"beginTime"`
	EndTime   string `json:"endTime"`
}

// Statement returns at most 500 payments of at most 31 days. The provider looks back 90 days and counts
// in milliseconds, by when it made the order.
func (c *Connector) Statement(ctx context.Context, from, to time.Time, op payment.Operation, cursor string) (lines []connectors.StatementLine, next string, err error) {
	if !op.Valid() || from.After(to) || to.Sub(from) > statementMost {
		return nil, "", fmt.Errorf("read the statement: %w", notSent(payment.ReasonInvalid, errors.New("not an operation, or not a range of at most 31 days")))
	}
	data, err := c.inquire(ctx, statementPath, statementRequest{
		PageIndex: cursor, PageSize: statementPage, Type: statementTypes[op],
		BeginTime: from.In(korea).Format(billTime), EndTime: to.In(korea).Format(billTime),
	})
	if err != nil {
		return nil, "", fmt.Errorf("read the statement: %w", err)
	}
	lines, next, err = readStatement(data, op, cursor)
	if err != nil {
		return nil, "", fmt.Errorf("read the statement: %w", indeterminate("200", "", err.Error()))
	}
	return lines, next, nil
}

// readStatement reads a page. The docs do not say how the last one looks, so it is the one that is not
// full.
func readStatement(data object, op payment.Operation, cursor string) (lines []connectors.StatementLine, next string, err error) {
	if data.missing("records") {
		return nil, "", errors.New("there is no list of records")
	}
	for record, err := range data.list("records") {
		if err != nil {
			return nil, "", errors.New("there is no list of records")
		}
		line, err := readRecord(record, op)
		if err != nil {
			return nil, "", fmt.Errorf("record %d: %w", len(lines), err)
		}
		lines = append(lines, line)
	}
	if len(lines) < statementPage {
		return lines, "", nil
	}
	f, _ := data.fields()
	if next = f["pageIndex"]; next == "" || next == cursor {
		return nil, "", errors.New("the page is full and does not name the next one")
	}
	return lines, next, nil
}

func readRecord(record object, op payment.Operation) (connectors.StatementLine, error) {
	f, _ := record.fields()
	if f["type"] != statementTypes[op] || f["merchantOrderNo"] == "" {
		return connectors.StatementLine{}, errors.New("it has no order number, or is of another operation")
	}
	created, err1 := koreanTime(f["createTime"])
	completed, err2 := koreanTime(f["completeTime"])
	if err := errors.Join(err1, err2); err != nil {
		return connectors.StatementLine{}, err
	}
	return connectors.StatementLine{
		Order: f["merchantOrderNo"], Operation: op, CreatedAt: created, CompletedAt: completed, Observation: recorded(f, record, op),
	}, nil
}

// koreanTime reads a time of the country; none is the zero time.
func koreanTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.ParseInLocation(time.DateTime, text, korea)
	if err != nil {
		return time.Time{}, errors.New("a time that cannot be read")
	}
	return t.UTC(), nil
}

// recorded says what a record means for its payment: status 1 in payment, 2 paid, 3 failed, 4 refunded,
// which the page says to treat as reversed, 5 refunded in part. amount
// is what was ordered, transactionAmount what moved.
func recorded(f fields, record object, op payment.Operation) payment.Observation {
	const source = payment.FromStatement
	ordered, err1 := f.won("amount")
	moved, err2 := f.won("transactionAmount")
	report := f.reported()
	transfers, total, err3 := billTransfers(record, &report)
	if errors.Join(err1, err2, err3) != nil || ordered.IsZero() {
		return doubtful(source, f, "the amounts or the list of payments cannot be read")
	}
	o := payment.Observation{Source: source, Reference: f.reference(), Amount: ordered}
	reason := &payment.Reason{ProviderCode: masking.Code(f["status"]), Message: masking.Text(f["failReason"], payment.Command{})}
	status, _ := strconv.Atoi(f["status"])
	still := moved.Minor == 0 && len(transfers) == 0
	switch {
	case status == 1 && still:
		o.Kind = payment.Accepted
	case status == 2 && moved.Minor > 0 && (len(transfers) == 0 || op == payment.Deposit && total == moved):
		o.Kind, o.SettledAmount, o.Transfers, o.Report = payment.Paid, moved, transfers, report
	case status == 3 && still:
		o.Kind, o.Reason, reason.Code, o.Report = payment.Declined, reason, payment.ReasonDeclined, f.ended()
	case status == 4:
		o.Kind, o.Reason, reason.Code = payment.Reversal, reason, payment.ReasonReversed
	case status == 5:
		o.Kind, o.Reason, reason.Code = payment.PartialReversal, reason, payment.ReasonPartlyReversed
	default:
		return doubtful(source, f, "no page documents this status, or the amounts do not fit it")
	}
	return o
}

// billTransfers returns the single payments of a deposit and their sum.
func billTransfers(record object, report *payment.Report) (transfers []payment.Transfer, total payment.Money, err error) {
	seen := map[string]bool{}
	for entry, err := range record.list("paymentList") {
		if err != nil {
			return nil, payment.Money{}, err
		}
		f, _ := entry.fields()
		r, err := f.transfer("paymentSingleOrderNo", "paymentStatementAmount", report)
		if err != nil || seen[r.Reference] {
			return nil, payment.Money{}, errors.New("a payment without a number or an amount, or twice")
		}
		seen[r.Reference] = true
		if total, err = total.Add(r.Amount); err != nil {
			return nil, payment.Money{}, err
		}
		transfers = append(transfers, r)
	}
	return transfers, total, nil
}
