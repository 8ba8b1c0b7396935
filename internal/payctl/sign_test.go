package payctl_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// vectors reads the test vectors of a connector: printed by the provider, or made by its published rule.
func vectors[T any](t *testing.T, kind string) T {
	t.Helper()
	var all T
	text, err := os.ReadFile(filepath.Join("../../pkg/connectors", kind, "testdata/vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestECommPayVectors(t *testing.T) {
	t.Parallel()
	all := vectors[struct {
		Vectors []struct {
			ID, Secret, Signature string
			Data                  json.RawMessage
		}
	}](t, "ecommpay")
	if len(all.Vectors) < 5 {
		t.Fatalf("%d vectors", len(all.Vectors))
	}
	for _, v := range all.Vectors {
		t.Run(v.ID, func(t *testing.T) {
			body := string(v.Data)
			run(t, body, "sign", "ecommpay", "--secret", v.Secret).expect(t, 0, v.Signature+"\n", "history")
			run(t, body, "verify", "ecommpay", "--secret", v.Secret, "--signature", v.Signature).expect(t, 0, "valid", "")
			run(t, body, "verify", "ecommpay", "--secret", v.Secret+"x", "--signature", v.Signature).expect(t, 1, "", "does not match")
			run(t, body, "verify", "ecommpay", "--secret", v.Secret, "--signature", "A"+v.Signature[1:]+"x").expect(t, 1, "", "does not match")
			code := map[bool]int{true: 0, false: 1}[strings.Contains(body, `"signature"`)]
			run(t, body, "verify", "ecommpay", "--secret", v.Secret).expect(t, code, "", "")
		})
	}
}

func TestDiamondPayVectors(t *testing.T) {
	t.Parallel()
	all := vectors[struct {
		Vectors []struct {
			ID, Key, Sign string
			SignType      string `json:"sign_type"`
			Params        json.RawMessage
		}
	}](t, "diamondpay")
	if len(all.Vectors) < 5 {
		t.Fatalf("%d vectors", len(all.Vectors))
	}
	for _, v := range all.Vectors {
		t.Run(v.ID, func(t *testing.T) {
			body, flags := string(v.Params), []string{"diamondpay", "--secret", v.Key, "--sign-type", v.SignType}
			run(t, body, append([]string{"sign"}, flags...)...).expect(t, 0, v.Sign+"\n", "")
			check := append([]string{"verify"}, flags...)
			run(t, body, append(check, "--signature", v.Sign)...).expect(t, 0, "valid", "")
			run(t, body, append(check, "--signature", strings.ToUpper(v.Sign))...).expect(t, 1, "", "does not match")
			run(t, body, append(check, "--signature", "")...).expect(t, 1, "", "does not match")
			run(t, body, check...).expect(t, 2, "", "--signature is required")
			signed := strings.TrimSuffix(strings.TrimSpace(body), "}") + `,"sign":"` + v.Sign + `"}`
			run(t, signed, check...).expect(t, 0, "valid", "")
			run(t, signed, append([]string{"sign"}, flags...)...).expect(t, 0, v.Sign+"\n", "")
			run(t, strings.Replace(signed, "_id", "_ID", 1), check...).expect(t, 1, "", "does not match")
		})
	}
}

func TestTeemoPayVectors(t *testing.T) {
	t.Parallel()
	all := vectors[struct {
		Key     string `json:"public_key_pem"`
		Vectors []struct {
			ID, Nonce, Sign string
			Params          json.RawMessage
		}
	}](t, "teemopay")
	if len(all.Vectors) < 4 {
		t.Fatalf("%d vectors", len(all.Vectors))
	}
	key := file(t, "public.pem", all.Key)
	for _, v := range all.Vectors {
		t.Run(v.ID, func(t *testing.T) {
			check := func(nonce, signature string) outcome {
				return run(t, string(v.Params), "verify", "teemopay", "--public-key", key, "--nonce", nonce, "--signature", signature)
			}
			check(v.Nonce, v.Sign).expect(t, 0, "valid", "")
			check(v.Nonce+"0", v.Sign).expect(t, 1, "", "does not match")
			check(v.Nonce, "AAAA"+v.Sign[4:]).expect(t, 1, "", "does not match")
			check(v.Nonce, "?").expect(t, 1, "", "not base64")
			run(t, string(v.Params), "verify", "teemopay", "--public-key", key, "--nonce", v.Nonce).expect(t, 2, "", "--signature is required")
		})
	}
}

func TestTeemoPaySignsAndVerifies(t *testing.T) {
	t.Parallel()
	config := configuration(t, "nats://127.0.0.1:1", nowhere)
	private, public := filepath.Join(filepath.Dir(config), "merchant_private.pem"), filepath.Join(filepath.Dir(config), "merchant_public.pem")
	// A value with a field in it: right, but the worker reads nothing from such a webhook where it could say two things.
	for body, warning := range map[string]string{
		`{"merchantOrderNo":"1","amount":1000.00,"realName":"홍길동","phone":" ","email":null,"sign":"old"}`: "",
		`{"callbackUrl":"https://shop.example/?a=1&b=2"}`:                                                 "cannot read this webhook",
	} {
		signed := run(t, body, "sign", "teemopay", "--private-key", private, "--nonce", "n1")
		signed.expect(t, 0, "", "")
		check := []string{"verify", "teemopay", "--public-key", public, "--nonce", "n1", "--signature", strings.TrimSpace(signed.out)}
		run(t, body, check...).expect(t, 0, "valid", warning)
		run(t, strings.Replace(body, `":`, `x":`, 1), check...).expect(t, 1, "", "does not match")
	}
	run(t, `{"a":{}}`, "sign", "teemopay", "--private-key", private, "--nonce", "n1").expect(t, 1, "", "object or a list")
	run(t, `{"a":{},"sign":"AAAA"}`, "verify", "teemopay", "--public-key", public, "--nonce", "n1").expect(t, 1, "", "object or a list")
}

// TestSigningRules pins what the vectors do not: each pair of bodies must have one signature, and the
// third another.
func TestSigningRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, provider, a, same, different string }{
		{"numbers as written", "ecommpay", `{"a":1.50}`, `{"a":"1.50"}`, `{"a":1.5}`},
		{"texts raw", "ecommpay", `{"a":"\ud64d<&>\u2028"}`, "{\"a\":\"홍<&>\u2028\"}", `{"a":"홍&lt;"}`},
		{"truth", "ecommpay", `{"a":true,"b":false,"c":null}`, `{"a":"1","b":0,"c":""}`, `{"a":"true","b":"","c":0}`},
		{"empty", "ecommpay", `{"a":1,"b":{},"c":[]}`, `{"a":1}`, `{"a":1,"b":null}`},
		{"nested", "ecommpay", `{"a":{"b":[1,{"c":2}]}}`, `{"a":{"b":{"0":1,"1":{"c":2}}}}`, `{"a":{"b":[1,2]}}`},
		{"frame_mode", "ecommpay", `{"a":1,"frame_mode":"popup","b":{"frame_mode":1}}`, `{"a":1}`, `{"a":1,"frame":"popup"}`},
		{"signature", "ecommpay", `{"a":1,"signature":"x","general":{"signature":"y"},"b":{"signature":"z"}}`, `{"a":1}`, `{"a":1,"signatur":"x"}`},
		{"ten items", "ecommpay", `{"a":[0,1,2,3,4,5,6,7,8,9,10]}`, `{"a":{"10":10,"9":9,"8":8,"7":7,"6":6,"5":5,"4":4,"3":3,"2":2,"1":1,"0":0}}`, `{"a":[0,1,2,3,4,5,6,7,8,10,9]}`},
		{"colons in names", "ecommpay", `{"a:b":1}`, `{ "a:b" : 1 }`, `{"a":{"b":1}}`},
		{"empty", "diamondpay", `{"a":1,"b":"","c":null,"sign":"x","sign_type":"MD5"}`, `{"a":"1"}`, `{"a":1,"b":0}`},
		{"zero stays", "diamondpay", `{"a":0,"b":"0"}`, `{"b":0,"a":"0"}`, `{}`},
		{"lists", "diamondpay", `{"a":["\ud64d", "<&>", 1.50, true]}`, `{"a":"[\"홍\",\"<&>\",1.50,true]"}`, `{"a":["홍","<&>",1.5,true]}`},
		{"camelCase", "diamondpay", `{"paymentClId":"1","lastNumbers":["1"],"signType":"MD5"}`, `{"payment_cl_id":"1","last_numbers":["1"]}`, `{"paymentclid":"1","last_numbers":["1"]}`},
		{"numbers as written", "diamondpay", `{"a":100.00,"b":true}`, `{"a":"100.00","b":"true"}`, `{"a":100,"b":true}`},
	} {
		t.Run(c.provider+"/"+c.name, func(t *testing.T) {
			sign := func(body string) string {
				o := run(t, body, "sign", c.provider, "--secret", "env:SECRET")
				o.expect(t, 0, "", "")
				return o.out
			}
			if a := sign(c.a); a != sign(c.same) || a == sign(c.different) {
				t.Errorf("%s: %s: %s, %s: %s, %s: %s", c.a, a, c.same, sign(c.same), c.different, c.different, sign(c.different))
			}
		})
	}
}

