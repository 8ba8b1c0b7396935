package diamondpay

import (
	"encoding/json"
	"maps"
)

// SignedRequest makes the body that a merchant would send: for tests that talk to the sandbox without a
// connector. content has snake_case names; sign and sign_type in it are replaced.
func SignedRequest(how SignType, secret string, content map[string]any) ([]byte, error) {
	signed := maps.Clone(content)
	delete(signed, "sign_type")
	if how == HMACSHA256 {
		signed["sign_type"] = string(how)
	}
	plain, err := json.Marshal(signed)
	if err != nil {
		return nil, err
	}
	f, err := decode(plain)
	if err != nil {
		return nil, err
	}
	signed["sign"] = sign(how, secret, f)
	return json.Marshal(signed)
}

// Verify reports whether a body carries the right signature, as notifications and rows of v1 queries do.
// A body without sign_type is checked as signed in the account's way, because rows name none.
func Verify(how SignType, secret string, body []byte) bool {
	f, err := decode(body)
	if err != nil {
		return false
	}
	if _, named := f["sign_type"]; !named {
		f["sign_type"] = string(how)
	}
	return verify(how, secret, f)
}
