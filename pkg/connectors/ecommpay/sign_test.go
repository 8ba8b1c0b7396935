package ecommpay_test

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/secret"
)

// vectorFile holds signatures published with the provider's SDKs.
type vectorFile struct {
	Texts []struct {
		ID       string `json:"id"`
		JSON     string `json:"json"`
		Expected string `json:"expected"`
	} `json:"string_to_sign"`
	Vectors  []vector `json:"vectors"`
	Rejected []vector `json:"must_be_rejected"`
}

type vector struct {
	ID        string          `json:"id"`
	Kind      string          `json:"kind"`
	Secret    string          `json:"secret"`
	Data      json.RawMessage `json:"data"`
	Text      string          `json:"string_to_sign"`
	Signature string          `json:"signature"`
}

func vectors(t testing.TB) vectorFile {
	t.Helper()
	var f vectorFile
	read(t, "vectors.json", &f)
	if len(f.Texts) != 2 || len(f.Vectors) != 16 || len(f.Rejected) != 3 {
		t.Fatalf("%d texts, %d vectors, %d to be rejected", len(f.Texts), len(f.Vectors), len(f.Rejected))
	}
	return f
}

func TestVectors(t *testing.T) {
	f := vectors(t)
	for _, v := range f.Texts {
		for _, o := range ecommpay.Sortings() {
			if got, err := ecommpay.SigningString([]byte(v.JSON), o); err != nil || got != v.Expected {
				t.Errorf("%s, order %d: got %q, %v", v.ID, o, got, err)
			}
		}
	}
	for _, v := range f.Vectors {
		keys := []secret.Value{foreign, {}, secret.New(v.Secret)}
		for _, o := range ecommpay.Sortings() {
			if got, err := ecommpay.SigningString(v.Data, o); err != nil || got != v.Text {
				t.Errorf("%s, order %d: got\n%s, %v, want\n%s", v.ID, o, got, err, v.Text)
			}
		}
		if got, err := ecommpay.Sign(secret.New(v.Secret), v.Data); err != nil || got != v.Signature {
			t.Errorf("%s: signed %q, %v", v.ID, got, err)
		}
		if err := ecommpay.Verify(keys, v.Data, v.Signature); err != nil {
			t.Errorf("%s: %v", v.ID, err)
		}
		if err := ecommpay.Verify(keys[:2], v.Data, v.Signature); err == nil {
			t.Errorf("%s: verified without its secret", v.ID)
		}
		if err := ecommpay.Verify(keys, v.Data, ""); (err == nil) != (v.Kind == "callback") { // only a callback carries its own
			t.Errorf("%s, signature in the body: %v", v.ID, err)
		}
	}
	for _, v := range f.Rejected {
		if v.ID == "go-negative" {
			for _, positive := range f.Vectors {
				if positive.ID == "go-signaturehandler" {
					v.Data, v.Secret, v.Signature = positive.Data, positive.Secret, "tIf3gh4jZHReVS5aOz24/VfAorw7mQ=="
				}
			}
		}
		if err := ecommpay.Verify([]secret.Value{secret.New(v.Secret)}, v.Data, v.Signature); err == nil {
			t.Errorf("%s verified", v.ID)
		}
	}
}

