package payctl

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/pflag"

	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/connectors/teemopay"
	"payonce/pkg/secret"
)

// scheme is how one provider signs. The rules are those of its connector, which also works the webhooks.
type scheme interface {
	// bind adds the flags of the keys.
	bind(set *pflag.FlagSet, verify bool)
	// prepare reads the keys; its errors are usage errors.
	prepare(env Env, verify bool) error
	// sign returns the signature of a body.
	sign(body []byte) (string, error)
	// verify checks a signature; nil takes the one in the body. refused says why the worker would not take
	// a webhook with this right signature.
	verify(body []byte, signature *string) (refused, err error)
}

var (
	errNotValid  = errors.New("not valid: the signature does not match")
	errNotSigned = errors.New("not valid: the body has no signature, and --signature is not set")
	// errNoSignature is a mistake in the command line where the documents put the signature in a flag.
	errNoSignature = usageError{errors.New("--signature is required: the body has no signature")}
)

// ecommpayScheme signs by HMAC-SHA512 (en_platform_signature).
type ecommpayScheme struct {
	given string
	key   secret.Value
}

func (s *ecommpayScheme) bind(set *pflag.FlagSet, _ bool) { bindSecret(set, &s.given) }

func (s *ecommpayScheme) prepare(env Env, _ bool) (err error) {
	s.key, err = readSecret(env, s.given)
	return err
}

func (s *ecommpayScheme) sign(body []byte) (string, error) {
	body, err := rewrite(body, ecommpayNames)
	if err != nil {
		return "", err
	}
	return ecommpay.Sign(s.key, body)
}

// ecommpayNames drops signatures at places where none belongs: the SDKs remove the name at every level.
func ecommpayNames(path []string, name string) (string, bool) {
	return name, name != "signature" || len(path) == 0 || len(path) == 1 && path[0] == "general"
}

func (s *ecommpayScheme) verify(body []byte, signature *string) (refused, err error) {
	body, err = rewrite(body, ecommpayNames)
	if err != nil {
		return nil, err
	}
	var given string
	switch {
	case signature == nil:
		if given, err = s.signatureIn(body); err != nil {
			return nil, err
		}
	default:
		given = *signature
	}
	if given == "" {
		return nil, errNotSigned
	}
	refused = ecommpay.Verify([]secret.Value{s.key}, body, given)
	for _, sorting := range ecommpay.Sortings() {
		text, err := ecommpay.SigningString(body, sorting)
		if err != nil {
			return nil, fmt.Errorf("not valid: %w", err)
		}
		mac := hmac.New(sha512.New, []byte(s.key.Reveal()))
		mac.Write([]byte(text))
		if equal(base64.StdEncoding.EncodeToString(mac.Sum(nil)), given) {
			return refused, nil
		}
	}
	return nil, errNotValid
}

// signatureIn returns the signature in the root or in "general", where it must occur once.
func (s *ecommpayScheme) signatureIn(body []byte) (string, error) {
	var found []string
	_, err := rewrite(body, func(path []string, name string) (string, bool) {
		if name == "signature" {
			found = append(found, strings.Join(path, ":"))
		}
		return name, true
	})
	switch {
	case err != nil:
		return "", err
	case len(found) == 0:
		return "", errNotSigned
	case len(found) > 1:
		return "", errors.New("not valid: there are two signatures in the body")
	case found[0] == "general":
		return textField(rawField(body, "general"), "signature"), nil
	}
	return textField(body, "signature"), nil
}

// diamondpayScheme signs by MD5 or HMAC-SHA256 (showdoc, signature page).
type diamondpayScheme struct {
	given    string
	signType string
	key      secret.Value
}

func (s *diamondpayScheme) bind(set *pflag.FlagSet, _ bool) {
	bindSecret(set, &s.given)
	set.StringVar(&s.signType, "sign-type", "", "MD5 or HMAC-SHA256; default: the body's sign_type, or MD5")
}

func (s *diamondpayScheme) prepare(env Env, _ bool) (err error) {
	if s.signType = strings.ToUpper(s.signType); s.signType != "" && s.signType != diamondpay.MD5 && s.signType != diamondpay.HMACSHA256 {
		return usagef("--sign-type must be MD5 or HMAC-SHA256")
	}
	s.key, err = readSecret(env, s.given)
	return err
}

