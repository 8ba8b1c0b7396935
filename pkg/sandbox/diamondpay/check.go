package diamondpay

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"payonce/pkg/sandbox"
)

// field is a row of the documents' parameter tables.
type field struct {
	name     string
	required bool
	most     int // characters
	digits   bool
}

// deposits has the table of each kind of deposit.
var (
	depositKRWv1 = []field{ // KRW deposit page
		{"service_id", true, 7, false}, {"payment_cl_id", true, 32, false}, {"user_id", false, 16, false}, {"name", false, 16, false},
		{"last_number", false, 32, false}, {"bank_name", false, 32, false}, {"amount", true, 10, true},
		{"notify_url", true, 256, false}, {"request_time", true, 10, true},
	}
	depositKRWv2 = []field{ // v2 deposit page
		{"service_id", true, 7, false}, {"payment_cl_id", true, 64, false}, {"amount", true, 10, true},
		{"notify_url", true, 256, false}, {"request_time", true, 10, true},
	}
	depositTWD = []field{ // TWD deposit page
		{"service_id", true, 7, false}, {"payment_cl_id", true, 32, false}, {"amount", true, 10, true},
		{"bank_code", false, 3, false}, {"name", true, 32, false}, {"notify_url", true, 256, false}, {"request_time", true, 10, true},
	}
	payoutKRW = []field{ // docs.apayasia.com create-withdraw
		{"service_id", true, 7, false}, {"payout_cl_id", true, 64, false}, {"amount", true, 10, true},
		{"notify_url", false, 256, false}, {"bank_name", true, 16, false}, {"name", true, 16, false},
		{"number", true, 32, false}, {"phone_number", true, 11, true}, {"currency", true, 3, false}, {"request_time", true, 10, true},
	}
	payoutKRWOld = []field{ // payment-docs-aay.pages.dev create-withdraw-krw
		{"service_id", true, 7, false}, {"payout_cl_id", true, 32, false}, {"amount", true, 10, true},
		{"notify_url", false, 256, false}, {"bank_name", true, 16, false}, {"name", true, 16, false},
		{"number", true, 32, false}, {"request_time", true, 10, true},
	}
)

var (
	onlyDigits = regexp.MustCompile(`^[0-9]+$`)
	// orderNumber is an assumption: the documents give a length only.
	orderNumber = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

// checkFields applies a table. Numbers may come as texts, as on the KRW deposit pages.
func (q *request) checkFields(table []field) *refusal {
	for _, row := range table {
		switch q.fields[row.name].(type) {
		case nil, string, json.Number:
		default:
			return fieldError(row.name)
		}
		text := strings.TrimSpace(q.fields.text(row.name))
		switch {
		case text == "" && row.required:
			return fieldError(row.name)
		case text == "":
		case utf8.RuneCountInString(text) > row.most, row.digits && !onlyDigits.MatchString(text):
			return fieldError(row.name)
		}
	}
	if !orderNumber.MatchString(q.order) {
		return fieldError("order number")
	}
	return q.checkNotifyURL()
}

func (q *request) checkNotifyURL() *refusal {
	text := q.fields.text("notify_url")
	if text == "" {
		return nil
	}
	if u, err := url.Parse(text); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fieldError("notify_url")
	}
	return nil
}

// amount reads the amount into minor units and checks the limits. That hundredths of a won are refused is
// an assumption.
func (p *Protocol) amount(f fields) (int64, *refusal) {
	units, err := strconv.ParseInt(f.text("amount"), 10, 64)
	if err != nil || units <= 0 || units%p.hundredths() != 0 {
		return 0, fieldError("amount")
	}
	amount := units / p.hundredths()
	switch {
	case amount < p.settings.MinAmount:
		return 0, &refusal{codeBelow, ReasonLimit}
	case p.settings.MaxAmount > 0 && amount > p.settings.MaxAmount:
		return 0, &refusal{codeAbove, ReasonLimit}
	}
	return amount, nil
}

// services are the service ids by path and currency (showdoc.com.cn/fantian, service list).
var services = map[string]struct{ paths, currency string }{
	"SVC0026": {"v1/payments", "KRW"}, "SVC0025": {"v1/payments", "TWD"},
	"SVC0015": {"v2/payments", "KRW"}, "SVC0016": {"v2/payments", "KRW"}, "SVC0017": {"v2/payments", "KRW"},
	"SVC0004": {"v2/payouts", "KRW"},
}

// checkService checks that the service exists at the path, and is the account's.
func (p *Protocol) checkService(q *request) *refusal {
	service, known := services[q.fields.text("service_id")]
	switch {
	case !known || "/gateway/api/"+service.paths != q.r.URL.Path:
		return &refusal{codeService, ReasonService}
	case service.currency != p.settings.Currency:
		return &refusal{codeNotEnabled, ReasonService}
	}
	return nil
}

// fiveDigits are the last digits of a Taiwanese account.
var fiveDigits = regexp.MustCompile(`^[0-9]{5}$`)

// checkLastNumbers checks one to ten groups of five digits (TWD deposit page).
func checkLastNumbers(f fields) *refusal {
	list, ok := f["last_numbers"].([]any)
	if f["last_numbers"] == nil || ok && len(list) == 0 {
		return &refusal{codeLastNumber, "field:last_numbers"}
	}
	if !ok || len(list) > 10 {
		return fieldError("last_numbers")
	}
	for _, entry := range list {
		if text, ok := entry.(string); !ok || !fiveDigits.MatchString(text) {
			return fieldError("last_numbers")
		}
	}
	return nil
}

// The details that are kept of a request.
const (
	detailName        = "name"
	detailLastNumbers = "last_numbers"
)

func (q *request) create(operation sandbox.Operation, amount int64) sandbox.Create {
	create := sandbox.Create{
		Order: q.order, Operation: operation, Amount: amount, Method: q.fields.text("service_id"),
		CallbackURL: q.fields.text("notify_url"), Details: map[string]string{},
	}
	for _, name := range []string{detailName, detailLastNumbers} {
		if text := q.fields.text(name); text != "" {
			create.Details[name] = text
		}
	}
	return create
}
