package config

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strings"
)

// published are hashes of public secrets, so that the program contains none of them: [fingerprint] of the
// sample keys in the providers' documents and SDKs, and of what documents use as a placeholder.
var published = []string{
	"c54d2fc0573091e8b5a46943600e945826944ee3c2361deac87f15c4a5bcde19", // Diamond Pay, the signature page
	"d92e1d277d6f2476a1117a23d6efca7c5d94b8778f3dd14eef23bb54a6e62a49", // Diamond Pay, the HMAC-SHA256 example
	"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b", // ECommPay, tests of its SDKs
	"65e84be33532fb784c48129675f9eff3a682b27168c0ea744b2cf58ee02337c5", // ECommPay, tests of its SDKs
	"cdcc193a781e084b67c133c7357fde269ae3499212a612f728fd6c7b1744e1f4", // ECommPay, tests of its SDKs
	"ba7b620fd0d2ae6d21e96528f41640e718d363df9876f2e587030ba903f2b766", // ECommPay, tests of its SDKs
	"2a8e56bdd97d881a6a396dba3daa4bf64246d30e6c1d3cca1430250a8a3f113e", // TeemoPay, the key pair of its page about keys
}

// publishedAPIKeys are SHA-256 of API keys of this form in documents and examples.
var publishedAPIKeys = []string{
	"3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9", // the sixteen digits in their order, twice
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", // nothing
}

// fingerprint is the same for two texts that are one secret: the SHA-256 of an RSA key's modulus, so that a private key
// and its public key have the same in all their forms, and else of the text without its case.
func fingerprint(text string) string {
	content := []byte(strings.ToLower(strings.TrimSpace(text)))
	if modulus := rsaModulus(text); modulus != nil {
		content = modulus
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// rsaModulus returns the modulus of an RSA key in PEM, or in base64 alone as TeemoPay's console shows it.
func rsaModulus(text string) []byte {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if block, _ := pem.Decode([]byte(strings.TrimSpace(text))); block != nil {
		der, err = block.Bytes, nil
	}
	if err != nil || len(der) < 64 {
		return nil
	}
	var key any
	if key, err = x509.ParsePKCS8PrivateKey(der); err != nil {
		if key, err = x509.ParsePKIXPublicKey(der); err != nil {
			if key, err = x509.ParsePKCS1PrivateKey(der); err != nil {
				key, _ = x509.ParsePKCS1PublicKey(der)
			}
		}
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key.N.Bytes()
	case *rsa.PublicKey:
		if key != nil {
			return key.N.Bytes()
		}
	}
	return nil
}

// weakness says why a secret can be guessed, and nothing of the secret; empty for one that looks random.
func weakness(text string) string {
	if slices.Contains(published, fingerprint(text)) {
		return "is published"
	}
	if isPEM(text) || isWrapped(text) || rsaModulus(text) != nil {
		return ""
	}
	text = strings.TrimSpace(text)
	switch {
	case repeats(text):
		return "repeats itself"
	case distinct(text) < minDistinct:
		return "has few different characters"
	case repeatsInside(text):
		return "repeats itself"
	case sequence(text):
		return "counts up or down"
	case len(text) < minSecret:
		return short
	}
	return ""
}

// short is the weakness of a secret that is otherwise good.
const short = "has less than 16 bytes"

// minDistinct is how many different bytes a secret has at least. One of 16 random decimal digits has fewer once in
// ten thousand times, one of hexadecimal digits once in a million.
const minDistinct = 5

func distinct(text string) int {
	bytes := []byte(strings.ToLower(text))
	slices.Sort(bytes)
	return len(slices.Compact(bytes))
}

// shortUnit is how long a text can be that makes a secret no better, however often it occurs in it, also where it is cut off.
const shortUnit = 7

// repeats reports whether a text is a shorter one again and again.
func repeats(text string) bool {
	text = strings.ToLower(text)
	for period := 1; period <= len(text)/2; period++ {
		if strings.HasPrefix(text, text[period:]) && (period <= shortUnit || len(text)%period == 0) {
			return true
		}
	}
	return false
}

// fewMore is how many bytes before or after what repeats itself make a secret no better, as in passwordpassword1.
const fewMore = 2

// repeatsInside reports whether a long text repeats itself but for a few bytes at its beginning or end.
func repeatsInside(text string) bool {
	for n := 1; n <= fewMore && len(text)-n >= minSecret-fewMore; n++ {
		if repeats(text[n:]) || repeats(text[:len(text)-n]) {
			return true
		}
	}
	return false
}

// sequence reports whether three quarters of the neighbours in a text are the same, or next to each other in one
// direction, as in 1234567890123456 and 112233445566778899.
func sequence(text string) bool {
	counts := map[int]int{}
	for i := 1; i < len(text); i++ {
		counts[int(text[i])-int(text[i-1])]++
	}
	return 4*(counts[0]+max(counts[1], counts[-1])) >= 3*(len(text)-1)
}
