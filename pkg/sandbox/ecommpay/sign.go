package ecommpay

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

var errNotObject = errors.New("the body must be one JSON object")

// object is a JSON object; numbers in it are json.Number, because they are signed as they are written.
type object = map[string]any

// decode reads a body.
func decode(body []byte) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var o object
	if err := dec.Decode(&o); err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) || o == nil {
		return nil, errNotObject
	}
	return o, nil
}

// pair is one value and where it is.
type pair struct{ path, value string }

func (p pair) String() string { return p.path + ":" + p.value }

// order compares two pairs.
type order func(a, b pair) int

// The orders in which the platform's own libraries sort. They differ only for arrays of ten or more and
// for names that continue each other. The platform is written in PHP, whose library sorts naturally by
// path; requests in one of the other orders are taken too.
var (
	natural order = func(a, b pair) int { return cmp.Or(compareNatural(a.path, b.path), strings.Compare(a.path, b.path)) }
	byPath  order = func(a, b pair) int { return strings.Compare(a.path, b.path) }
	byBytes order = func(a, b pair) int { return strings.Compare(a.String(), b.String()) }
)

// signedString joins everything but signatures and frame_mode (signature handlers of the provider's SDKs).
func signedString(o object, by order) string {
	pairs := flatten(nil, nil, o)
	slices.SortStableFunc(pairs, by)
	lines := make([]string, len(pairs))
	for i, p := range pairs {
		lines[i] = p.String()
	}
	return strings.Join(lines, ";")
}

// flatten adds the plain values below a value. Empty objects and arrays add nothing.
func flatten(pairs []pair, path []string, value any) []pair {
	switch v := value.(type) {
	case map[string]any:
		for name, below := range v {
			if name != "signature" && name != "frame_mode" {
				pairs = flatten(pairs, append(slices.Clip(path), strings.ReplaceAll(name, ":", "::")), below)
			}
		}
	case []any:
		for i, below := range v {
			pairs = flatten(pairs, append(slices.Clip(path), strconv.Itoa(i)), below)
		}
	default:
		pairs = append(pairs, pair{strings.Join(path, ":"), text(value)})
	}
	return pairs
}

// text is a plain value as it is signed.
func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "1"
		}
		return "0"
	default:
		return ""
	}
}

// compareNatural compares runs of digits as numbers, as PHP's SORT_NATURAL does.
func compareNatural(a, b string) int {
	for a != "" && b != "" {
		x, y := digits(a), digits(b)
		if x == "" || y == "" {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		a, b = a[len(x):], b[len(y):]
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// digits is the run of digits that text begins with.
func digits(text string) string {
	end := 0
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	return text[:end]
}

// mac is base64(HMAC-SHA512).
func mac(secret, message string) string {
	h := hmac.New(sha512.New, []byte(secret))
	_, _ = io.WriteString(h, message) // a hash never fails
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// sign signs as the platform does.
func sign(secret string, o object) string { return mac(secret, signedString(o, natural)) }

// signatureOf finds a signature in the root or in general; it is accepted nowhere else.
func signatureOf(o object) string {
	if s, ok := o["signature"].(string); ok {
		return s
	}
	general, _ := o["general"].(object)
	s, _ := general["signature"].(string)
	return s
}

// verify checks the signature in an object.
func verify(secret string, o object) bool {
	got := signatureOf(o)
	for _, by := range []order{natural, byPath, byBytes} {
		if got != "" && hmac.Equal([]byte(got), []byte(mac(secret, signedString(o, by)))) {
			return true
		}
	}
	return false
}
