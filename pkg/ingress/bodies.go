package ingress

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
)

// firstPiece is how much is set aside for a body before its first byte has come: most bodies are no larger.
const firstPiece = 1 << 10

// bodies bounds the memory of bodies that are being read, all together and for each who sends them. A body takes as
// much as has come of it, so that one that trickles holds little, and nothing once it was read: from then on the
// places for requests bound it.
type bodies struct {
	mu    sync.Mutex
	bytes int
	by    map[any]int
	most  int
}

func newBodies(most int) *bodies { return &bodies{by: map[any]int{}, most: most} }

// share is how much of the memory one sender may have: an address, a provider or the holder of a key.
type share struct {
	who  any
	most int
	name string // for the refusal
}

// errBodies is a share that is used up.
type errBodies struct{ name string }

func (e errBodies) Error() string { return e.name + " sends too many bodies at once" }

// take sets memory aside, for all the shares or for none.
func (b *bodies) take(bytes int, shares []share) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes+bytes > b.most {
		return errBodies{RefusedOverloaded}
	}
	for _, s := range shares {
		if b.by[s.who]+bytes > s.most {
			return errBodies{s.name}
		}
	}
	b.bytes += bytes
	for _, s := range shares {
		b.by[s.who] += bytes
	}
	return nil
}

func (b *bodies) give(bytes int, shares []share) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes -= bytes
	for _, s := range shares {
		if b.by[s.who] -= bytes; b.by[s.who] <= 0 {
			delete(b.by, s.who)
		}
	}
}

// read reads a body of at most limit bytes, of which length is said to come, -1 when nothing is said.
func (b *bodies) read(body io.Reader, length, limit int64, shares ...share) ([]byte, error) {
	size := firstPiece
	if length >= 0 && length < firstPiece {
		size = int(length) + 1 // room to see the end
	}
	if err := b.take(size, shares); err != nil {
		return nil, err
	}
	taken := size
	defer func() { b.give(taken, shares) }()
	all := make([]byte, 0, size)
	for {
		n, err := body.Read(all[len(all):cap(all)])
		all = all[:len(all)+n]
		switch {
		case err == io.EOF:
			return all, nil
		case err != nil:
			return nil, err
		case len(all) < cap(all):
			continue
		}
		larger := min(4*cap(all), int(limit)+1)
		if err := b.take(larger-taken, shares); err != nil {
			return nil, err
		}
		taken = larger
		all = append(make([]byte, 0, larger), all...)
	}
}

// readBody reads the body once, byte for byte. After a refusal the connection is closed, because the
// rest of the body is still on its way.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, from *bodies, limit int64, shares ...share) ([]byte, *problem) {
	var tooLarge *http.MaxBytesError
	var used errBodies
	body, err := []byte(nil), error(&http.MaxBytesError{Limit: limit})
	if r.ContentLength <= limit { // else there is nothing to wait for
		s.hurry(w, r.ContentLength)
		body, err = from.read(http.MaxBytesReader(w, r.Body, limit), r.ContentLength, limit, shares...)
	}
	if err == nil {
		return body, nil
	}
	w.Header().Set("Connection", "close")
	switch {
	case errors.As(err, &tooLarge):
		return nil, newProblem(kindTooLarge, "The body is too large for this path.")
	case errors.As(err, &used):
		refused := overloaded()
		refused.reason = used.name
		return nil, refused
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, newProblem(kindTimeout, "The body did not arrive in time.")
	default:
		return nil, newProblem(kindMalformed, "The body arrived incomplete.")
	}
}