// A signature in any of the documented orders is taken; we sign in the first.
func TestECommPayTakesTheDocumentedOrders(t *testing.T) {
	t.Parallel()
	const body = `{"address":"x","address2":"y","a":[0,1,2,3,4,5,6,7,8,9,10]}`
	for name, signature := range orders {
		run(t, body, "verify", "ecommpay", "--secret", "env:SECRET", "--signature", signature).expect(t, 0, "valid", "")
		signed := strings.TrimSuffix(body, "}") + `,"general":{"signature":"` + signature + `"}}`
		run(t, signed, "verify", "ecommpay", "--secret", "env:SECRET").expect(t, 0, "valid", "")
		if o := run(t, body, "sign", "ecommpay", "--secret", "env:SECRET"); (o.out == signature+"\n") != (name == "natural by path") {
			t.Errorf("%s: signed as %s", name, o.out)
		}
	}
}

func TestVerifyECommPayInTheBody(t *testing.T) {
	t.Parallel()
	verify := func(body string) outcome { return run(t, body, "verify", "ecommpay", "--secret", "env:SECRET") }
	const valid = "/3TrhHVz9BHaLfgLyhoxO7dsQNzbzZa/TdO3pxQocXWwgVM6tGlzMLVfpOxFNTnkR9iiFVK/77ZedMcbkCjmng=="
	const payment = `"payment":{"id":"000049","status":"success"}`
	verify(`{`+payment+`,"signature":"`+valid+`"}`).expect(t, 0, "valid", "")
	verify(`{"general":{"signature":"`+valid+`"},`+payment+`}`).expect(t, 0, "valid", "")
	verify(`{`+payment+`}`).expect(t, 1, "", "has no signature")
	verify(`{`+payment+`,"signature":""}`).expect(t, 1, "", "has no signature")
	verify(`{`+payment+`,"signature":7}`).expect(t, 1, "", "has no signature")
	verify(`{`+payment+`,"signature":"`+valid+`","general":{"signature":"`+valid+`"}}`).expect(t, 1, "", "two signatures")
	verify(`{`+payment+`,"x":{"signature":"`+valid+`"}}`).expect(t, 1, "", "has no signature")
	verify(`{`+payment+`,"frame_mode":1,"signature":"`+valid+`","x":{"frame_mode":1}}`).expect(t, 0, "valid", "cannot read this webhook")
	verify(`[1]`).expect(t, 1, "", "")
	verify(`{`).expect(t, 1, "", "not one JSON value")
	verify(`{"a":1,"a":1,"signature":"x"}`).expect(t, 1, "", "distinct names")
}

