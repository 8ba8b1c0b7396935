package console

import (
	"crypto/rand"
	"sync"
	"time"
)

// notice tells a person what came of an action.
type notice struct {
	Text           string
	Lines          []string
	Link, LinkText string
	Bad            bool
	reader         string // the only person who sees it
	until          time.Time
}

const (
	// noticeLife is how long a notice can be seen, and noticeMost how many are kept.
	noticeLife = 10 * time.Minute
	noticeMost = 1000
)

// notices are kept from the answer to a form until the page to which it leads. The zero value is empty.
type notices struct {
	mu  sync.Mutex
	all map[string]notice
}

// put keeps a notice and returns its name, which cannot be guessed.
func (n *notices) put(one notice, now time.Time) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, old := range n.all {
		if now.After(old.until) || len(n.all) >= noticeMost {
			delete(n.all, name)
		}
	}
	if n.all == nil {
		n.all = map[string]notice{}
	}
	one.until = now.Add(noticeLife)
	name := rand.Text()
	n.all[name] = one
	return name
}

// get returns a notice for its reader; nil where there is none.
func (n *notices) get(name, reader string, now time.Time) *notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	if one, has := n.all[name]; has && one.reader == reader && now.Before(one.until) {
		return &one
	}
	return nil
}
