package ecommpay

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

type vectors struct {
	Strings []struct{ ID, JSON, Expected string } `json:"string_to_sign"`
	Vectors []struct {
		ID, Secret, Signature string
		Data                  json.RawMessage
		String                string `json:"string_to_sign"`
	}
	Rejected []struct {
		ID, Secret string
		Data       json.RawMessage
	} `json:"must_be_rejected"`
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	text, err := os.ReadFile("../../connectors/ecommpay/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Vectors) < 15 || len(v.Strings) != 2 || len(v.Rejected) != 3 {
		t.Fatal("vectors are missing")
	}
	return v
}

func TestVectors(t *testing.T) {
	v := readVectors(t)
	for _, c := range v.Strings {
		o, err := decode([]byte(c.JSON))
		if err != nil || signedString(o, natural) != c.Expected {
			t.Errorf("%s: %v, %s", c.ID, err, signedString(o, natural))
		}
	}
	for _, c := range v.Vectors {
		o, err := decode(c.Data)
		if err != nil {
			t.Fatalf("%s: %v", c.ID, err)
		}
		if got := signedString(o, natural); c.String != "" && got != c.String {
			t.Errorf("%s:\n got %s\nwant %s", c.ID, got, c.String)
		}
		if got := sign(c.Secret, o); got != c.Signature {
			t.Errorf("%s: %s", c.ID, got)
		}
		o["signature"] = c.Signature
		if !verify(c.Secret, o) || verify(c.Secret+"x", o) {
			t.Errorf("%s is not verified", c.ID)
		}
	}
	for _, c := range v.Rejected {
		if c.Data != nil && Verify(c.Secret, c.Data) {
			t.Errorf("%s was verified", c.ID)
		}
	}
	first := v.Vectors[0]
	o, err := decode(first.Data)
	if err != nil {
		t.Fatal(err)
	}
	o["signature"] = "tIf3gh4jZHReVS5aOz24/VfAorw7mQ=="
	if verify(first.Secret, o) {
		t.Error("a foreign signature was verified")
	}
}

func TestTheThreeOrdersAreTaken(t *testing.T) {
	list := []any{}
	for i := range 12 {
		list = append(list, fmt.Sprint(i))
	}
	plain, err := json.Marshal(map[string]any{"f": list, "address": "x", "address2": "y", "a:b": map[string]any{"c": nil}})
	if err != nil {
		t.Fatal(err)
	}
	o, err := decode(plain)
	if err != nil {
		t.Fatal(err)
	}
	strings3 := map[string]bool{}
	for _, by := range []order{natural, byPath, byBytes} {
		message := signedString(o, by)
		strings3[message] = true
		o["signature"] = mac(secret, message)
		if !verify(secret, o) {
			t.Errorf("not taken: %s", message)
		}
	}
	if len(strings3) != 3 {
		t.Errorf("%d different strings, so this test says nothing", len(strings3))
	}
	if message := signedString(o, natural); !strings.Contains(message, "f:2:2;f:3:3") || !strings.HasPrefix(message, "a::b:c:;address:x;address2:y;") {
		t.Error(message)
	}
	o["signature"] = mac(secret, strings.ReplaceAll(signedString(o, natural), ";", ","))
	if verify(secret, o) {
		t.Error("anything is taken")
	}
}

func TestCompareNatural(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"a", "a", 0}, {"a2", "a10", -1}, {"a10", "a9", 1}, {"a", "a1", -1}, {"b", "a9", 1}, {"a01", "a1", 0}, {"a1b2", "a1b1", 1}} {
		if got := compareNatural(c.a, c.b); got != c.want {
			t.Errorf("%s, %s: %d", c.a, c.b, got)
		}
	}
}

func TestSignedLinkIsThePhpSdks(t *testing.T) {
	// php-paymentpage-url of the vectors.
	link := SignedLink("secret", "https://paymentpage.ecommpay.com", map[string]string{
		"project_id": "100", "interface_type": `{"id":23}`, "payment_id": "test payment id", "payment_description": "B&W",
	})
	if !strings.Contains(link, "signature=97JFQpAyJ4HPfGVedJh0M1MqQDOFt%2FMCbdh8VrsT7DdRyTBDAF2mvUOsDANx1ZPfbvZg0%2BVUbF43xJnq0jEeLA%3D%3D") {
		t.Error(link)
	}
}

func TestSignedRequestRefusesWhatCannotBeSigned(t *testing.T) {
	if _, err := SignedRequest(secret, map[string]any{"x": func() {}}); err == nil {
		t.Error("a function was signed")
	}
	body, err := SignedRequest(secret, map[string]any{"request_id": "1"})
	if err != nil || field(string(body), "signature") == nil || !Verify(secret, body) {
		t.Errorf("%v, %s", err, body)
	}
	if Verify(secret, []byte("[]")) {
		t.Error("a list was verified")
	}
}
