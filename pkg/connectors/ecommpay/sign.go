package ecommpay

import (
	"crypto/hmac"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"

	"payonce/pkg/boundedjson"
	"payonce/pkg/secret"
)

// Sorting says how the parts of a signing string are sorted. The provider's own SDKs disagree, and no
// published example distinguishes them: they differ for lists of ten or more and for names that continue
// another name. We sign with NaturalByPath; a signature in any of them is taken.
type Sorting int

// The sortings.
const (
	NaturalByPath  Sorting = iota // the PHP SDK; the platform is written in PHP
	ByPath                        // bytewise by path: the Python SDK
	ByPathAndValue                // bytewise by path and value: the Go and Java SDKs
)

// Sortings lists all sortings.
func Sortings() []Sorting { return []Sorting{NaturalByPath, ByPath, ByPathAndValue} }

const (
	signatureName = "signature"
	generalName   = "general"
	// ignoredName is never signed (paymentpage-sdk-php, SignatureHandler).
	ignoredName = "frame_mode"
)

// SigningString returns the text that is signed for a JSON object: each plain value as path:value, the
// path's names joined by ":" (a ":" inside a name is doubled), list items by their index, sorted and
// joined by ";". true is 1, false is 0, null is nothing, numbers enter as they are written, and empty
// objects and lists add nothing. The signature itself, in the root or in "general", and "frame_mode" are
// left out (en_platform_signature and the provider's SDKs).
func SigningString(body []byte, sorting Sorting) (string, error) {
	root, err := parseObject(body, answerLimits)
	if err != nil {
		return "", err
	}
	signed, err := signedText(root, answerText)
	if err != nil {
		return "", err
	}
	signed.sort(sorting)
	return signed.joined(), nil
}

// Sign returns the signature of a JSON object: HMAC-SHA512 of its [SigningString] sorted
// [NaturalByPath], in base64. For users who test their own callbacks, too.
func Sign(key secret.Value, body []byte) (string, error) {
	if key.Empty() {
		return "", errors.New("sign: there is no secret")
	}
	text, err := SigningString(body, NaturalByPath)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return mac(key, text), nil
}

func mac(key secret.Value, text string) string {
	h := hmac.New(sha512.New, []byte(key.Reveal()))
	h.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// Verify checks the signature of a JSON object against the secrets, in constant time for each; one that
// fits is enough. An empty signature is taken from the body, where it may occur once, in the root or in
// "general". Beyond the signature Verify refuses what could be read in two ways: doubled names, names
// that the signature does not cover, and texts that go on like a further field that is read.
func Verify(keys []secret.Value, body []byte, signature string) error {
	root, err := parseObject(body, answerLimits)
	if err != nil {
		return err
	}
	if signature == "" {
		if signature, err = signatureIn(root); err != nil {
			return err
		}
	}
	signed, err := verify(keys, root, answerText, signature)
	if err != nil {
		return err
	}
	if signed.hidden() != nothingHidden {
		return errReadings
	}
	return nil
}

// verified reads a signed JSON object and returns what is signed of it. Its text can have more than one reading, see
// [parts.hidden].
func verified(keys []secret.Value, body []byte) (node, *parts, error) {
	root, err := parseReceived(body, webhookLimits)
	if err != nil {
		return node{}, nil, err
	}
	signature, err := signatureIn(root)
	if err != nil {
		return node{}, nil, err
	}
	signed, err := verify(keys, root, webhookText, signature)
	return root, signed, err
}

func signatureIn(root node) (string, error) {
	found := root.at(signatureName)
	if nested := root.at(generalName, signatureName); nested.exists() {
		if found.exists() {
			return "", errors.New("there are two signatures")
		}
		found = nested
	}
	if found.Kind() != boundedjson.Text || found.Text() == "" {
		return "", errors.New("there is no signature in the root or in general")
	}
	return found.Text(), nil
}

// verify returns what is signed of a document, in no order that counts.
func verify(keys []secret.Value, root node, most textLimit, signature string) (*parts, error) {
	signed, err := signedText(root, most)
	if err != nil {
		return nil, err
	}
	if signed.uncovered {
		return nil, errors.New("a value inside is not covered by the signature")
	}
	if len(signature) != base64.StdEncoding.EncodedLen(sha512.Size) { // which no sorting could change
		return nil, errors.New("the signature matches no secret")
	}
	if !signed.fits(keys, signature) {
		return nil, errors.New("the signature matches no secret")
	}
	return signed, nil
}

// fits reports whether a signature is that of one of the secrets in one of the sortings. A sorting that changes nothing
// is not tried again: most documents have the same text in all of them.
func (p *parts) fits(keys []secret.Value, signature string) bool {
	macs := macsOf(keys)
	for i, sorting := range Sortings() {
		if changed := p.sort(sorting); i > 0 && !changed {
			continue
		}
		fits := 0
		for _, h := range macs {
			fits |= subtle.ConstantTimeCompare([]byte(p.mac(h)), []byte(signature))
		}
		if fits == 1 {
			return true
		}
	}
	return false
}

// macsOf leaves out empty secrets: any sender can sign with one.
func macsOf(keys []secret.Value) []hash.Hash {
	var all []hash.Hash
	for _, key := range keys {
		if !key.Empty() {
			all = append(all, hmac.New(sha512.New, []byte(key.Reveal())))
		}
	}
	return all
}
