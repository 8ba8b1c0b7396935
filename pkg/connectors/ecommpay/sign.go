package ecommpay

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"payonce/pkg/secret"
)

// Sorting says how the parts of a signing string are sorted. The provider's own SDKs disagree, and no
// published example tells them apart: they differ for lists of ten or more and for names that continue
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

func (s Sorting) compare(a, b part) int {
	switch s {
	case ByPath:
		return cmp.Compare(a.path, b.path)
	case ByPathAndValue:
		return cmp.Compare(a.text, b.text)
	default:
		return compareNatural(a.path, b.path)
	}
}

// part is one "path:value" of a signing string.
type part struct{ path, text string }

func newPart(path, value string) part { return part{path, path + ":" + value} }

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
	root, err := parseObject(body)
	if err != nil {
		return "", err
	}
	parts, err := partsOf(root)
	if err != nil {
		return "", err
	}
	return join(parts, sorting), nil
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

// Verify checks the signature of a JSON object against the secrets, in constant time for each; one that
// fits is enough. An empty signature is taken from the body, where it may stand once, in the root or in
// "general". Beyond the signature Verify refuses what could be read in two ways: doubled names, names
// that the signature does not cover, and texts that go on like a further field that is read.
func Verify(keys []secret.Value, body []byte, signature string) error {
	root, err := parseObject(body)
	if err != nil {
		return err
	}
	if signature == "" {
		if signature, err = signatureIn(root); err != nil {
			return err
		}
	}
	if err := verify(keys, root, signature); err != nil {
		return err
	}
	if hidden(root) != nothingHidden {
		return errReadings
	}
	return nil
}

// verified reads a signed JSON object. Its text can have more than one reading, see [hidden].
func verified(keys []secret.Value, body []byte) (*node, error) {
	root, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	signature, err := signatureIn(root)
	if err != nil {
		return nil, err
	}
	return root, verify(keys, root, signature)
}

func signatureIn(root *node) (string, error) {
	found := root.at(signatureName)
	if nested := root.at(generalName, signatureName); nested != nil {
		if found != nil {
			return "", errors.New("there are two signatures")
		}
		found = nested
	}
	if found == nil || found.kind != isText || found.text == "" {
		return "", errors.New("there is no signature in the root or in general")
	}
	return found.text, nil
}

func verify(keys []secret.Value, root *node, signature string) error {
	if uncovered(root, true) {
		return errors.New("a value inside is not covered by the signature")
	}
	parts, err := partsOf(root)
	if err != nil {
		return err
	}
	for _, sorting := range Sortings() {
		text, fits := join(parts, sorting), 0 // join sorts parts
		for _, key := range keys {
			if !key.Empty() { // anybody can sign with an empty secret
				fits |= subtle.ConstantTimeCompare([]byte(mac(key, text)), []byte(signature))
			}
		}
		if fits == 1 {
			return nil
		}
	}
	return errors.New("the signature fits no secret")
}

func mac(key secret.Value, text string) string {
	h := hmac.New(sha512.New, []byte(key.Reveal()))
	h.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// join sorts the parts, keeping the order of equals, and joins them.
func join(parts []part, sorting Sorting) string {
	slices.SortStableFunc(parts, sorting.compare)
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = p.text
	}
	return strings.Join(texts, ";")
}

// maxText is the most that the parts of a document may have together, in bytes. A long name around a long list would
// otherwise make a text that grows with the square of the body, before anything of it is verified. The provider's
// own callbacks need some kilobytes.
const maxText = 1 << 20

var errText = errors.New("its signed text is too long")

// partsOf flattens an object in the order of its writing.
func partsOf(root *node) ([]part, error) {
	f := flattener{left: maxText}
	for _, name := range root.names {
		switch {
		case name == signatureName || name == ignoredName:
		case name == generalName && root.fields[name].kind == isObject:
			for _, inner := range root.fields[name].names {
				if inner != signatureName && inner != ignoredName {
					f.add(escape(name)+":"+escape(inner), root.at(name, inner))
				}
			}
		default:
			f.add(escape(name), root.fields[name])
		}
	}
	if f.left < 0 {
		return nil, errText
	}
	return f.parts, nil
}

type flattener struct {
	parts []part
	left  int // bytes that may still be made; nothing is added once it is negative
}

func (f *flattener) add(path string, n *node) {
	if f.left -= len(path) + len(n.text); f.left < 0 {
		return
	}
	switch n.kind {
	case isObject:
		for _, name := range n.names {
			if name != ignoredName && f.left >= 0 {
				f.add(path+":"+escape(name), n.fields[name])
			}
		}
	case isList:
		for i, item := range n.items {
			if f.left >= 0 {
				f.add(path+":"+strconv.Itoa(i), item)
			}
		}
	case isTrue:
		f.parts = append(f.parts, newPart(path, "1"))
	case isFalse:
		f.parts = append(f.parts, newPart(path, "0"))
	default: // null has no text
		f.parts = append(f.parts, newPart(path, n.text))
	}
}

func escape(name string) string { return strings.ReplaceAll(name, ":", "::") }

// uncovered reports whether an ignored name stands anywhere but in the root, where nothing reads it.
func uncovered(n *node, root bool) bool {
	if n.kind == isObject && n.fields[ignoredName] != nil && !root {
		return true
	}
	for _, inner := range n.fields {
		if uncovered(inner, false) {
			return true
		}
	}
	return slices.ContainsFunc(n.items, func(item *node) bool { return uncovered(item, false) })
}
