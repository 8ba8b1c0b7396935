package diamondpay

import (
	"encoding/json"

	"payonce/pkg/connectors/strictjson"
)

// object is a JSON object as [strictjson.Object] reads it.
type object map[string]json.RawMessage

func parseObject(data []byte) (object, error) { return strictjson.Object(data) }

// missing reports whether there is no such value, or null.
func (o object) missing(name string) bool {
	return len(o[name]) == 0 || string(o[name]) == "null"
}

// fields are the plain values of an object that the provider calls not empty: neither null nor "". Numbers
// and booleans are kept as they were written, so that 0 is a value, and 2 and "2" are the same.
type fields map[string]string

// fields returns the plain values of o, without objects and lists.
func (o object) fields() fields {
	f := make(fields, len(o))
	for name, raw := range o {
		if text := plain(raw); text != "" {
			f[name] = text
		}
	}
	return f
}

// text returns one plain value, as [object.fields] has it.
func (o object) text(name string) string {
	if len(o[name]) == 0 {
		return ""
	}
	return plain(o[name])
}

// plain returns the text of a value; null, an object and a list are empty.
func plain(raw json.RawMessage) string {
	switch raw[0] {
	case '{', '[', 'n':
		return ""
	case '"':
		text, _ := strictjson.Text(raw)
		return text
	}
	return string(raw)
}
