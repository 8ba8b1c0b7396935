package ecommpay

import "encoding/json"

// SignedRequest makes the body that a merchant would send to Gate: for tests that talk to the sandbox
// without a connector. content is any JSON object; a signature in it is replaced. The signature goes into
// general, or into the root when there is no general.
func SignedRequest(secret string, content map[string]any) ([]byte, error) {
	plain, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	o, err := decode(plain)
	if err != nil {
		return nil, err
	}
	signature := sign(secret, o)
	if general, ok := o["general"].(object); ok {
		general["signature"] = signature
	} else {
		o["signature"] = signature
	}
	return json.Marshal(o)
}

// Verify reports whether a body carries the right signature, as callbacks and status answers do.
func Verify(secret string, body []byte) bool {
	o, err := decode(body)
	return err == nil && verify(secret, o)
}
