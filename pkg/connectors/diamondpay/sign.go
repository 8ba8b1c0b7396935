package diamondpay

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"payonce/pkg/connectors/signedtext"
	"payonce/pkg/connectors/strictjson"
)

// The sign types, as they are in configuration and in the field "sign_type". Where that field is
// missing, documents say MD5.
const (
	MD5        = "MD5"
	HMACSHA256 = "HMAC-SHA256"
)

// The fields that are never part of what is signed.
const (
	signName     = "sign"
	signTypeName = "sign_type"
)

// SigningString returns the text that is signed for a JSON object (showdoc, signature page): all fields
// with a value but "sign" and "sign_type", in ASCII order, as a=1&b=2. Zero is a value, null and "" are
// none. Numbers and booleans enter as they are written, texts raw, lists as compact JSON. No page documents
// the text of an object inside, so it is an error, and so are doubled names.
func SigningString(body []byte) (string, error) {
	o, err := parseObject(body)
	if err != nil {
		return "", err
	}
	f, err := o.signable()
	if err != nil {
		return "", err
	}
	return signedtext.Join(f), nil
}

// signable returns all fields that are signed.
func (o object) signable() (fields, error) {
	f := o.fields()
	for name, raw := range o {
		switch raw[0] {
		case '{':
			return nil, errors.New("an object inside cannot be signed")
		case '[':
			var list bytes.Buffer
			if err := json.Compact(&list, raw); err != nil {
				return nil, strictjson.ErrNotAnObject
			}
			f[name] = list.String()
		}
	}
	delete(f, signName)
	delete(f, signTypeName)
	return f, nil
}

// The fields of what the provider signs: notifications, and the rows of v1's lists (showdoc). payment_cl_name, memo
// and error_msg can hold what a customer typed.
var (
	depositAlways = []string{"amount", "payment_cl_id", "platform_id", "status"}
	payoutAlways  = []string{"amount", "payout_cl_id", "platform_id", "status"}
	depositOnly   = []string{"payment_cl_id", "payment_cl_name", "payment_id"}
	payoutOnly    = []string{"payout_cl_id", "payout_id"}
	plainNames    = []string{
		"amount", "create_time", "fee", "payment_cl_id", "payment_id", "payout_cl_id", "payout_id", "platform_channel_id", "platform_id", "real_amount",
		"status", "success_time", "update_time",
	}
)

// documents are those that the provider signs, in either spelling of their names.
var documents = signedtext.Format{
	Documents: []signedtext.Document{
		{Always: depositAlways, Never: payoutOnly},
		{Always: payoutAlways, Never: depositOnly},
		{Always: camelCased(depositAlways...), Never: camelCased(payoutOnly...)},
		{Always: camelCased(payoutAlways...), Never: camelCased(depositOnly...)},
	},
	Plain:    slices.Concat(plainNames, camelCased(plainNames...)),
	Unsigned: []string{signName, signTypeName, "signType"},
	Blank:    func(value string) bool { return value == "" },
}

// reading says how the signed text of o can be read.
func (o object) reading() signedtext.Reading {
	f, err := o.signable()
	if err != nil {
		return signedtext.Reading{}
	}
	return documents.Read(f)
}

// Sign returns the signature of a JSON object, for its field "sign", in lowercase hex: the MD5 of the
// [SigningString], "&" and the secret, or the HMAC-SHA256 of the SigningString. signType is [MD5] or
// [HMACSHA256], whatever the body's own "sign_type" says. For users who test their own webhooks, too.
func Sign(signType, secret string, body []byte) (string, error) {
	if signType != MD5 && signType != HMACSHA256 {
		return "", errors.New("sign: the sign type must be MD5 or HMAC-SHA256")
	}
	text, err := SigningString(body)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return signature(signType, secret, []byte(text)), nil
}

func signature(signType, secret string, text []byte) string {
	if signType == HMACSHA256 {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(text)
		return hex.EncodeToString(mac.Sum(nil))
	}
	sum := md5.New()
	sum.Write(text)
	sum.Write([]byte("&" + secret))
	return hex.EncodeToString(sum.Sum(nil))
}

// Verify checks the field "sign" of a JSON object against the secrets, in constant time; one that fits is
// enough. signType is what the account is configured for. It is used where the body names none; where the
// body names one, that is used, but a body never lowers [HMACSHA256] to [MD5]. Beyond the signature it
// refuses what could be read in two ways: doubled names, objects inside, and values with an "&" where another
// document could have the same signed text, see [signedtext.Format.Read].
func Verify(signType string, secrets []string, body []byte) error {
	o, err := parseObject(body)
	if err != nil {
		return err
	}
	if _, err = o.verified(signType, secrets); err == nil && !o.reading().Unique() {
		return errors.New(signedtext.Ambiguous)
	}
	return err
}

// verified returns the plain fields that the signature covers, and nothing else of o. Whether they are the only
// ones that the signature fits is for the caller to ask: a row that the provider gave us itself needs it not.
func (o object) verified(signType string, secrets []string) (fields, error) {
	signable, err := o.signable()
	if err != nil {
		return nil, err
	}
	sign, named := o.text(signName), o.text(signTypeName)
	switch {
	case sign == "" || o.isList(signTypeName):
		return nil, errors.New("there is no signature")
	case named != "" && named != MD5 && named != HMACSHA256:
		return nil, errors.New("the sign_type is unknown")
	case named == MD5 && signType != MD5:
		return nil, errors.New("the sign_type is weaker than the account's")
	}
	if named != "" {
		signType = named
	}
	text, fits := []byte(signedtext.Join(signable)), 0
	for _, secret := range secrets {
		fits |= subtle.ConstantTimeCompare([]byte(signature(signType, secret, text)), []byte(sign))
	}
	if fits == 0 {
		return nil, errors.New("the signature matches no secret")
	}
	for name := range o {
		if o.isList(name) {
			delete(signable, name)
		}
	}
	return signable, nil
}

func (o object) isList(name string) bool { return len(o[name]) > 0 && o[name][0] == '[' }

// secrets returns what the provider may have signed with, the current one first.
func (s Settings) secrets() []string {
	all := []string{s.Secret.Reveal()}
	for _, previous := range s.PreviousSecrets {
		all = append(all, previous.Reveal())
	}
	return all
}
