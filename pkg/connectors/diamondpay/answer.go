package diamondpay

import (
	"iter"
	"regexp"
	"strings"

	"payonce/pkg/connectors/strictjson"
)

// parseAnswer reads an object of an answer, where the pages' examples allow themselves two liberties: a comma after
// the last value (v2 deposits), and names in camelCase instead of snake_case (TWD deposits). The object returned
// has snake_case names. Notifications have no such comma.
func parseAnswer(data []byte) (object, error) {
	o, err := parseObject(withoutTrailingCommas(data))
	if err != nil {
		return nil, err
	}
	return o.snakeCased()
}

// object returns the object under name, nil when there is none.
func (o object) object(name string) (object, error) {
	if o.missing(name) {
		return nil, nil
	}
	return parseAnswer(o[name])
}

// list returns the objects of the list under name one after the other; ok is false when there is no such list.
func (o object) list(name string) (objects iter.Seq2[object, error], length int, ok bool) {
	rows, length, ok := o.rows(name)
	return func(yield func(object, error) bool) {
		for row, err := range rows {
			if err == nil {
				row, err = row.snakeCased()
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}, length, ok
}

// rows returns the same with the names that are written, which a signature can be over.
func (o object) rows(name string) (objects iter.Seq2[object, error], length int, ok bool) {
	if o.missing(name) {
		return nil, 0, false
	}
	items, length, err := strictjson.List(o[name])
	if err != nil {
		return nil, 0, false
	}
	return func(yield func(object, error) bool) {
		for raw := range items {
			if item, err := parseObject(withoutTrailingCommas(raw)); !yield(item, err) || err != nil {
				return
			}
		}
	}, length, true
}

// withoutTrailingCommas removes, outside of texts, a comma between a value and the closing bracket. Any
// other comma that JSON does not allow stays, and stays an error.
func withoutTrailingCommas(data []byte) []byte {
	var out []byte // copied on the first comma
	copied, inText, comma, last := 0, false, -1, byte(0)
	for i := 0; i < len(data); i++ {
		b := data[i]
		switch {
		case inText && b == '\\':
			i++
		case b == '"':
			inText = !inText
			comma = -1
		case inText || b == ' ' || b == '\t' || b == '\n' || b == '\r':
			continue
		case (b == '}' || b == ']') && comma >= 0:
			out = append(out, data[copied:comma]...)
			copied, comma = comma+1, -1
		case b == ',' && !strings.ContainsRune("{[,:\x00", rune(last)):
			comma = i
		default:
			comma = -1
		}
		last = b
	}
	if copied == 0 {
		return data
	}
	return append(out, data[copied:]...)
}

var camelCase = regexp.MustCompile(`^[a-z]+([A-Z][a-z]*)+$`)

// snakeCase turns "paymentClId" into "payment_cl_id" and leaves every other kind of name alone.
func snakeCase(name string) string {
	if strings.IndexFunc(name, capital) < 0 || !camelCase.MatchString(name) {
		return name
	}
	snake := make([]byte, 0, 2*len(name))
	for _, letter := range []byte(name) {
		if capital(rune(letter)) {
			snake, letter = append(snake, '_'), letter+'a'-'A'
		}
		snake = append(snake, letter)
	}
	return string(snake)
}

func capital(r rune) bool { return 'A' <= r && r <= 'Z' }
