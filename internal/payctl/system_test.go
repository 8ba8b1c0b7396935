package payctl

import (
	"errors"
	"strings"
	"testing"
)

// TestNextToConnect: what servers, the client and Go's TLS really said, and what an operator looks at then.
func TestNextToConnect(t *testing.T) {
	for said, want := range map[string]string{
		"connect to NATS: nats: no servers available for connection":                                                         "nats.urls",
		"connect to NATS: nats: Authorization Violation":                                                                     "does not know this user",
		"connect to NATS: nats: tls error: tls: failed to verify certificate: x509: certificate signed by unknown authority": "nats.tls.ca_file",
		"connect to NATS: JetStream is not available to this account: context deadline exceeded":                             "operator's permissions",
	} {
		if got := nextToConnect(errors.New(said)); !strings.Contains(got, want) {
			t.Errorf("%s: %s", said, got)
		}
	}
}
