package ingress

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/time/rate"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// MinKeyLength is the shortest API key, in bytes.
const MinKeyLength = 32

// APIKey lets one upstream service use /v1. The service sends the key itself as
// "Authorization: Bearer <key>"; the configuration holds only its hash. A key must be random, because
// a plain hash does not protect one that can be guessed: make it with
//
//	openssl rand -hex 32
type APIKey struct {
	// Name of the service, for the access log.
	Name string
	// Upstream is whose payments the key asks for and sees; empty means Name. Keys of one service share it, and a service
	// that publishes by NATS too has the upstream's name there.
	Upstream string
	// SHA256 of the key in hex, see [HashKey].
	SHA256 string
	// PreviousSHA256 are hashes of keys that are still taken while the service changes to the new one.
	PreviousSHA256 []string
	// Providers and Operations that the key is for, for commands and for reading alike; empty means all.
	Providers  []string
	Operations []payment.Operation
	// Balance lets the key see balances, and numbers of payments, of providers that other upstreams use, too: they reveal the
	// others' payments.
	Balance bool
	// RequestsPerSecond and Burst, and BytesPerSecond and BytesBurst, of this service; 0 means those of Limits.
	RequestsPerSecond, Burst   int
	BytesPerSecond, BytesBurst int
}

// HashKey returns what the configuration holds for an API key. It refuses keys of less than
// [MinKeyLength] bytes or with characters that no Authorization header can carry.
func HashKey(key string) (string, error) {
	if len(key) < MinKeyLength {
		return "", fmt.Errorf("an API key must have at least %d characters: create one with openssl rand -hex 32", MinKeyLength)
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return "", errors.New("an API key must be printable ASCII without blanks")
		}
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:]), nil
}

func validateKeys(keys []APIKey, registry *connectors.Registry) error {
	var problems []error
	names, hashes := map[string]bool{}, map[string]bool{}
	for _, key := range keys {
		if key.Name == "" || names[key.Name] {
			problems = append(problems, fmt.Errorf("API key %q: the name must be unique", key.Name))
		}
		names[key.Name] = true
		if !payment.ValidUpstream(key.upstream()) {
			problems = append(problems, fmt.Errorf("API key %q: name and upstream must be 1 to 64 characters of A-Z, a-z, 0-9, \"_\" and \"-\"", key.Name))
		}
		for _, hash := range key.hashes() {
			sum, err := hex.DecodeString(hash)
			switch {
			case err != nil || len(sum) != sha256.Size:
				problems = append(problems, fmt.Errorf("API key %q: must have a SHA-256 in hex", key.Name))
			case hashes[string(sum)]:
				problems = append(problems, fmt.Errorf("API key %q: the same key has another name", key.Name))
			}
			hashes[string(sum)] = true
		}
		if key.RequestsPerSecond < 0 || key.Burst < 0 || key.BytesPerSecond < 0 || key.BytesBurst < 0 {
			problems = append(problems, fmt.Errorf("API key %q: rates must not be negative", key.Name))
		}
		for _, provider := range key.Providers {
			if _, known := registry.Get(provider); !known {
				problems = append(problems, fmt.Errorf("API key %q: unknown provider %q", key.Name, provider))
			}
		}
		for _, op := range key.Operations {
			if !op.Valid() {
				problems = append(problems, fmt.Errorf("API key %q: unknown operation %q", key.Name, op))
			}
		}
	}
	return errors.Join(problems...)
}

// upstream returns whose payments the key asks for.
func (k *APIKey) upstream() string { return cmp.Or(k.Upstream, k.Name) }

// hashes returns the hashes of all keys that are taken now.
func (k *APIKey) hashes() []string { return append([]string{k.SHA256}, k.PreviousSHA256...) }

func (k *APIKey) allowsProvider(name string) bool {
	return len(k.Providers) == 0 || slices.Contains(k.Providers, name)
}

func (k *APIKey) allowsOperation(op payment.Operation) bool {
	return len(k.Operations) == 0 || slices.Contains(k.Operations, op)
}

// keyring finds a key by what a client sent, in a time that does not depend on which key it is or how
// much of it is right.
type keyring struct {
	holders []holder
	hashes  [][]byte
	owner   []int // of each hash, in holders
}

// holder is an upstream service that has a key.
type holder struct {
	APIKey
	rate, bytes     *rate.Limiter
	places, waiting chan struct{} // one value for each request under way, and for each that waits
}

// newKeyring takes keys that validateKeys has accepted. A service that was known before goes on with what
// is left of its rate.
func newKeyring(keys []APIKey, limits Limits, before *keyring) *keyring {
	ring := &keyring{}
	for i, key := range keys {
		h := holder{APIKey: key}
		if known := before.of(key.Name); known != nil {
			h = *known
			h.APIKey = key
		} else {
			h.places, h.waiting = make(chan struct{}, limits.MaxRequestsPerKey), make(chan struct{}, limits.MaxWaitingPerKey)
		}
		h.rate = limiter(h.rate, cmp.Or(key.RequestsPerSecond, limits.RequestsPerSecond), cmp.Or(key.Burst, limits.Burst))
		h.bytes = limiter(h.bytes, cmp.Or(key.BytesPerSecond, limits.BytesPerSecond), cmp.Or(key.BytesBurst, limits.BytesBurst))
		ring.holders = append(ring.holders, h)
		for _, hash := range key.hashes() {
			sum, _ := hex.DecodeString(hash)
			ring.hashes, ring.owner = append(ring.hashes, sum), append(ring.owner, i)
		}
	}
	return ring
}

// limiter returns the one of before, if it is for the same rate.
func limiter(before *rate.Limiter, perSecond, burst int) *rate.Limiter {
	if before != nil && before.Limit() == rate.Limit(perSecond) && before.Burst() == burst {
		return before
	}
	return rate.NewLimiter(rate.Limit(perSecond), burst)
}

// seesTotals reports whether a provider's balance and the numbers of its payments reveal to a key no payments but its own
// upstream's, or the key may see them all the same.
func (k *keyring) seesTotals(key *holder, provider string, onNATS []string) bool {
	other := func(h holder) bool { return h.upstream() != key.upstream() && h.allowsProvider(provider) }
	return key.Balance || !slices.ContainsFunc(k.holders, other) &&
		!slices.ContainsFunc(onNATS, func(name string) bool { return name != key.upstream() })
}

// of returns a service, or nil.
func (k *keyring) of(name string) *holder {
	if k == nil {
		return nil
	}
	for i := range k.holders {
		if k.holders[i].Name == name {
			return &k.holders[i]
		}
	}
	return nil
}

// bearer returns the only bearer token of a request, or "".
func bearer(header http.Header) string {
	values := header.Values("Authorization")
	if len(values) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimLeft(token, " ")
}

// find returns who holds the key of a request, or nil.
func (k *keyring) find(header http.Header) *holder {
	token := bearer(header)
	if len(token) < MinKeyLength {
		return nil
	}
	sum := sha256.Sum256([]byte(token))
	found := -1
	for i, hash := range k.hashes {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], hash), i, found)
	}
	if found < 0 {
		return nil
	}
	return &k.holders[k.owner[found]]
}
