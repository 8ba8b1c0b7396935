package ingress

import (
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"payonce/pkg/events"
)

// overloadPause is how long a client is asked to wait that found no place.
const overloadPause = time.Second

// busyKey names the share of a key's bodies.
const busyKey = "busy_key"

// What a request counts of its key's rate. Most count once; those that ask a provider or read a whole history count
// for what they cost.
const (
	costPlain    = 1
	costTimeline = 5
	costSearch   = 10
	costBanks    = 5
	costStatus   = 10
	costBalance  = 10
)

// admit lets a request of an upstream service in, if the service's rate allows it and it has not too many requests
// under way.
func (s *Server) admit(r *http.Request, key *holder, cost int) *problem {
	if wait := take(key.rate, s.now(), cost); wait > 0 {
		return limited("This API key exceeded its request rate. Retry later.", wait)
	}
	select {
	case key.places <- struct{}{}:
		requestOf(r).leaveKey = sync.OnceFunc(func() { <-key.places })
		return nil
	default:
		return limited("This API key has too many requests in progress. Retry later.", overloadPause)
	}
}

func limited(detail string, after time.Duration) *problem {
	refused := newProblem(kindRate, detail)
	refused.after = after
	return refused
}

// take takes so much of a rate, or says when there is as much. What is more than can be had at once counts as that.
func take(of *rate.Limiter, now time.Time, n int) time.Duration {
	turn := of.ReserveN(now, min(n, of.Burst()))
	wait := turn.DelayFrom(now)
	if wait > 0 {
		turn.CancelAt(now)
	}
	return wait
}

// enter takes one of the places for requests that are worked on. A request that finds none is refused at
// once, because one that waits for a place would hold memory. A body is read before: one that trickles must hold no
// place.
func (s *Server) enter(r *http.Request, places chan struct{}) *problem {
	select {
	case places <- struct{}{}:
		leave := requestOf(r).leavePlace
		requestOf(r).leavePlace = sync.OnceFunc(func() {
			<-places
			if leave != nil {
				leave()
			}
		})
		return nil
	default:
		return overloaded()
	}
}

func overloaded() *problem {
	refused := newProblem(kindOverloaded, "Server is at capacity; the request was not processed. Retry later.")
	refused.after = overloadPause
	return refused
}

// keyBody reads the body of an upstream service's request, counts its bytes, and takes a place for the work on it.
func (s *Server) keyBody(w http.ResponseWriter, r *http.Request) ([]byte, *problem) {
	key := requestOf(r).key
	body, refused := s.readBody(w, r, s.apiBodies, events.MaxCommandBytes, share{key.Name, s.limits.BodyBytesPerSource, busyKey})
	if refused != nil && refused.reason == busyKey {
		refused = limited("This API key sends too many request bodies at once. Retry later.", overloadPause)
	}
	if refused == nil {
		if wait := take(key.bytes, s.now(), len(body)); wait > 0 {
			refused = limited("This API key exceeded its byte rate. Retry later, or send smaller requests.", wait)
		}
	}
	if refused == nil {
		refused = s.enter(r, s.api)
	}
	if refused != nil && (refused.kind() == kindRate || refused.kind() == kindOverloaded) {
		s.counters.limit(r.Context(), key.Name, refused.kind())
	}
	return body, refused
}
