package payctl

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

var errBody = errors.New("the body is not one JSON value in UTF-8")

// rewrite writes a JSON document again without blanks and with its texts unescaped, so that "\ud64d" and
// "홍" are the same, while numbers, order and doubled names stay as they were written. edit says for each
// name of an object under which name it stays, and whether it stays at all; path names what it is in,
// and "[]" stands for the place in a list.
func rewrite(body []byte, edit func(path []string, name string) (string, bool)) ([]byte, error) {
	if !utf8.Valid(body) {
		return nil, errBody
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	w := writer{dec: dec, edit: edit}
	if err := w.value(&w.out, nil); err != nil {
		return nil, errBody // the decoder's own errors quote the document
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errBody
	}
	return w.out.Bytes(), nil
}

type writer struct {
	dec  *json.Decoder
	edit func(path []string, name string) (string, bool)
	out  bytes.Buffer
}

func (w *writer) value(out *bytes.Buffer, path []string) error {
	token, err := w.dec.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		return w.object(out, path)
	case json.Delim('['):
		return w.list(out, path)
	}
	return plain(out, token)
}

func (w *writer) object(out *bytes.Buffer, path []string) error {
	out.WriteByte('{')
	for first := true; w.dec.More(); {
		token, err := w.dec.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		kept, keep := w.edit(path, name)
		var field bytes.Buffer
		if err := w.value(&field, append(path, name)); err != nil {
			return err
		}
		if !keep {
			continue
		}
		if !first {
			out.WriteByte(',')
		}
		first = false
		if err := plain(out, kept); err != nil {
			return err
		}
		out.WriteByte(':')
		out.Write(field.Bytes())
	}
	out.WriteByte('}')
	_, err := w.dec.Token() // the closing brace
	return err
}

func (w *writer) list(out *bytes.Buffer, path []string) error {
	out.WriteByte('[')
	for first := true; w.dec.More(); first = false {
		if !first {
			out.WriteByte(',')
		}
		if err := w.value(out, append(path, "[]")); err != nil {
			return err
		}
	}
	out.WriteByte(']')
	_, err := w.dec.Token() // the closing bracket
	return err
}

// lineSeparators are escaped by encoding/json whatever its options. A backslash before the escape is itself
// escaped, so pairs of them are passed over.
var lineSeparators = strings.NewReplacer(`\\`, `\\`, `\u2028`, "\u2028", `\u2029`, "\u2029")

// plain writes a value that is no object and no list.
func plain(out *bytes.Buffer, value any) error {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return err
	}
	out.WriteString(lineSeparators.Replace(strings.TrimSuffix(text.String(), "\n")))
	return nil
}

// keepAll edits nothing.
func keepAll(_ []string, name string) (string, bool) { return name, true }

// withText returns an object that [rewrite] made with one more field at its end.
func withText(object []byte, name, value string) ([]byte, error) {
	if !bytes.HasPrefix(object, []byte("{")) {
		return nil, errors.New("the body is not a JSON object")
	}
	var out bytes.Buffer
	out.Write(bytes.TrimSuffix(object, []byte("}")))
	if len(object) > len("{}") {
		out.WriteByte(',')
	}
	if err := plain(&out, name); err != nil {
		return nil, err
	}
	out.WriteByte(':')
	if err := plain(&out, value); err != nil {
		return nil, err
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// textField returns a text in the root of an object, empty when there is none.
func textField(object []byte, name string) string {
	var text string
	if json.Unmarshal(rawField(object, name), &text) != nil {
		return ""
	}
	return text
}

// rawField returns a value in the root of an object, nil when there is none.
func rawField(object []byte, name string) json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(object, &fields) != nil {
		return nil
	}
	return fields[name]
}
