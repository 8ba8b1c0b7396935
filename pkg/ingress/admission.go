package ingress

import (
	"net/http"
	"sync"
	"time"
)

// overloadPause is how long a client is asked to wait that found no place.
const overloadPause = time.Second

// admit lets a request of an upstream service in, if the service's rate and the number of requests under
// way allow it. Whoever was let in must call leave.
func (s *Server) admit(r *http.Request, key *holder) *problem {
	now := s.now()
	turn := key.rate.ReserveN(now, 1)
	if wait := turn.DelayFrom(now); wait > 0 {
		turn.CancelAt(now)
		refused := newProblem(kindRate, "This API key has sent more requests than it may: send fewer.")
		refused.after = wait
		return refused
	}
	return s.enter(r, s.api)
}

// enter takes one of the places for requests that are worked on. A request that finds none is refused at
// once, because one that waits for a place would hold memory.
func (s *Server) enter(r *http.Request, places chan struct{}) *problem {
	select {
	case places <- struct{}{}:
		requestOf(r).leave = sync.OnceFunc(func() { <-places })
		return nil
	default:
		refused := newProblem(kindOverloaded, "Too many requests are worked on: nothing was taken, send it again.")
		refused.after = overloadPause
		return refused
	}
}
