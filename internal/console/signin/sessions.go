package signin

import (
	"sync"
	"time"
)

// purgeEvery is how often sessions that have expired are removed.
const purgeEvery = time.Minute

// sessions is a store of scs in memory. The one that comes with scs removes what has expired in a goroutine, which it starts and stops
// in a data race; here the next commit removes it. It is safe for concurrent use.
type sessions struct {
	now func() time.Time

	mu     sync.Mutex
	all    map[string]session
	purged time.Time
}

type session struct {
	data   []byte
	expiry time.Time
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, all: map[string]session{}}
}

// Find returns the data of a session that has not expired.
func (s *sessions) Find(token string) (data []byte, found bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, found := s.all[token]
	if !found || !s.now().Before(one.expiry) {
		return nil, false, nil
	}
	return one.data, true, nil
}

// Commit keeps the data of a session until it expires.
func (s *sessions) Commit(token string, data []byte, expiry time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); now.Sub(s.purged) >= purgeEvery {
		s.purged = now
		for token, one := range s.all {
			if !now.Before(one.expiry) {
				delete(s.all, token)
			}
		}
	}
	s.all[token] = session{data, expiry}
	return nil
}

// Delete forgets a session.
func (s *sessions) Delete(token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, token)
	return nil
}