// Every single bit of a signed callback counts, as does every bit of its signature.
func TestTampering(t *testing.T) {
	body := []byte(signedBy(t, current, `{"project_id":200,"payment":{"id":"A1","sum":{"amount":10000,"currency":"KRW"},"status":"success","is_new_attempts_available":false},"note":null}`))
	keys := []secret.Value{current}
	if err := ecommpay.Verify(keys, body, ""); err != nil {
		t.Fatal(err)
	}
	text, err := ecommpay.SigningString(body, ecommpay.NaturalByPath)
	if err != nil {
		t.Fatal(err)
	}
	for i := range body {
		for bit := range 8 {
			changed := slices.Clone(body)
			changed[i] ^= 1 << bit
			if ecommpay.Verify(keys, changed, "") != nil {
				continue
			}
			// Blanks and the case of escapes may change; the signed text may not.
			if got, err := ecommpay.SigningString(changed, ecommpay.NaturalByPath); err != nil || got != text {
				t.Errorf("byte %d, bit %d verified: %s", i, bit, changed)
			}
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	good := signedBy(t, current, `{"payment":{"id":"A1","status":"success","description":"x"}}`)
	signature, err := ecommpay.Sign(current, []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	field := `"signature":"` + signature + `"`
	bodies := map[string]string{
		"nothing":                 ``,
		"no JSON":                 `{"payment":`,
		"a list":                  `[` + good + `]`,
		"two documents":           good + `{}`,
		"no UTF-8":                strings.Replace(good, `"x"`, "\"\xff\"", 1),
		"no signature":            strings.Replace(good, field+`,`, ``, 1),
		"empty signature":         strings.Replace(good, signature, ``, 1),
		"null signature":          strings.Replace(good, `"`+signature+`"`, `null`, 1),
		"a number for one":        strings.Replace(good, `"`+signature+`"`, `1`, 1),
		"a list for one":          strings.Replace(good, `"`+signature+`"`, `["`+signature+`"]`, 1),
		"signature twice":         strings.Replace(good, `{`, `{`+field+`,`, 1),
		"in root and general":     strings.Replace(good, `{`, `{"general":{`+field+`},`, 1),
		"in another object":       strings.Replace(good, field+`,"payment":{`, `"payment":{`+field+`,`, 1),
		"deeper in general":       strings.Replace(good, field, `"general":{"general":{`+field+`}}`, 1),
		"Signature":               strings.Replace(good, `"signature"`, `"Signature"`, 1),
		"a line break inside":     strings.Replace(good, signature, signature[:40]+`\n`+signature[40:], 1),
		"without padding":         strings.Replace(good, signature, strings.TrimRight(signature, "="), 1),
		"URL alphabet":            strings.Replace(good, signature, strings.NewReplacer("+", "-", "/", "_").Replace(signature)+"-", 1),
		"a name twice":            strings.Replace(good, `"id":"A1"`, `"id":"A1","id":"A1"`, 1),
		"a name twice, escaped":   strings.Replace(good, `"id":"A1"`, `"id":"A1","\u0069d":"A2"`, 1),
		"a further field":         strings.Replace(good, `"id":"A1"`, `"id":"A1","type":"payout"`, 1),
		"a further null":          strings.Replace(good, `"id":"A1"`, `"id":"A1","type":null`, 1),
		"a nested signature":      strings.Replace(good, `"id":"A1"`, `"id":"A1","signature":"x"`, 1),
		"an uncovered field":      strings.Replace(good, `"id":"A1"`, `"id":"A1","frame_mode":"popup"`, 1),
		"uncovered in a list":     strings.Replace(good, `{`, `{"e":[{"frame_mode":"popup"}],`, 1),
		"uncovered in general":    strings.Replace(good, `{`, `{"general":{"frame_mode":"popup"},`, 1),
		"nested too deep":         strings.Replace(good, `{`, `{"deep":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`,`, 1),
		"fields hidden in a text": `{` + field + `,"payment":{"description":"x;payment:id:A1","status":"success"}}`,
		"fields hidden in a name": `{` + field + `,"payment":{"description:x;payment:id":"A1","status":"success"}}`,
	}
	for name, body := range bodies {
		if err := ecommpay.Verify([]secret.Value{current}, []byte(body), ""); err == nil || strings.Contains(err.Error(), "A1") {
			t.Errorf("%s: got %v for %s", name, err, body)
		}
	}
	for name, body := range map[string]string{
		"as it is":                 good,
		"empty objects":            strings.Replace(good, `"id":"A1"`, `"id":"A1","more":{"e":[]}`, 1),
		"frame_mode in the root":   strings.Replace(good, `{`, `{"frame_mode":"popup",`, 1),
		"in general":               strings.Replace(good, field, `"general":{`+field+`}`, 1),
		"previous secret":          signedBy(t, previous, `{"a":1}`),
		"a signed signature":       signedBy(t, current, `{"payment":{"id":"A1","signature":"of the bank"}}`),
		"a semicolon":              signedBy(t, current, `{"operation":{"message":"Declined; reason: none; x","provider":1}}`),
		"a separator in a name":    signedBy(t, current, `{"a;b":1}`),
		"not a field that is read": signedBy(t, current, `{"payment":{"description":"x; ref: 5;foo:bar;payments:2; payment :3","id":"A1"}}`),
		"general is a text":        signedBy(t, current, `{"general":"x","a":1}`),
	} {
		if err := ecommpay.Verify([]secret.Value{current, previous}, []byte(body), ""); err != nil {
			t.Errorf("%s: %v for %s", name, err, body)
		}
	}
	// Any sender can sign with an empty secret.
	empty := hmac.New(sha512.New, nil)
	empty.Write([]byte("a:1"))
	if err := ecommpay.Verify([]secret.Value{{}, secret.New("")}, []byte(`{"a":1}`), base64.StdEncoding.EncodeToString(empty.Sum(nil))); err == nil {
		t.Error("verified with an empty secret")
	}
	// A signature beside the body counts before the one inside.
	if err := ecommpay.Verify([]secret.Value{current}, []byte(good), signature[:10]); err == nil {
		t.Error("verified with half a signature")
	}
	if _, err := ecommpay.Sign(secret.Value{}, []byte(good)); err == nil {
		t.Error("signed without a secret")
	}
}

// A signed text that stands for two documents is refused, if a text of the document goes on like a field that is
// read.
func TestHiddenFields(t *testing.T) {
	plain := `{"payment":{"a":"1","b":"2"},"sum_real":"3"}`
	signature, err := ecommpay.Sign(current, []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{`{"payment":{"a":"1;payment:b:2"},"sum_real":"3"}`, `{"payment":{"a":"1;payment:b:2;sum_real:3"}}`, `{"payment":{"a":"1","b":"2;sum_real:3"}}`, `{"payment":{"a":{"1;payment":{"b":"2"}}},"sum_real":"3"}`} {
		if err := ecommpay.Verify([]secret.Value{current}, []byte(body), signature); err == nil {
			t.Errorf("%s verified", body)
		}
	}
	if err := ecommpay.Verify([]secret.Value{current}, []byte(plain), signature); err != nil {
		t.Error(err)
	}
}

// The three orders differ for lists of ten and more and for names that continue another.
func TestOrders(t *testing.T) {
	var list []string
	for i := range 11 {
		list = append(list, fmt.Sprint(i))
	}
	body := `{"l":[` + strings.Join(list, ",") + `],"address2":"y","address":"x","b.c":1,"b":{"d":2}}`
	want := map[ecommpay.Sorting]string{
		ecommpay.NaturalByPath:  `address:x;address2:y;b.c:1;b:d:2;l:0:0;l:1:1;l:2:2;l:3:3;l:4:4;l:5:5;l:6:6;l:7:7;l:8:8;l:9:9;l:10:10`,
		ecommpay.ByPath:         `address:x;address2:y;b.c:1;b:d:2;l:0:0;l:1:1;l:10:10;l:2:2;l:3:3;l:4:4;l:5:5;l:6:6;l:7:7;l:8:8;l:9:9`,
		ecommpay.ByPathAndValue: `address2:y;address:x;b.c:1;b:d:2;l:0:0;l:10:10;l:1:1;l:2:2;l:3:3;l:4:4;l:5:5;l:6:6;l:7:7;l:8:8;l:9:9`,
	}
	for _, o := range ecommpay.Sortings() {
		got, err := ecommpay.SigningString([]byte(body), o)
		if err != nil || got != want[o] {
			t.Errorf("order %d: got %s, %v", o, got, err)
		}
		// Signed as the other SDKs do: a document of one value that needs no sorting has the same text.
		one, err := json.Marshal(map[string]string{strings.SplitN(got, ":", 2)[0]: strings.SplitN(got, ":", 2)[1]})
		if err != nil {
			t.Fatal(err)
		}
		signature, err := ecommpay.Sign(current, one)
		if err != nil {
			t.Fatal(err)
		}
		if err := ecommpay.Verify([]secret.Value{current}, []byte(body), signature); err != nil {
			t.Errorf("order %d does not verify: %v", o, err)
		}
	}
	if got, err := ecommpay.SigningString([]byte(`{"a:b":1.50,"c":1e5,"d":11111111111111.1,"e":"\u00e9/\/","f":true}`), ecommpay.NaturalByPath); err != nil || got != `a::b:1.50;c:1e5;d:11111111111111.1;e:é//;f:1` {
		t.Errorf("got %s, %v", got, err)
	}
}

// The order of PHP's strnatcmp, by its published algorithm.
func TestCompareNatural(t *testing.T) {
	cases := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "a", -1}, {"a", "", 1}, {"a", "a", 0}, {"a", "b", -1}, {"b", "a", 1}, {"a", "ab", -1}, {"ab", "a", 1},
		{"l:2:a", "l:10:a", -1}, {"l:10", "l:9", 1}, {"l:10", "l:10", 0}, {"img12", "img10", 1}, {"img12x", "img12y", -1},
		{"x1", "x1a", -1}, {"x1a", "x1", 1}, {"x123", "x12", 1},
		{"a:b", "a1", 1}, {"a.b", "a:b", -1}, {"A", "a", -1}, {"é", "z", 1},
		{"007", "7", 0}, {"08", "7", 1}, {"0", "00", 0}, {"x1.01", "x1.1", -1}, {"x1.010", "x1.01", 1}, {"x1.01", "x1.02", -1}, {"x1.02", "x1.01", 1}, {"x1.0", "x1.01", -1},
		{"a  b", "a b", 0}, {"a b", "a c", -1}, {"a 2", "a 10", -1}, {"a ", "a", 1}, {" ", "x", -1},
	}
	for _, c := range cases {
		if got := ecommpay.CompareNatural(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: got %d, want %d", c.a, c.b, got, c.want)
		}
		if got := ecommpay.CompareNatural(c.b, c.a); got != -c.want {
			t.Errorf("%q, %q: got %d, want %d", c.b, c.a, got, -c.want)
		}
	}
}
