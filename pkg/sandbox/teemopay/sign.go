package teemopay

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// fields is a flat JSON object: every value is a string, a json.Number, a bool or nil.
type fields map[string]any

var errNotFlat = errors.New("the body must be one JSON object of plain values")

// decodeFields reads a body. Numbers keep their digits, because they are signed as they are written.
func decodeFields(body []byte) (fields, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var f fields
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) || f == nil {
		return nil, errNotFlat
	}
	for _, value := range f {
		switch value.(type) {
		case string, json.Number, bool, nil:
		default:
			return nil, errNotFlat
		}
	}
	return f, nil
}

// text is a value as it is in the signed string; empty for null.
func (f fields) text(name string) string {
	switch value := f[name].(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	case bool:
		return fmt.Sprint(value)
	default:
		return ""
	}
}

// signedString joins the fields as the provider does: sorted by name, without sign and blank values, the
// nonce at the end (docs.teemopay.com guides/authentication, SignUtils.paramHandler).
func signedString(f fields, nonce string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(f)) {
		value := f.text(name)
		if name == "sign" || strings.TrimSpace(value) == "" {
			continue
		}
		b.WriteString(name + "=" + value + "&")
	}
	return b.String() + "nonce=" + nonce
}

// sign is base64(RSASSA-PKCS1-v1_5 with SHA-1). SHA-1 is the provider's choice.
func sign(key *rsa.PrivateKey, f fields, nonce string) (string, error) {
	digest := sha1.Sum([]byte(signedString(f, nonce)))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA1, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}

// verify checks the field sign.
func verify(key *rsa.PublicKey, f fields, nonce string) bool {
	signature, err := base64.StdEncoding.DecodeString(f.text("sign"))
	if err != nil {
		return false
	}
	digest := sha1.Sum([]byte(signedString(f, nonce)))
	return rsa.VerifyPKCS1v15(key, crypto.SHA1, digest[:], signature) == nil
}

// randomHex returns 32 characters: a nonce, or the first part of a trace id.
func randomHex() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}
