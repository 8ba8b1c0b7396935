package diamondpay

import (
	"maps"
	"strings"

	"payonce/pkg/connectors/strictjson"
)

// snakeCased returns o with names in camelCase turned into snake_case, as the example of the TWD deposit page has
// the former and its text the latter. An object with both spellings of a name could be read in two ways: it is
// [strictjson.ErrNotAnObject], as one with a doubled name.
func (o object) snakeCased() (object, error) {
	if !o.hasCamelCase() {
		return o, nil
	}
	renamed := make(object, len(o))
	for name, value := range o {
		name = snakeCase(name)
		if _, double := renamed[name]; double {
			return nil, strictjson.ErrNotAnObject
		}
		renamed[name] = value
	}
	return renamed, nil
}

func (o object) hasCamelCase() bool {
	for name := range o {
		if snakeCase(name) != name {
			return true
		}
	}
	return false
}

// verifiedNames is [object.verified] for an object whose names can be in camelCase, and returns them in snake_case.
// The signature is over the snake_case names, because the provider's own Java demo renames before it signs, or
// over the names as they are written; signed is the object under the names that it is over.
func (o object) verifiedNames(signType string, secrets []string) (f fields, signed object, err error) {
	renamed, err := o.snakeCased()
	if err != nil {
		return nil, nil, err
	}
	signed = renamed
	f, err = renamed.verified(signType, secrets)
	if err != nil && !o.hasCamelCase() {
		return nil, nil, err
	}
	if err != nil {
		signed = o.asWritten()
		written, errWritten := signed.verified(signType, secrets)
		if errWritten != nil {
			return nil, nil, err
		}
		f = make(fields, len(written))
		for name, value := range written {
			f[snakeCase(name)] = value
		}
	}
	return renamed.withUnreadable(f), signed, nil
}

// camelCased is the opposite of [snakeCase], for names that are ours.
func camelCased(names ...string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		first, rest, _ := strings.Cut(name, "_")
		for _, word := range strings.Split(rest, "_") {
			if word != "" {
				first += strings.ToUpper(word[:1]) + word[1:]
			}
		}
		all[i] = first
	}
	return all
}

// asWritten returns o with the names that are written, but for sign_type, which is not signed under any name.
func (o object) asWritten() object {
	for name, value := range o {
		if name != signTypeName && snakeCase(name) == signTypeName {
			o = maps.Clone(o)
			delete(o, name)
			o[signTypeName] = value
		}
	}
	return o
}

// decisive are the fields that decide about money.
var decisive = []string{"status", "amount", "real_amount"}

// told are fields beside them. What the provider tells there and cannot be read must leave a trace: an annotation, a doubt or a text
// that people see. An empty list or object is PHP's way to tell nothing, as null and "".
var told = []string{"currency", "error_msg", "fee", "payment_id", "payout_id", "success_time"}

// withUnreadable adds to f what o has of the decisive and told fields as an object or a list, which plain fields leave out.
// As missing, an older payout's real_amount would be taken for the ordered one.
func (o object) withUnreadable(f fields) fields {
	if f == nil {
		return nil // not verified
	}
	for _, name := range decisive {
		if raw := o[name]; len(raw) > 0 && (raw[0] == '{' || raw[0] == '[') {
			f[name] = string(raw)
		}
	}
	for _, name := range told {
		if strictjson.Filled(o[name]) {
			f[name] = string(o[name])
		}
	}
	return f
}