// camel is the border between two words of a name in camelCase.
var camel = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// diamondpayNames writes names in snake_case, as the provider's own demo does before it signs: the
// signature is over these names (Diamond Pay's TWD deposit page and its Java demo).
func diamondpayNames(path []string, name string) (string, bool) {
	if len(path) > 0 || !camel.MatchString(name) {
		return name, true
	}
	return strings.ToLower(camel.ReplaceAllString(name, "${1}_$2")), true
}

func (s *diamondpayScheme) typeOf(body []byte) string {
	switch named := textField(body, "sign_type"); {
	case s.signType != "":
		return s.signType
	case named != "":
		return named // Sign refuses what it does not know
	}
	return diamondpay.MD5
}

func (s *diamondpayScheme) sign(body []byte) (string, error) {
	body, err := rewrite(body, diamondpayNames)
	if err != nil {
		return "", err
	}
	return diamondpay.Sign(s.typeOf(body), s.key.Reveal(), body)
}

func (s *diamondpayScheme) verify(body []byte, signature *string) (refused, err error) {
	body, given, err := signedBody(body, diamondpayNames, signature)
	if err != nil {
		return nil, err
	}
	signType := s.typeOf(body)
	want, err := diamondpay.Sign(signType, s.key.Reveal(), body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("not valid: %w", err)
	case !equal(want, given):
		return nil, errNotValid
	}
	return diamondpay.Verify(signType, []string{s.key.Reveal()}, body), nil
}

// teemopayScheme signs by RSA (guides/authentication).
type teemopayScheme struct {
	file    string
	nonce   string
	private *rsa.PrivateKey
	public  *rsa.PublicKey
}

func (s *teemopayScheme) bind(set *pflag.FlagSet, verify bool) {
	if verify {
		set.StringVar(&s.file, "public-key", "", "`FILE` with the signer's public key: PEM, or base64 as the dashboard shows it")
	} else {
		set.StringVar(&s.file, "private-key", "", "`FILE` with the private key: PKCS#8, as PEM or base64, or PKCS#1 as PEM")
	}
	set.StringVar(&s.nonce, "nonce", "", "the nonce of the request's header; required")
}

func (s *teemopayScheme) prepare(_ Env, verify bool) error {
	flag := map[bool]string{true: "--public-key", false: "--private-key"}[verify]
	switch {
	case s.file == "":
		return usagef("%s is required: a FILE", flag)
	case s.nonce == "":
		return usagef("--nonce is required: it is signed as well")
	}
	text, err := readLimited(s.file)
	if err != nil {
		return usagef("%s: %w", flag, err)
	}
	if verify {
		s.public, err = teemopay.ParsePublicKey(string(text))
	} else {
		s.private, err = teemopay.ParsePrivateKey(string(text))
	}
	if err != nil {
		return usagef("%s: %s %w", flag, s.file, err)
	}
	return nil
}

func (s *teemopayScheme) sign(body []byte) (string, error) {
	return teemopay.Sign(s.private, body, s.nonce)
}

func (s *teemopayScheme) verify(body []byte, signature *string) (refused, err error) {
	body, given, err := signedBody(body, keepAll, signature)
	if err != nil {
		return nil, err
	}
	text, err := teemopay.SigningString(body, s.nonce)
	if err != nil {
		return nil, fmt.Errorf("not valid: %w", err)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(given)
	if err != nil {
		return nil, errors.New("not valid: the signature is not base64")
	}
	digest := sha1.Sum([]byte(text))
	if rsa.VerifyPKCS1v15(s.public, crypto.SHA1, digest[:], raw) != nil {
		return nil, errNotValid
	}
	return teemopay.Verify([]*rsa.PublicKey{s.public}, body, s.nonce), nil
}

// signedBody returns the body with the signature that is to be checked as its field "sign", and that
// signature.
func signedBody(body []byte, names func([]string, string) (string, bool), signature *string) ([]byte, string, error) {
	body, err := rewrite(body, names)
	if err != nil {
		return nil, "", err
	}
	if signature == nil {
		given := textField(body, "sign")
		if given == "" {
			return nil, "", errNoSignature
		}
		return body, given, nil
	}
	unsigned, err := rewrite(body, func(path []string, name string) (string, bool) {
		return name, len(path) > 0 || name != "sign"
	})
	if err != nil {
		return nil, "", err
	}
	body, err = withText(unsigned, "sign", *signature)
	return body, *signature, err
}

func bindSecret(set *pflag.FlagSet, given *string) {
	set.StringVar(given, "secret", "", "the `SECRET`: @FILE, env:NAME, or the secret itself; required")
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
