package signin

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// linkLifetime is how long a link can be used.
const linkLifetime = 10 * time.Minute

// links are the ones that were made and not used. Only hashes of their tokens are kept.
type links struct {
	mu   sync.Mutex
	made map[[sha256.Size]byte]link
}

type link struct {
	person Person
	until  time.Time
}

// Invite makes a link that signs a person in, once, within ten minutes.
func (g *Gate) Invite(p Person) (string, error) {
	if !g.o.Links || !validName(p.Name) || len(p.Roles) == 0 {
		return "", errors.New("no link can be made: they are off, or the person has no name or no role")
	}
	token := rand.Text()
	g.links.mu.Lock()
	defer g.links.mu.Unlock()
	if g.links.made == nil {
		g.links.made = map[[sha256.Size]byte]link{}
	}
	now := time.Now()
	maps.DeleteFunc(g.links.made, func(_ [sha256.Size]byte, l link) bool { return !now.Before(l.until) })
	g.links.made[sha256.Sum256([]byte(token))] = link{p, now.Add(linkLifetime)}
	return g.o.BaseURL.JoinPath("/sign-in/link").String() + "?token=" + url.QueryEscape(token), nil
}

// take returns whose link it is, and makes it void.
func (l *links) take(token string, now time.Time) (Person, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	hash := sha256.Sum256([]byte(token))
	found, ok := l.made[hash]
	delete(l.made, hash)
	return found.person, ok && now.Before(found.until)
}

// valid reports whether a link can be used still.
func (l *links) valid(token string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	found, ok := l.made[sha256.Sum256([]byte(token))]
	return ok && now.Before(found.until)
}

// showLink shows a button, or that the link is spent. The link itself changes nothing: programs that look at links before people do must
// not use it up.
func (g *Gate) showLink(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Referrer-Policy", "no-referrer")
	token := r.URL.Query().Get("token")
	if !g.links.valid(token, time.Now()) {
		g.page(w, r, Page{Status: http.StatusUnauthorized, Problem: LinkUsed})
		return
	}
	g.page(w, r, Page{Status: http.StatusOK, Link: token})
}

func (g *Gate) useLink(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	p, ok := g.links.take(r.PostFormValue("token"), time.Now())
	if !ok {
		g.o.Logger.WarnContext(r.Context(), "sign-in refused: a link that was used or is too old", "from", r.RemoteAddr)
		g.page(w, r, Page{Status: http.StatusUnauthorized, Problem: LinkUsed})
		return
	}
	g.enter(w, r, p, "link", "/")
}
