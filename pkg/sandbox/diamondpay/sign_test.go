package diamondpay

import (
	"encoding/json"
	"os"
	"testing"
)

func TestVectors(t *testing.T) {
	text, err := os.ReadFile("../../connectors/diamondpay/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			ID, Key, Sign string
			SignType      SignType `json:"sign_type"`
			Params        json.RawMessage
			String        string `json:"string_to_sign"`
		}
	}
	if err := json.Unmarshal(text, &file); err != nil || len(file.Vectors) != 6 {
		t.Fatal(err, len(file.Vectors))
	}
	for _, c := range file.Vectors {
		f, err := decode(c.Params)
		if err != nil {
			t.Fatal(err)
		}
		if got := signedString(f); got != c.String {
			t.Errorf("%s:\n got %s\nwant %s", c.ID, got, c.String)
		}
		if got := sign(c.SignType, c.Key, f); got != c.Sign {
			t.Errorf("%s: %s", c.ID, got)
		}
		f["sign"], f["sign_type"] = c.Sign, string(c.SignType)
		if !verify(c.SignType, c.Key, f) || verify(c.SignType, c.Key+"x", f) {
			t.Errorf("%s is not verified", c.ID)
		}
	}
}

// TestOfficialPayoutVector is the second vector of showdoc.com.cn/fantian.
func TestOfficialPayoutVector(t *testing.T) {
	f := fields{
		"amount": json.Number("100000"), "name": "王小头", "notify_url": "http://localhost:52630/gateway/test-notification",
		"number": "6216667451674374", "payout_cl_id": "test_gateway_1707220674", "platform_id": "PF0001",
		"request_time": json.Number("1707220674"), "service_id": "SVC0004",
	}
	if got := sign(MD5, "2I9Q4nExEddsH6zo", f); got != "bc29e8a132edf819431227154c2586c6" {
		t.Error(got)
	}
}

func TestTheWayOfSigningMustBeTheAccounts(t *testing.T) {
	for _, how := range []SignType{MD5, HMACSHA256} {
		body, err := SignedRequest(how, secret, change{"a": 1, "sign_type": "other"})
		if err != nil {
			t.Fatal(err)
		}
		f, err := decode(body)
		if err != nil {
			t.Fatal(err)
		}
		if !verify(how, secret, f) || verify(map[SignType]SignType{MD5: HMACSHA256, HMACSHA256: MD5}[how], secret, f) {
			t.Errorf("%s: %s", how, body)
		}
		f["sign_type"] = map[SignType]any{MD5: string(HMACSHA256), HMACSHA256: nil}[how]
		if verify(how, secret, f) {
			t.Errorf("%s is taken under the other name", how)
		}
	}
	if _, err := SignedRequest(MD5, secret, change{"x": func() {}}); err == nil {
		t.Error("a function was signed")
	}
	if Verify(MD5, secret, []byte("[]")) || Verify(MD5, secret, []byte(`{"a":1}`)) {
		t.Error("something unsigned was verified")
	}
}

func TestNames(t *testing.T) {
	for camelCase, snakeCase := range map[string]string{"paymentClId": "payment_cl_id", "lastNumbers": "last_numbers", "sign": "sign", "notifyUrl": "notify_url"} {
		if snake(camelCase) != snakeCase || camel(snakeCase) != camelCase || snake(snakeCase) != snakeCase {
			t.Errorf("%s, %s", snake(camelCase), camel(snakeCase))
		}
	}
}
