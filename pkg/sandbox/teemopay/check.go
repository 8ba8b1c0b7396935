package teemopay

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// field is a row of the documents' parameter tables.
type field struct {
	name     string
	integer  bool // else a string
	required bool
	most     int // characters; 0 for integers
}

var payinFields = []field{ // pay-in page, and the newer docs.teemopay.com korea/payin/create
	{"merchantOrderNo", false, true, 32}, {"paymentType", true, true, 0}, {"realName", false, true, 64},
	{"merchantName", false, true, 64}, {"email", false, false, 50}, {"amount", false, true, 20},
	{"expirationTime", true, false, 0}, {"phone", false, false, 20}, {"callbackUrl", false, false, 200},
	{"ipAddress", false, false, 64}, {"bankCode", false, false, 50}, {"bankAccount", false, false, 50},
	{"accountHolderNumber", false, false, 20},
}

var payoutFields = []field{ // docs.teemopay.com korea/payout/create
	{"merchantOrderNo", false, true, 32}, {"amount", false, true, 20}, {"bankCode", false, true, 50},
	{"bankName", false, true, 50}, {"accountType", true, true, 0}, {"bankAccount", false, true, 50},
	{"realName", false, true, 40}, {"idType", false, true, 50}, {"callbackUrl", false, false, 200},
}

var queryFields = []field{{"merchantOrderNo", false, true, 32}}

// checkFields applies a table. Fields that it does not name are left alone.
func checkFields(f fields, table []field) *refusal {
	for _, row := range table {
		if no := row.check(f); no != nil {
			return no
		}
	}
	if !orderNumber.MatchString(f.text("merchantOrderNo")) {
		return fieldError("merchantOrderNo", "has characters that are not allowed")
	}
	return checkCallbackURL(f.text("callbackUrl"))
}

// orderNumber is an assumption: the documents give a length only.
var orderNumber = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (row field) check(f fields) *refusal {
	value, present := f[row.name]
	if !present || value == nil || strings.TrimSpace(f.text(row.name)) == "" {
		if row.required {
			return fieldError(row.name, "is required")
		}
		return nil
	}
	if row.integer {
		number, ok := value.(json.Number)
		if _, err := strconv.ParseInt(number.String(), 10, 64); !ok || err != nil {
			return fieldError(row.name, "must be an integer")
		}
		return nil
	}
	text, ok := value.(string)
	if !ok {
		return fieldError(row.name, "must be a string")
	}
	if utf8.RuneCountInString(text) > row.most {
		return fieldError(row.name, "is too long")
	}
	return nil
}

func checkCallbackURL(text string) *refusal {
	if text == "" {
		return nil
	}
	if u, err := url.Parse(text); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fieldError("callbackUrl", "must be a URL")
	}
	return nil
}

// wholeWon is an integer amount; 15 digits bound it.
var wholeWon = regexp.MustCompile(`^[1-9][0-9]{0,14}$`)

func amountOf(f fields) (int64, *refusal) {
	if !wholeWon.MatchString(f.text("amount")) {
		return 0, fieldError("amount", "must be an integer")
	}
	amount, err := strconv.ParseInt(f.text("amount"), 10, 64)
	if err != nil {
		return 0, fieldError("amount", "must be an integer")
	}
	return amount, nil
}

// banks are the payout banks (docs.teemopay.com korea/payout), KFTC codes.
var banks = strings.Fields(`002 003 004 007 011 020 023 027 031 032 034 035 037 039 045 048 050 054 055 057 060
	061 062 063 064 067 071 081 088 089 090 092`)

// noKYC reports whether a bank is missing in the list for accountType 802: the same without 050 to 067.
func noKYC(bank string) bool { return bank >= "050" && bank <= "067" }

var (
	phone   = regexp.MustCompile(`^010[0-9]{8}$`)
	email   = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)
	account = regexp.MustCompile(`^[0-9-]+$`)
)
