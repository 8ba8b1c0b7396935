package masking

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"payonce/pkg/boundedjson"
)

// MaxDepth is how many levels of objects and lists a document may have that [JSON] reads.
const MaxDepth = 64

// fieldName is what a field is called by those who design formats. Any other name can be a person's.
var fieldName = regexp.MustCompile(`^[A-Za-z_][A-Za-z_.-]{0,39}$`)

// FieldName reports whether a name looks like one that a format has.
func FieldName(name string) bool { return fieldName.MatchString(name) }

// What an amount consists of, also one that is refused.
var (
	amountValue    = regexp.MustCompile(`^[-+0-9.,e]{1,24}$`)
	amountCurrency = regexp.MustCompile(`^[A-Za-z]{3}$`)
)

// JSON returns a document on one line with everything masked but true, false and null, names that look like those of a format,
// amounts (an object of value and currency), and the texts and numbers of which plain says that they may be seen; it gets the
// name of the object that they are in, too. It is not ok where body is no JSON, or has more than [MaxDepth] levels. Of what
// would be longer than limit bytes, which 0 does not bound, the beginning is returned.
func JSON(body []byte, limit int, plain func(object, name, value string) bool) (masked string, whole, ok bool) {
	doc, err := boundedjson.Parse(body, boundedjson.Limits{Depth: MaxDepth, Doubles: true})
	if err != nil {
		return "", false, false
	}
	m := &masker{limit: limit, plain: plain}
	m.value("", "", doc)
	masked, whole = Beginning(m.String(), limit)
	return masked, whole, true
}

// Beginning returns the first limit bytes of a text, less where a character would be cut, and whether that is all of it.
func Beginning(text string, limit int) (beginning string, whole bool) {
	if limit == 0 || len(text) <= limit {
		return text, true
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit], false
}

type masker struct {
	strings.Builder
	limit int
	plain func(object, name, value string) bool
}

// full reports whether more would be cut off.
func (m *masker) full() bool { return m.limit > 0 && m.Len() > m.limit }

func (m *masker) value(object, name string, v boundedjson.Value) {
	switch v.Kind() {
	case boundedjson.Object:
		m.inner("{}", name, v, isAmount(v))
	case boundedjson.List:
		m.inner("[]", "", v, false)
	case boundedjson.Null, boundedjson.True, boundedjson.False:
		m.WriteString(v.Raw())
	default:
		m.leaf(v, m.plain(object, name, v.Text()))
	}
}

func (m *masker) leaf(v boundedjson.Value, shown bool) {
	if shown {
		m.WriteString(v.Raw())
		return
	}
	m.WriteString(`"` + mask + `"`)
}

// inner writes what an object of this name or a list has inside.
func (m *masker) inner(brackets, object string, v boundedjson.Value, amount bool) {
	m.WriteByte(brackets[0])
	first := true
	for one := range v.Inner() {
		if m.full() {
			return
		}
		if !first {
			m.WriteByte(',')
		}
		first = false
		name := one.Name()
		if brackets == "{}" {
			if !FieldName(name) {
				name = mask
			}
			m.WriteString(`"` + name + `":`)
		}
		if amount {
			m.leaf(one, true)
			continue
		}
		m.value(object, name, one)
	}
	m.WriteByte(brackets[1])
}

// isAmount reports whether an object is meant as an amount, which can be a bad one. The value of anything
// else can be a name.
func isAmount(object boundedjson.Value) bool {
	value, currency := object.Get("value"), object.Get("currency")
	return object.Count() == 2 && amountValue.MatchString(value.Text()) && amountCurrency.MatchString(currency.Text())
}
