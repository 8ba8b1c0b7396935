package diamondpay_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"payonce/pkg/connectors/diamondpay"
)

// vector is one signature: printed by the provider ("official"), or computed from the same rule.
type vector struct {
	ID       string          `json:"id"`
	Kind     string          `json:"kind"`
	SignType string          `json:"sign_type"`
	Key      string          `json:"key"`
	Params   json.RawMessage `json:"params"`
	Text     string          `json:"string_to_sign"`
	Sign     string          `json:"sign"`
}

func vectors(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Vectors []vector `json:"vectors"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	// The second official vector of showdoc's signature page, which the file does not hold.
	f.Vectors = append(f.Vectors, vector{
		ID: "showdoc-payout", Kind: "official", SignType: diamondpay.MD5, Key: key, Sign: "bc29e8a132edf819431227154c2586c6",
		Params: json.RawMessage(`{"platform_id":"PF0001","service_id":"SVC0004","payout_cl_id":"test_gateway_1707220674","amount":100000,"name":"王小头",` +
			`"number":"6216667451674374","notify_url":"http://localhost:52630/gateway/test-notification","request_time":1707220674}`),
		Text: "amount=100000&name=王小头&notify_url=http://localhost:52630/gateway/test-notification&number=6216667451674374" +
			"&payout_cl_id=test_gateway_1707220674&platform_id=PF0001&request_time=1707220674&service_id=SVC0004",
	})
	return f.Vectors
}

// withFields adds fields at the end of an object.
func withFields(body, fields string) []byte {
	open := strings.TrimRight(strings.TrimSuffix(strings.TrimSpace(body), "}"), " \n")
	if open != "{" {
		open += ","
	}
	return []byte(open + fields + "}")
}

func withSign(body, sign string) []byte { return withFields(body, `"sign":"`+sign+`"`) }

func TestVectors(t *testing.T) {
	all := vectors(t)
	if len(all) < 7 {
		t.Fatalf("%d vectors", len(all))
	}
	for _, v := range all {
		t.Run(v.ID, func(t *testing.T) {
			text, err := diamondpay.SigningString(v.Params)
			if err != nil || text != v.Text {
				t.Errorf("got %q, %v\nwant %q", text, err, v.Text)
			}
			sign, err := diamondpay.Sign(v.SignType, v.Key, v.Params)
			if err != nil || sign != v.Sign {
				t.Errorf("got %s, %v, want %s", sign, err, v.Sign)
			}
			body := withSign(string(v.Params), v.Sign)
			if err := diamondpay.Verify(v.SignType, []string{oldKey, v.Key}, body); err != nil {
				t.Error(err)
			}
			other := map[string]string{diamondpay.MD5: diamondpay.HMACSHA256, diamondpay.HMACSHA256: diamondpay.MD5}[v.SignType]
			for name, err := range map[string]error{
				"another secret":            diamondpay.Verify(v.SignType, []string{oldKey}, body),
				"no secret":                 diamondpay.Verify(v.SignType, nil, body),
				"the other type":            diamondpay.Verify(other, []string{v.Key}, body),
				"capital letters":           diamondpay.Verify(v.SignType, []string{v.Key}, withSign(string(v.Params), strings.ToUpper(v.Sign))),
				"a blank behind":            diamondpay.Verify(v.SignType, []string{v.Key}, withSign(string(v.Params), v.Sign+" ")),
				"half a signature":          diamondpay.Verify(v.SignType, []string{v.Key}, withSign(string(v.Params), v.Sign[:16])),
				"KRW deposit page's sample": diamondpay.Verify(v.SignType, []string{v.Key}, withSign(string(v.Params), "c81634c1769044eac9e9628a2292f557")),
				"TWD deposit page's sample": diamondpay.Verify(v.SignType, []string{v.Key}, withSign(string(v.Params), "fd2b863acdb75d67fe938e33d4e56b02")),
				"another platform":          diamondpay.Verify(v.SignType, []string{v.Key}, []byte(strings.Replace(string(body), "PF00", "PF10", 1))),
				"another amount":            diamondpay.Verify(v.SignType, []string{v.Key}, regexp.MustCompile(`"amount": *`).ReplaceAll(body, []byte(`"amount":1`))),
			} {
				if err == nil {
					t.Errorf("verifies with %s", name)
				}
			}
		})
	}
}

// A body may name a stronger sign type than the account's, and never a weaker one.
func TestSignTypes(t *testing.T) {
	body := []byte(`{"a":1}`)
	md5, err := diamondpay.Sign(diamondpay.MD5, key, body)
	if err != nil || len(md5) != 32 {
		t.Fatalf("%q, %v", md5, err)
	}
	mac, err := diamondpay.Sign(diamondpay.HMACSHA256, key, body)
	if err != nil || len(mac) != 64 {
		t.Fatalf("%q, %v", mac, err)
	}
	for _, signType := range []string{"", "md5", "HMAC", "hmac-sha256", "SHA256", "none"} {
		if sign, err := diamondpay.Sign(signType, key, body); err == nil {
			t.Errorf("%q signs %s", signType, sign)
		}
	}
	cases := []struct {
		configured, named, sign string
		ok                      bool
	}{
		{diamondpay.MD5, ``, md5, true},
		{diamondpay.MD5, `null`, md5, true},
		{diamondpay.MD5, `""`, md5, true},
		{diamondpay.MD5, `"MD5"`, md5, true},
		{diamondpay.MD5, `"HMAC-SHA256"`, mac, true}, // never weaker
		{diamondpay.MD5, `"HMAC-SHA256"`, md5, false},
		{diamondpay.MD5, `"MD5"`, mac, false},
		{diamondpay.MD5, ``, mac, false},
		{diamondpay.MD5, `"hmac-sha256"`, mac, false},
		{diamondpay.MD5, `["MD5"]`, md5, false},
		{diamondpay.MD5, `0`, md5, false},
		{diamondpay.HMACSHA256, `"HMAC-SHA256"`, mac, true},
		{diamondpay.HMACSHA256, ``, mac, true},
		{diamondpay.HMACSHA256, ``, md5, false},
		{diamondpay.HMACSHA256, `null`, md5, false},
		{diamondpay.HMACSHA256, `""`, md5, false},
		{diamondpay.HMACSHA256, `"MD5"`, md5, false},
		{diamondpay.HMACSHA256, `"MD5"`, mac, false},
		{diamondpay.HMACSHA256, `["MD5"]`, md5, false},
		{diamondpay.HMACSHA256, `"none"`, mac, false},
	}
	for _, c := range cases {
		signed := withSign(string(body), c.sign)
		if c.named != "" {
			signed = withFields(string(signed), `"sign_type":`+c.named)
		}
		if err := diamondpay.Verify(c.configured, []string{key}, signed); (err == nil) != c.ok {
			t.Errorf("configured %s, named %s: %v", c.configured, c.named, err)
		}
	}
}

func TestSigningString(t *testing.T) {
	cases := []struct{ name, body, want string }{
		{"empty", `{}`, ""},
		{"sorted by ASCII, both signatures left out", `{"b":"2","a":"1","sign":"x","sign_type":"y","B":"3","a_b":4,"aa":5}`, "B=3&a=1&a_b=4&aa=5&b=2"},
		{"numbers and booleans as written", `{"a":801,"b":1000.00,"c":1e3,"d":true,"e":false,"f":-0}`, "a=801&b=1000.00&c=1e3&d=true&e=false&f=-0"},
		{"zero stays, null and empty go", `{"a":0,"b":"0","c":null,"d":""}`, "a=0&b=0"},
		{"a blank is a value", `{"a":" "}`, "a= "},
		{"values are not trimmed and not encoded", `{"a":" x?y=1 "}`, "a= x?y=1 "},
		{"escapes are read", `{"a":"\ud64d\u0026"}`, "a=홍&"},
		{"a list is compact JSON", "{\"a\":[ \"12345\",\n \"67890\" ]}", `a=["12345","67890"]`},
		{"lists of signatures left out", `{"a":1,"sign":["x"],"sign_type":["y"]}`, "a=1"},
		{"an empty list", `{"a":[]}`, `a=[]`},
	}
	for _, c := range cases {
		if got, err := diamondpay.SigningString([]byte(c.body)); err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	for _, bad := range []string{
		``, `[]`, `"a"`, `1`, `null`, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1}x`, `{"a":1}{}`, `{"a":1,"a":1}`, `{"sign":"1","sign":"1"}`, `{"a":1,"\u0061":1}`,
		`{"a":{"b":1}}`, `{"a":{}}`, "{\"a\":\"\xff\"}", `{"a":tru}`, `{a:1}`, `{"a":1 "b":2}`, `{1:2}`, `{"a":[1,]}`,
	} {
		if got, err := diamondpay.SigningString([]byte(bad)); err == nil {
			t.Errorf("%q gives %q", bad, got)
		}
		if _, err := diamondpay.Sign(diamondpay.MD5, key, []byte(bad)); err == nil {
			t.Errorf("%q can be signed", bad)
		}
		if diamondpay.Verify(diamondpay.MD5, []string{key}, []byte(bad)) == nil {
			t.Errorf("%q verifies", bad)
		}
	}
}

