package teemopay

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"
	"unicode"

	"payonce/pkg/connectors/signedtext"
)

// signName is the field that carries the signature and is never part of it.
const signName = "sign"

// SigningString returns the text that is signed for a JSON object and the nonce of its header: all
// fields with a value but "sign", in ASCII order, as a=1&b=2, then the nonce (guides/authentication).
// Numbers and booleans enter as they are written. Objects and lists inside do not occur in the Korean
// API and no page documents their text, so they are an error.
func SigningString(body []byte, nonce string) (string, error) {
	o, err := parseObject(body)
	if err != nil {
		return "", err
	}
	f, nested := o.fields()
	if nested != "" {
		return "", errors.New("an object or a list inside cannot be signed")
	}
	return f.signingString(nonce), nil
}

func (f fields) signingString(nonce string) string {
	if _, signed := f[signName]; signed {
		f = maps.Clone(f)
		delete(f, signName)
	}
	text := signedtext.Join(f)
	if text != "" {
		text += "&"
	}
	return text + "nonce=" + nonce
}

// callbacks are the two documents that the provider signs. Each page marks these fields as always there; the
// fields of a text, paymentInfo and errorMessage, can hold what a customer typed or a cashier's address.
var callbacks = signedtext.Format{
	Documents: []signedtext.Document{
		{Always: []string{"merchantOrderNo", "paymentAmount", "paymentOrderNo", "status"}}, // korea/payin/callback
		{Always: []string{"merchantOrderNo", "status"}, Never: depositOnly},                // korea/payout/callback
	},
	Plain: []string{
		"amount", "completeTime", "errorCode", "merchantOrderNo", "paymentAmount", "paymentOrderNo", "paymentType", "serviceAmount", "status", "tradeNo",
	},
	Unsigned: []string{signName},
	Blank:    blank,
}

// blank is StringUtils.isBlank of the provider's Java: only white space, where no-break spaces are none.
func blank(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !javaSpace(r) })
}

func javaSpace(r rune) bool {
	switch {
	case r >= '\t' && r <= '\r', r >= 0x1c && r <= 0x1f:
		return true
	case r == 0xa0, r == 0x2007, r == 0x202f:
		return false
	}
	return unicode.In(r, unicode.Zs, unicode.Zl, unicode.Zp)
}

// Sign returns the signature of a JSON object and a nonce, for its field "sign": SHA1withRSA
// (PKCS#1 v1.5) of the [SigningString], in base64. For users who test their own callbacks, too.
func Sign(key *rsa.PrivateKey, body []byte, nonce string) (string, error) {
	text, err := SigningString(body, nonce)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	digest := sha1.Sum([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA1, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}

// Verify checks the field "sign" of a JSON object against the keys; one that fits is enough. Beyond the
// signature it refuses what could be read in two ways: doubled names, nested values, and values with an "&"
// where another callback could have the same signed text, see [signedtext.Format.Read].
func Verify(keys []*rsa.PublicKey, body []byte, nonce string) error {
	f, err := verified(keys, body, nonce)
	if err == nil && !callbacks.Read(f).Unique() {
		return errors.New(signedtext.Ambiguous)
	}
	return err
}

// verified returns the fields that the signature covers, and nothing else of the body. Whether they are the
// only ones that the signature fits is for the caller to ask.
func verified(keys []*rsa.PublicKey, body []byte, nonce string) (fields, error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	f, nested := o.fields()
	sign := f[signName]
	delete(f, signName)
	switch {
	case nested != "":
		return nil, errors.New("an object or a list inside cannot be verified")
	case sign == "":
		return nil, errors.New("there is no signature")
	case !validNonce(nonce):
		return nil, errors.New("the nonce is missing or not made of letters and digits")
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(sign)
	if err != nil || base64.StdEncoding.EncodedLen(len(signature)) != len(sign) { // Go skips line breaks
		return nil, errors.New("the signature is not base64")
	}
	digest := sha1.Sum([]byte(f.signingString(nonce)))
	for _, key := range keys {
		if rsa.VerifyPKCS1v15(key, crypto.SHA1, digest[:], signature) == nil {
			return f, nil
		}
	}
	return nil, errors.New("the signature matches no key")
}

// maxNonce bounds a nonce; the docs say 32 characters.
const maxNonce = 64

// validNonce keeps "&" and "=" out, with which the nonce could take the place of a field.
func validNonce(nonce string) bool {
	return nonce != "" && len(nonce) <= maxNonce && !strings.ContainsFunc(nonce, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_'
	})
}
