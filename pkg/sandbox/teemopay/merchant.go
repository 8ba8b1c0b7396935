package teemopay

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// SignedRequest makes the header and body that a merchant would send: for tests that talk to the
// sandbox without a connector. content has plain values; a sign in it is replaced.
func SignedRequest(key *rsa.PrivateKey, appCode string, content map[string]any, at time.Time) (http.Header, []byte, error) {
	plain, err := json.Marshal(content)
	if err != nil {
		return nil, nil, fmt.Errorf("teemopay: sign a request: %w", err)
	}
	f, err := decodeFields(plain)
	if err != nil {
		return nil, nil, fmt.Errorf("teemopay: sign a request: %w", err)
	}
	nonce := randomHex()
	if f["sign"], err = sign(key, f, nonce); err != nil {
		return nil, nil, fmt.Errorf("teemopay: sign a request: %w", err)
	}
	body, err := json.Marshal(f)
	if err != nil {
		return nil, nil, fmt.Errorf("teemopay: sign a request: %w", err)
	}
	header := http.Header{
		"Content-Type": {"application/json"}, "app_code": {appCode}, "country": {"KR"}, "nonce": {nonce},
		"timestamp": {strconv.FormatInt(at.UnixMilli(), 10)},
	}
	return header, body, nil
}

// VerifyCallback reports whether a callback carries the platform's signature.
func VerifyCallback(key *rsa.PublicKey, header http.Header, body []byte) bool {
	f, err := decodeFields(body)
	return err == nil && verify(key, f, header.Get("nonce"))
}
