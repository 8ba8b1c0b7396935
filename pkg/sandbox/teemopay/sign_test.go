package teemopay

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// vectors were computed with the example key pair of the provider's documents; only the public half is
// here.
type vectors struct {
	PublicKeyPEM string `json:"public_key_pem"`
	Vectors      []struct {
		ID           string
		Nonce        string
		Params       json.RawMessage
		StringToSign string `json:"string_to_sign"`
		Sign         string
	}
}

func TestSignatureVectors(t *testing.T) {
	content, err := os.ReadFile("../../connectors/teemopay/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(content, &v); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(v.PublicKeyPEM))
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key := parsed.(*rsa.PublicKey)
	if len(v.Vectors) < 4 {
		t.Fatalf("only %d vectors", len(v.Vectors))
	}
	for _, c := range v.Vectors {
		f, err := decodeFields(c.Params)
		if err != nil {
			t.Fatal(err)
		}
		if got := signedString(f, c.Nonce); got != c.StringToSign {
			t.Errorf("%s: %q", c.ID, got)
		}
		f["sign"] = c.Sign
		if !verify(key, f, c.Nonce) {
			t.Errorf("%s: the published signature is refused", c.ID)
		}
		if verify(key, f, strings.Repeat("0", 32)) {
			t.Errorf("%s: the nonce is not signed", c.ID)
		}
		f["merchantOrderNo"] = "another"
		if verify(key, f, c.Nonce) {
			t.Errorf("%s: a changed field is not noticed", c.ID)
		}
	}
}

func TestSignedStringLeavesBlanksOut(t *testing.T) {
	f, err := decodeFields([]byte(`{"b":" x ","a":1000000000000000000001,"z":"","y":" \t","n":null,"t":true,"sign":"s"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := signedString(f, "N"); got != "a=1000000000000000000001&b= x &t=true&nonce=N" {
		t.Error(got)
	}
	if got := signedString(fields{}, "N"); got != "nonce=N" {
		t.Error(got)
	}
}

func TestSignAndVerify(t *testing.T) {
	keys, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	f := fields{"merchantOrderNo": "D1"}
	if f["sign"], err = sign(keys.Merchant, f, "n"); err != nil {
		t.Fatal(err)
	}
	if !verify(&keys.Merchant.PublicKey, f, "n") || verify(&keys.Platform.PublicKey, f, "n") {
		t.Error("the key does not decide")
	}
	for _, bad := range []any{"", "not base64!", nil, json.Number("1")} {
		f["sign"] = bad
		if verify(&keys.Merchant.PublicKey, f, "n") {
			t.Errorf("sign %v is taken", bad)
		}
	}
}

func TestDecodeFieldsRefuses(t *testing.T) {
	for _, body := range []string{"", "null", "[]", `"x"`, `{"a":{}}`, `{"a":[1]}`, `{"a":1} {}`, `{"a":1`, `{"a":1}x`} {
		if f, err := decodeFields([]byte(body)); err == nil {
			t.Errorf("%s is read as %v", body, f)
		}
	}
}

func TestNonces(t *testing.T) {
	now := time.UnixMilli(1735660800000)
	n := newNonces(3)
	use := func(nonce string, after time.Duration, want bool) {
		t.Helper()
		if got := n.use(nonce, now.Add(after)); got != want {
			t.Errorf("%s after %s: %v", nonce, after, got)
		}
	}
	use("a", 0, true)
	use("a", 0, false)
	use("a", 24*time.Hour-1, false)
	use("a", 24*time.Hour, true) // forgotten after its life
	for _, nonce := range []string{"b", "c", "d"} {
		use(nonce, 25*time.Hour, true)
	}
	use("d", 25*time.Hour, false)
	if len(n.used) > 3 {
		t.Errorf("%d nonces are kept", len(n.used))
	}
	for i := range 10_000 {
		n.use(fmt.Sprint(i), now)
	}
	if len(n.used) > 3 || len(n.byAge) > 2100 {
		t.Errorf("%d nonces, %d in the queue", len(n.used), len(n.byAge))
	}
}

func TestKeysOnDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	keys, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Write(dir); err != nil {
		t.Fatal(err)
	}
	if keys.Merchant.N.BitLen() != KeyBits || keys.Platform.N.BitLen() != KeyBits {
		t.Error("the keys have another length")
	}
	for _, name := range []string{MerchantPrivateFile, MerchantPublicFile, PlatformPrivateFile, PlatformPublicFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		if content, _ := os.ReadFile(filepath.Join(dir, name)); !strings.Contains(string(content), "\nSandbox: payonce\n") {
			t.Errorf("%s is not marked: %s", name, content)
		}
	}
	public, err := ReadPublic(filepath.Join(dir, MerchantPublicFile))
	if err != nil || !public.Equal(&keys.Merchant.PublicKey) {
		t.Error(err)
	}
	private, err := ReadPrivate(filepath.Join(dir, PlatformPrivateFile))
	if err != nil || !private.Equal(keys.Platform) {
		t.Error(err)
	}
	if err := keys.Write(dir); !os.IsExist(err) {
		t.Errorf("the keys were replaced: %v", err)
	}
}

func TestReadKeyRefuses(t *testing.T) {
	keys, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&keys.Merchant.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, headers map[string]string, content []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Headers: headers, Bytes: content}))
	}
	for name, content := range map[string]string{
		"no PEM":   "hello",
		"unmarked": block("PUBLIC KEY", nil, der), // it could be a real key
		"garbage":  block("PUBLIC KEY", sandboxMark, []byte("x")),
		"private":  block("PRIVATE KEY", sandboxMark, []byte("x")),
	} {
		path := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadPublic(path); err == nil {
			t.Errorf("%s was read as a public key", name)
		}
		if _, err := ReadPrivate(path); err == nil {
			t.Errorf("%s was read as a private key", name)
		}
	}
	if _, err := ReadPublic(filepath.Join(t.TempDir(), "none")); !os.IsNotExist(err) {
		t.Error(err)
	}
}
