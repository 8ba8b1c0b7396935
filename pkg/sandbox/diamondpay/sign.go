package diamondpay

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// SignType is how an account signs, both ways.
type SignType string

// The ways. MD5 is the documents' older rule and their default.
const (
	MD5        SignType = "MD5"
	HMACSHA256 SignType = "HMAC-SHA256"
)

// fields are the parameters of a request or answer by their snake_case names. Numbers keep their digits.
type fields map[string]any

var errNotObject = errors.New("the body must be one JSON object")

// decode reads a body. The TWD deposit page writes names in camelCase; they are read and signed as snake_case, as the
// provider's own demo does.
func decode(body []byte) (fields, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var raw map[string]any
	if err := dec.Decode(&raw); err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) || raw == nil {
		return nil, errNotObject
	}
	f := fields{}
	for name, value := range raw {
		f[snake(name)] = value
	}
	return f, nil
}

// snake turns paymentClId into payment_cl_id.
func snake(name string) string {
	var b strings.Builder
	for _, c := range name {
		if unicode.IsUpper(c) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// camel turns payment_cl_id into paymentClId.
func camel(name string) string {
	parts := strings.Split(name, "_")
	for i, part := range parts {
		if i > 0 && part != "" {
			parts[i] = strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return strings.Join(parts, "")
}

// text is a value as it is signed: lists and objects as compact JSON.
func (f fields) text(name string) string {
	switch value := f[name].(type) {
	case nil:
		return ""
	case string:
		return value
	case json.Number:
		return value.String()
	default:
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(value); err != nil {
			panic("diamondpay: JSON that was read can be written: " + err.Error())
		}
		return strings.TrimSuffix(b.String(), "\n")
	}
}

// signedString joins the fields: sorted by name, without sign, sign_type and empty values. Zero stays
// (showdoc.com.cn/fantian, signatures).
func signedString(f fields) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if value := f.text(name); name != "sign" && name != "sign_type" && value != "" {
			parts = append(parts, name+"="+value)
		}
	}
	return strings.Join(parts, "&")
}

// sign signs the fields.
func sign(how SignType, secret string, f fields) string {
	message := signedString(f)
	if how == HMACSHA256 {
		h := hmac.New(sha256.New, []byte(secret))
		_, _ = io.WriteString(h, message) // a hash never fails
		return hex.EncodeToString(h.Sum(nil))
	}
	sum := md5.Sum([]byte(message + "&" + secret))
	return hex.EncodeToString(sum[:])
}

// verify checks sign and sign_type. No sign_type is MD5.
func verify(how SignType, secret string, f fields) bool {
	said := SignType(f.text("sign_type"))
	if said == "" {
		said = MD5
	}
	return said == how && hmac.Equal([]byte(f.text("sign")), []byte(sign(how, secret, f)))
}
