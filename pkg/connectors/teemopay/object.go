package teemopay

import (
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/strictjson"
	"payonce/pkg/payment"
)

// object is a JSON object as [strictjson.Object] reads it.
type object map[string]json.RawMessage

func parseObject(data []byte) (object, error) { return strictjson.Object(data) }

// missing reports whether there is no such value, or null.
func (o object) missing(name string) bool {
	return len(o[name]) == 0 || string(o[name]) == "null"
}

// object returns the object under name, nil when there is none.
func (o object) object(name string) (object, error) {
	if o.missing(name) {
		return nil, nil
	}
	return parseObject(o[name])
}

// list returns the objects under name one after the other, so that reading can stop at the first that is not as it
// should be; none when there is no list.
func (o object) list(name string) iter.Seq2[object, error] {
	return func(yield func(object, error) bool) {
		if o.missing(name) {
			return
		}
		items, _, err := strictjson.List(o[name])
		if err != nil {
			yield(nil, err)
			return
		}
		for raw := range items {
			if item, err := parseObject(raw); !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// fields are the values of an object that TeemoPay calls "with a value": neither null nor blank.
// Numbers and booleans are kept as they were written, so that 801 and "801" are the same.
type fields map[string]string

// tradeNo is the platform's number of an order (pay-in page; korea/payin/query).
const tradeNo = "tradeNo"

// told are the fields that decide about money, and those beside them that people are told of. As an object or a list they are not
// missing, but values that cannot be read: an amount that is missing is another thing. An empty one is PHP's way to say nothing.
var told = []string{"amount", "completeTime", "errorCode", "errorMessage", "failReason", "serviceAmount", tradeNo, "transactionAmount"}

// fields returns the plain values of o, and of the told fields also objects and lists, as JSON; nested is the name of a value that is an
// object or a list.
func (o object) fields() (f fields, nested string) {
	f = make(fields, len(o))
	for name, raw := range o {
		switch raw[0] {
		case '{', '[':
			nested = name
			if strictjson.Filled(raw) && slices.Contains(told, name) {
				f[name] = string(raw)
			}
		case 'n': // null
		case '"':
			if text, ok := strictjson.Text(raw); ok && !blank(text) {
				f[name] = text
			}
		default:
			f[name] = string(raw)
		}
	}
	return f, nested
}

// short returns a text that an event can hold; one that is longer is as good as none.
func (f fields) short(name string) string {
	if utf8.RuneCountInString(f[name]) > payment.MaxText {
		return ""
	}
	return f[name]
}

// reference is the platform's number of the order, and empty where it cannot be kept.
func (f fields) reference() string { return connectors.Reference(f[tradeNo]) }

// integer returns a whole number; ok is false when it is missing or something else.
func (f fields) integer(name string) (n int, ok bool) {
	n, err := strconv.Atoi(f[name])
	return n, err == nil
}

// won returns an amount like "1000.00" as won, and no amount when it is missing. Won have no
// fraction: an amount with another fraction than zeros is an error.
func (f fields) won(name string) (payment.Money, error) {
	text, ok := f[name]
	if !ok {
		return payment.Money{}, nil
	}
	whole, fraction, dotted := strings.Cut(text, ".")
	if dotted && (fraction == "" || strings.Trim(fraction, "0") != "") {
		return payment.Money{}, errors.New("not a whole number of won")
	}
	return payment.ParseMoney(whole, "KRW")
}