// The signed text does not say where a field ends: bodies that use this are refused.
func TestAmbiguousTexts(t *testing.T) {
	for body, ok := range map[string]bool{
		`{"amount":"1","memo":"x"}`:          true,
		`{"memo":"a=b"}`:                     true, // nothing before it that could end
		`{"memo":"Tom & Jerry"}`:             true,
		`{"amount":"1&memo=x"}`:              false,
		`{"memo":"x & y=z"}`:                 false,
		`{"amount=1&memo":"x"}`:              false,
		`{"a=1":"x"}`:                        false,
		`{"":"x"}`:                           false,
		`{"list":["a&b=c"]}`:                 false,
		`{"memo":"x","z":"` + "a&b&c" + `"}`: true,
	} {
		sign, err := diamondpay.Sign(diamondpay.HMACSHA256, key, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := diamondpay.Verify(diamondpay.HMACSHA256, []string{key}, withSign(body, sign)); (err == nil) != ok {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestTrailingCommas(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":1,}`:               `{"a":1}`,
		"{\"a\":1 , \r\n\t}":     "{\"a\":1  \r\n\t}",
		`{"a":[1,2,],"b":{},}`:   `{"a":[1,2],"b":{}}`,
		`{"a":",}","b":"\",]",}`: `{"a":",}","b":"\",]"}`,
		`[[1,],]`:                `[[1]]`,
		`{"a":"x\\",}`:           `{"a":"x\\"}`,
		// Everything else stays as it is, valid or not.
		`{"a":1,"b":2}`: `{"a":1,"b":2}`, `{,}`: `{,}`, `[,]`: `[,]`, `{"a":1,,}`: `{"a":1,,}`, `[1,,2]`: `[1,,2]`, `{"a":,}`: `{"a":,}`, `,}`: `,}`,
		`{"a":1},`: `{"a":1},`, `{"a":"x,}`: `{"a":"x,}`, ``: ``, `"\`: `"\`,
	} {
		if got := string(diamondpay.WithoutTrailingCommas([]byte(in))); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	in := []byte(`{"a":[1,],"b":2,}`)
	before := slices.Clone(in)
	diamondpay.WithoutTrailingCommas(in)
	if !slices.Equal(in, before) {
		t.Error("the answer itself was changed")
	}
}

func TestSnakeCase(t *testing.T) {
	for in, want := range map[string]string{
		"paymentClId": "payment_cl_id", "errorCode": "error_code", "displayAmount": "display_amount", "data": "data", "error_code": "error_code",
		"Status": "Status", "SIGN": "SIGN", "error_Code": "error_Code", "": "", "결제Id": "결제Id", "a b": "a b",
	} {
		if got := diamondpay.SnakeCase(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
