package teemopay

import (
	"sync"
	"time"
)

// The provider refuses a nonce again for 24 hours (pay-in page, docs.teemopay.com guides). The number of
// remembered nonces is bounded; beyond it the oldest is forgotten.
const (
	nonceLife = 24 * time.Hour
	maxNonces = 1_000_000
)

// nonces remembers the nonces that were used. Safe for concurrent use.
type nonces struct {
	mu   sync.Mutex
	used map[string]struct{}
	// byAge has the oldest first; head is the first that is not forgotten.
	byAge []usedNonce
	head  int
	limit int
}

type usedNonce struct {
	nonce string
	until time.Time
}

func newNonces(limit int) *nonces { return &nonces{used: map[string]struct{}{}, limit: limit} }

// use takes a nonce; false when it was taken within its life.
func (n *nonces) use(nonce string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.head < len(n.byAge) && (!now.Before(n.byAge[n.head].until) || len(n.used) >= n.limit) {
		delete(n.used, n.byAge[n.head].nonce)
		n.byAge[n.head] = usedNonce{}
		n.head++
	}
	if n.head > 1024 && n.head > len(n.byAge)/2 { // give the forgotten half back
		n.byAge = append([]usedNonce(nil), n.byAge[n.head:]...)
		n.head = 0
	}
	if _, taken := n.used[nonce]; taken {
		return false
	}
	n.used[nonce] = struct{}{}
	n.byAge = append(n.byAge, usedNonce{nonce, now.Add(nonceLife)})
	return true
}
