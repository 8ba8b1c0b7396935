package events

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Outgoing is a message ready to publish.
type Outgoing struct {
	Subject string
	Header  Header
	Data    []byte
}

// Get returns the first value of a header, whatever the case of its name; empty when there is none.
func (h Header) Get(name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	for key, values := range h {
		if strings.EqualFold(key, name) && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

// Set replaces a header.
func (h Header) Set(name, value string) {
	for key := range h {
		if strings.EqualFold(key, name) {
			delete(h, key)
		}
	}
	h[name] = []string{value}
}

// Attributes are the CloudEvents context attributes that payonce writes and reads.
type Attributes struct {
	ID          string
	Source      string
	Type        string
	Subject     string
	Time        time.Time
	ContentType string // datacontenttype
	Schema      string // dataschema
}

const (
	specVersion = "1.0"
	contentJSON = "application/json"
	// Source is the CloudEvents source of everything that payonce itself writes.
	Source = "/payonce"
)

// header returns the attributes as NATS headers in binary mode.
func (a Attributes) header() Header {
	h := make(Header, 14)          // room for what a publisher adds; for one more, Go makes twice as much
	values := make([]string, 0, 8) // one for each attribute, allocated at once
	put := func(name, value string) {
		if value != "" { // an attribute is Unicode; a webhook's Content-Type need not be
			values = append(values, percentEncode(strings.ToValidUTF8(value, "\ufffd")))
			h[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	put("ce-specversion", specVersion)
	put("ce-id", a.ID)
	put("ce-source", a.Source)
	put("ce-type", a.Type)
	put("ce-subject", a.Subject)
	put("ce-datacontenttype", a.ContentType)
	put("ce-dataschema", a.Schema)
	if !a.Time.IsZero() {
		put("ce-time", a.Time.UTC().Format(time.RFC3339Nano))
	}
	return h
}

var errTooManyHeaders = fmt.Errorf("more than %d bytes of headers", maxHeader)

// errNotCloudEvent says that a message has no CloudEvents headers at all.
var errNotCloudEvent = errors.New("no ce- headers")

// parseAttributes reads the attributes of a binary-mode message. A message without any "ce-" header
// gives errNotCloudEvent. An attribute that occurs twice is refused: no reader could say which counts.
func parseAttributes(h Header) (Attributes, error) {
	values := make(map[string]string, 8) // as many as payonce writes
	for key, list := range h {
		if _, ce := cutPrefixFold(key, "ce-"); !ce || len(list) == 0 {
			continue
		}
		name := strings.ToLower(key)
		if _, doubled := values[strings.TrimPrefix(name, "ce-")]; doubled || len(list) > 1 {
			return Attributes{}, fmt.Errorf("header %s occurs twice", name)
		}
		value, err := percentDecode(list[0])
		if err != nil {
			return Attributes{}, fmt.Errorf("header %s: %w", name, err)
		}
		values[strings.TrimPrefix(name, "ce-")] = value
	}
	if len(values) == 0 {
		return Attributes{}, errNotCloudEvent
	}
	return attributesOf(values)
}

func attributesOf(values map[string]string) (Attributes, error) {
	if values["specversion"] != specVersion {
		return Attributes{}, errors.New(`header ce-specversion must be "1.0"`)
	}
	for _, name := range []string{"id", "source", "type"} {
		if values[name] == "" {
			return Attributes{}, fmt.Errorf("header ce-%s is required", name)
		}
	}
	a := Attributes{
		ID: values["id"], Source: values["source"], Type: values["type"], Subject: values["subject"],
		ContentType: values["datacontenttype"], Schema: values["dataschema"],
	}
	if text := values["time"]; text != "" {
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return Attributes{}, errors.New("header ce-time must be an RFC 3339 time")
		}
		a.Time = t
	}
	return a, nil
}

const upperHex = "0123456789ABCDEF"

// percentEncode writes a header value as section 3.1.3.2 of the CloudEvents NATS binding says: blanks,
// quotes, "%" and all that is not printable ASCII become %XY per UTF-8 byte.
func percentEncode(value string) string {
	i := 0
	for i < len(value) && !mustEncode(value[i]) {
		i++
	}
	if i == len(value) {
		return value
	}
	var b strings.Builder
	for i := range len(value) {
		if c := value[i]; mustEncode(c) {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func mustEncode(c byte) bool { return c <= ' ' || c > '~' || c == '"' || c == '%' }

// percentDecode undoes percentEncode. As the binding demands, it first takes off double quotes with
// their backslash escapes, accepts what is encoded without need and lower-case hex, and refuses bytes
// that are not UTF-8.
func percentDecode(value string) (string, error) {
	text, err := unescape(unquote(value))
	if err == nil && !utf8.ValidString(text) {
		return "", errors.New("not UTF-8 after percent decoding")
	}
	return text, err
}

// unescape turns each %XY into its byte.
func unescape(value string) (string, error) {
	if !strings.Contains(value, "%") {
		return value, nil
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] != '%' {
			b.WriteByte(value[i])
			continue
		}
		if i+2 >= len(value) {
			return "", errors.New("an incomplete percent encoding")
		}
		high, low := unhex(value[i+1]), unhex(value[i+2])
		if high < 0 || low < 0 {
			return "", errors.New("a wrong percent encoding")
		}
		b.WriteByte(byte(high<<4 | low))
		i += 2
	}
	return b.String(), nil
}

func unquote(value string) string {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return value
	}
	var b strings.Builder
	for i := 1; i < len(value)-1; i++ {
		if value[i] == '\\' && i+1 < len(value)-1 {
			i++
		}
		b.WriteByte(value[i])
	}
	return b.String()
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
