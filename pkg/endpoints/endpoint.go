package endpoints

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

// Endpoint is a URL to which events are sent.
type Endpoint struct {
	Name string
	URL  string
	// Secrets sign each request: one, or two while the receiver changes from one to the other.
	Secrets []secret.Value
	// Upstream is whose payments are sent. With EveryUpstream they are those of all.
	Upstream      string
	EveryUpstream bool
	// Providers, Operations and Statuses choose events. Empty providers and operations mean all.
	Providers  []string
	Operations []payment.Operation
	Statuses   []payment.Status
	// Concurrency is how many requests this process sends at the same time.
	Concurrency int
	// Networks may be reached although their addresses are not public.
	Networks []netip.Prefix
}

// Limits of secrets, as Standard Webhooks recommends them.
const (
	MaxSecrets     = 2
	minSecretBytes = 24
	maxSecretBytes = 64
	secretPrefix   = "whsec_"
)

// SecretProblem says what is wrong with a secret, and nothing of it; empty for a good one.
func SecretProblem(text string) string {
	encoded, found := strings.CutPrefix(text, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	switch {
	case !found || err != nil:
		return "must be whsec_ and base64 of the key"
	case len(key) < minSecretBytes || len(key) > maxSecretBytes:
		return fmt.Sprintf("must be base64 of %d to %d bytes", minSecretBytes, maxSecretBytes)
	}
	return ""
}

// URLProblem says why events cannot be sent to a URL; empty for a good one.
func URLProblem(text string, networks []netip.Prefix) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return "must be a URL like https://shop.example.com/payonce"
	case u.User != nil || u.Fragment != "":
		return "must have no user, password or fragment"
	case u.Scheme == "http" && len(networks) == 0:
		return "must begin with https://; http:// requires allow_networks"
	}
	return ""
}

func (e Endpoint) validate() error {
	var problems []error
	if !payment.ValidProvider(e.Name) {
		problems = append(problems, errors.New(`the name must be 1 to 32 characters of a-z, 0-9 and "-"`))
	}
	if problem := URLProblem(e.URL, e.Networks); problem != "" {
		problems = append(problems, errors.New("the URL "+problem))
	}
	if len(e.Secrets) < 1 || len(e.Secrets) > MaxSecrets {
		problems = append(problems, fmt.Errorf("%d secrets, and 1 or %d are needed", len(e.Secrets), MaxSecrets))
	}
	for _, s := range e.Secrets {
		if problem := SecretProblem(s.Reveal()); problem != "" {
			problems = append(problems, errors.New("a secret "+problem))
		}
	}
	if e.Upstream == "" == !e.EveryUpstream {
		problems = append(problems, errors.New("either an upstream or every upstream is needed"))
	}
	if len(e.Statuses) == 0 || e.Concurrency < 1 {
		problems = append(problems, errors.New("statuses and a positive concurrency are needed"))
	}
	if len(problems) > 0 {
		return fmt.Errorf("endpoint %s: %w", e.Name, errors.Join(problems...))
	}
	return nil
}

// Wants reports whether an event of a payment is for the endpoint. A payment that no upstream asked for is for those only that
// get every upstream's.
func (e Endpoint) Wants(p payment.Payment) bool {
	return (e.EveryUpstream || p.Upstream != "" && p.Upstream == e.Upstream) &&
		(len(e.Providers) == 0 || slices.Contains(e.Providers, p.Provider)) &&
		(len(e.Operations) == 0 || slices.Contains(e.Operations, p.Operation)) &&
		slices.Contains(e.Statuses, p.Status)
}
