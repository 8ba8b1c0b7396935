package ingress_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/ingress"
	"payonce/pkg/payment"
)

func TestNewReportsAllProblemsAtOnce(t *testing.T) {
	hash := mustHash(t, apiKey)
	_, err := ingress.New(ingress.Options{
		Registry: connectors.NewRegistry(nil),
		Keys: []ingress.APIKey{
			{Name: "", SHA256: hash}, {Name: "a", SHA256: "00"}, {Name: "b", SHA256: strings.ToUpper(hash)},
			{Name: "c", SHA256: strings.Repeat("00", 32), Providers: []string{"nobody"}, Operations: []payment.Operation{"refund"}},
			{Name: "c", SHA256: strings.Repeat("11", 32), PreviousSHA256: []string{hash}, Burst: -1},
			{Name: "d", SHA256: strings.Repeat("22", 32), BytesBurst: -1},
		},
		WebhookSources: map[string][]netip.Prefix{"nobody-else": nil},
		ProxyHeader:    "X-Forwarded-For",
		Limits: ingress.Limits{
			HeaderBytes: -1, ReadHeaderTimeout: -1, ReadTimeout: -1, WriteTimeout: -1, IdleTimeout: -1, BackendTimeout: -1, MaxWait: -1, MaxWaiting: -1,
			MaxRequests: -1, RequestsPerSecond: -1, Burst: -1, MaxWaitingPerKey: -1, MaxRequestsPerKey: -1, MaxRequestsPerProvider: -1,
			BytesPerSecond: -1, BytesBurst: 1, BodyBytes: 1, BodyBytesPerSource: 1, BodyBytesPerProvider: 1,
		},
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"Commands is required", "Webhooks is required", "Log is required", "Now is required", "NewID is required",
		"Logger is required", "Ready is required", `API key "": the name must`, `API key "a": must have a SHA-256`,
		`API key "b": the same key has another name`, `API key "c": unknown provider "nobody"`,
		`API key "c": unknown operation "refund"`, `API key "c": the name must be unique`,
		`unknown provider "nobody-else"`, "ProxyHeader and TrustedProxies must be set together",
		"HeaderBytes must", "ReadHeaderTimeout must", "ReadTimeout must", "WriteTimeout must", "IdleTimeout must",
		"BackendTimeout must", "MaxWait must", "MaxWaiting must", "MaxRequests must", "RequestsPerSecond must", "Burst must",
		`API key "c": rates must not`, `API key "d": rates must not`, "MaxWaitingPerKey must", "MaxRequestsPerKey must", "MaxRequestsPerProvider must",
		"BytesPerSecond must", "BytesBurst must", "BodyBytes must", "BodyBytesPerSource must", "BodyBytesPerProvider must",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	if _, err := ingress.New(ingress.Options{}); err == nil || !strings.Contains(err.Error(), "Registry is required") {
		t.Errorf("without a registry: %v", err)
	}
}

func TestLimitsMustFitTogether(t *testing.T) {
	if err := testLimits().Validate(); err != nil {
		t.Error(err)
	}
	limits := testLimits()
	limits.WriteTimeout = limits.ReadTimeout + limits.BackendTimeout
	if err := limits.Validate(); err == nil || !strings.Contains(err.Error(), "answers are cut off") {
		t.Errorf("answers would be cut off: %v", err)
	}
}

func TestHashKey(t *testing.T) {
	// printf %s 0123…cdef | sha256sum
	if got := mustHash(t, apiKey); got != "a8ae6e6ee929abea3afcfc5258c8ccd6f85273e0d4626d26c7279f3250f77c8e" {
		t.Errorf("hash %s", got)
	}
	for _, weak := range []string{"", "secret", strings.Repeat("x", ingress.MinKeyLength-1), strings.Repeat("x", 40) + " ", strings.Repeat("x", 40) + "\n", strings.Repeat("é", 40)} {
		if _, err := ingress.HashKey(weak); err == nil {
			t.Errorf("a key of %d bytes is accepted", len(weak))
		} else if weak != "" && strings.Contains(err.Error(), weak) {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}

// A hash can be configured without HashKey; a key that could be guessed is refused all the same.
func TestShortKeyNeverOpens(t *testing.T) {
	for _, weak := range []string{"", "secret", strings.Repeat("x", ingress.MinKeyLength-1)} {
		sum := sha256.Sum256([]byte(weak))
		b := newBorder(t, func(o *ingress.Options) {
			o.Keys = []ingress.APIKey{{Name: "weak", SHA256: hex.EncodeToString(sum[:])}}
		})
		b.do("GET", "/v1/providers", "", "Authorization", "Bearer "+weak).mustRefuse(t, 401, "unauthorized", "")
	}
}
