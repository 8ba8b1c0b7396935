package signin

import (
	"errors"
	"hash/maphash"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/time/rate"

	"payonce/pkg/secret"
)

// What a form of signing in may have.
const (
	maxForm     = 8 << 10
	maxPassword = 1024
)

// Bounds of a password hash, so that one attempt costs neither too little nor too much.
const (
	minBcryptCost, maxBcryptCost = 10, 14
	minArgonKiB, maxArgonKiB     = 16 << 10, 256 << 10
	maxArgonIterations           = 10
)

// checkHash reports what is wrong with a password hash, without showing it.
func checkHash(hash secret.Value) error {
	text := hash.Reveal()
	if strings.HasPrefix(text, "$argon2id$") {
		params, _, _, err := argon2id.DecodeHash(text)
		if err != nil {
			return errors.New("a password hash is not in the form of argon2id")
		}
		if params.Memory < minArgonKiB || params.Memory > maxArgonKiB || params.Iterations > maxArgonIterations {
			return errors.New("an argon2id password hash must be made with 16 to 256 MiB and at most 10 iterations")
		}
		return nil
	}
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil {
		return errors.New("a password hash must be of argon2id or bcrypt")
	}
	if cost < minBcryptCost || cost > maxBcryptCost {
		return errors.New("a bcrypt password hash must have a cost of 10 to 14")
	}
	return nil
}

// matches compares a password with a hash, in a time that does not depend on where they differ.
func matches(hash secret.Value, password string) bool {
	if text := hash.Reveal(); strings.HasPrefix(text, "$argon2id$") {
		same, err := argon2id.ComparePasswordAndHash(password, text)
		return err == nil && same
	}
	return bcrypt.CompareHashAndPassword([]byte(hash.Reveal()), []byte(password)) == nil
}

// password signs in by name and password.
func (g *Gate) password(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	name, password, next := r.PostFormValue("name"), r.PostFormValue("password"), r.PostFormValue("next")
	if len(g.o.Users) == 0 || name == "" || password == "" || len(password) > maxPassword {
		g.page(w, r, Page{Status: http.StatusUnauthorized, Problem: WrongLogin, Next: next})
		return
	}
	// Someone unknown is compared with a user's hash, too: the time of the answer does not tell who exists.
	user, known := g.o.Users[0], false
	for _, u := range g.o.Users {
		if u.Name == name {
			user, known = u, true
		}
	}
	account := ""
	if known {
		account = user.Name
	}
	if !g.attempts.allow(account, r.RemoteAddr, time.Now()) {
		w.Header().Set("Retry-After", "60")
		g.o.Logger.WarnContext(r.Context(), "sign-in refused: too many attempts", "from", r.RemoteAddr)
		g.page(w, r, Page{Status: http.StatusTooManyRequests, Problem: TooOften, Next: next})
		return
	}
	if !g.attempts.compare(func() bool { return matches(user.PasswordHash, password) }) || !known {
		// The name is not logged: some type their password there.
		g.o.Logger.WarnContext(r.Context(), "sign-in refused: wrong name or password", "from", r.RemoteAddr)
		g.page(w, r, Page{Status: http.StatusUnauthorized, Problem: WrongLogin, Next: next})
		return
	}
	g.enter(w, r, Person{user.Name, user.Roles}, "password", next)
}

// attempts bounds guesses: of one address at one account, of one address, and of one account. All are buckets of a fixed
// number, so that addresses cannot fill the memory; those that share one share its budget.
type attempts struct {
	seed     maphash.Seed
	mu       sync.Mutex
	pairs    [1 << 10]*rate.Limiter
	address  [1 << 10]*rate.Limiter
	accounts [1 << 8]*rate.Limiter
	comparer chan struct{} // one comparison of passwords at a time needs much memory
}

func newAttempts() *attempts {
	return &attempts{seed: maphash.MakeSeed(), comparer: make(chan struct{}, 2)}
}

// allow counts an attempt. An unknown account is "".
func (a *attempts) allow(account, remote string, now time.Time) bool {
	from := remote
	if parsed, err := netip.ParseAddrPort(remote); err == nil {
		bits := 32
		if parsed.Addr().Unmap().Is6() {
			bits = 64 // one customer's
		}
		if prefix, err := parsed.Addr().Unmap().Prefix(bits); err == nil {
			from = prefix.String()
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	// Each is asked, so that none is spared by another's refusal.
	pair := a.take(a.pairs[:], account+"\x00"+from, 5, 12*time.Second, now)
	address := a.take(a.address[:], from, 20, 6*time.Second, now)
	total := a.take(a.accounts[:], account, 50, 2*time.Second, now)
	return pair && address && total
}

func (a *attempts) take(from []*rate.Limiter, key string, burst int, every time.Duration, now time.Time) bool {
	i := maphash.String(a.seed, key) % uint64(len(from))
	if from[i] == nil {
		from[i] = rate.NewLimiter(rate.Every(every), burst)
	}
	return from[i].AllowN(now, 1)
}

// compare runs a comparison when few others run.
func (a *attempts) compare(matches func() bool) bool {
	a.comparer <- struct{}{}
	defer func() { <-a.comparer }()
	return matches()
}