func TestDiamondPaySignType(t *testing.T) {
	t.Parallel()
	const body = `{"amount":50000,"notify_url":"https://your-domain.com/callback","payment_cl_id":"DEVPM00014581","platform_id":"PF0002","request_time":1595504136,"service_id":"SVC0001","sign_type":"HMAC-SHA256"}`
	const key, signature = "ThisIsYourSecretKey123", "d8857715eece9c4b52b5e128ba541ee918effdc052c1152f6d1db0be7f1db509"
	run(t, body, "sign", "diamondpay", "--secret", key).expect(t, 0, signature+"\n", "")
	run(t, body, "verify", "diamondpay", "--secret", key, "--signature", signature).expect(t, 0, "valid", "")
	run(t, body, "verify", "diamondpay", "--secret", key, "--signature", signature, "--sign-type", "hmac-sha256").expect(t, 0, "valid", "")
	run(t, body, "verify", "diamondpay", "--secret", key, "--signature", signature, "--sign-type", "MD5").expect(t, 1, "", "does not match")
	run(t, `{"sign_type":"SHA1"}`, "sign", "diamondpay", "--secret", key).expect(t, 1, "", "MD5 or HMAC-SHA256")
	run(t, `{"a":{}}`, "verify", "diamondpay", "--secret", key, "--signature", "x").expect(t, 1, "", "object inside")
	run(t, `7`, "verify", "diamondpay", "--secret", key, "--signature", "x").expect(t, 1, "", "not a JSON object")
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	sign := func(secret string) outcome { return run(t, `{"a":1}`, "sign", "ecommpay", "--secret", secret) }
	want := sign("env:SECRET")
	want.expect(t, 0, "==", "")
	if want.errors != "" {
		t.Errorf("a variable is warned of: %s", want.errors)
	}
	for _, content := range []string{"secret", "secret\n", "secret\r\n"} {
		if o := sign("@" + file(t, "key", content)); o != want {
			t.Errorf("%q: %v", content, o)
		}
	}
	if o := sign("@" + file(t, "key", "secret\n\n")); o.out == want.out {
		t.Error("two line ends are left out")
	}
	sign("secret").expect(t, 0, want.out, "history")
	if literal := sign("0f1e2d3c"); literal.code != 0 || strings.Contains(literal.errors, "0f1e2d3c") {
		t.Errorf("%v", literal)
	}
	sign("").expect(t, 2, "", "--secret is required")
	sign("env:NOBODY").expect(t, 2, "", "environment variable NOBODY is not set")
	sign("env:EMPTY").expect(t, 2, "", "empty")
	sign("@/nowhere/at/all").expect(t, 2, "", "no such file")
	sign("@"+file(t, "key", "\n")).expect(t, 2, "", "empty")
	sign("@"+file(t, "key", strings.Repeat("x", 1<<20+1))).expect(t, 2, "", "more than")
}

func TestSignPrintsNothingElse(t *testing.T) {
	t.Parallel()
	run(t, `{"a":1}`, "sign", "diamondpay", "--secret", "env:SECRET", "--json").expect(t, 0, "{\n \"signature\": \"", "")
	o := run(t, `{"a":1}`, "sign", "diamondpay", "--secret", "env:SECRET")
	if len(o.out) != 33 || o.errors != "" {
		t.Errorf("%q %q", o.out, o.errors)
	}
	run(t, `{"a":1}`, "verify", "diamondpay", "--secret", "env:SECRET", "--signature", strings.TrimSpace(o.out), "--json").expect(t, 0, `"valid": true`, "")
	run(t, `{"a":2}`, "verify", "diamondpay", "--secret", "env:SECRET", "--signature", strings.TrimSpace(o.out), "--json").expect(t, 1, `"valid": false`, "")
	for _, provider := range []string{"ecommpay", "diamondpay"} {
		for _, body := range []string{"", "{", "[]", "1", "{}{}", "{\"a\":\"\xff\"}", `{"a":1,"a":2}`, `{"a":[1}`} {
			if o := run(t, body, "sign", provider, "--secret", "env:SECRET"); o.code != 1 || o.out != "" {
				t.Errorf("%s %q: %v", provider, body, o)
			}
		}
	}
	run(t, strings.Repeat(" ", 1<<20+1), "sign", "ecommpay", "--secret", "env:SECRET").expect(t, 1, "", "more than")
	run(t, strings.Repeat(" ", 1<<20+1), "verify", "ecommpay", "--secret", "env:SECRET").expect(t, 1, "", "more than")
}

func TestSigningUsage(t *testing.T) {
	t.Parallel()
	key := file(t, "key.pem", "nonsense")
	for _, c := range []struct {
		says string
		args []string
	}{
		{"--secret is required", []string{"sign", "ecommpay"}},
		{"--secret is required", []string{"verify", "diamondpay"}},
		{"--private-key is required", []string{"sign", "teemopay", "--nonce", "n"}},
		{"--public-key is required", []string{"verify", "teemopay", "--nonce", "n"}},
		{"--nonce is required", []string{"sign", "teemopay", "--private-key", key}},
		{"no such file", []string{"sign", "teemopay", "--nonce", "n", "--private-key", "/nowhere/at/all"}},
		{"neither PEM nor base64", []string{"sign", "teemopay", "--nonce", "n", "--private-key", file(t, "key", "?")}},
		{"key.pem is not", []string{"verify", "teemopay", "--nonce", "n", "--public-key", key}},
		{"--sign-type must be", []string{"sign", "diamondpay", "--secret", "env:SECRET", "--sign-type", "SHA1"}},
		{"unknown flag", []string{"sign", "ecommpay", "--nonce", "n"}},
		{"takes no arguments", []string{"sign", "ecommpay", "body.json"}},
		{`no command "acme"`, []string{"sign", "acme"}},
		{"needs a command: diamondpay, ecommpay, teemopay", []string{"verify"}},
		{`no command "nonsense"`, []string{"nonsense"}},
		{"unknown flag", []string{"--nonsense"}},
	} {
		run(t, `{}`, c.args...).expect(t, 2, "", c.says)
	}
}
