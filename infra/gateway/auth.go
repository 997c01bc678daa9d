package gateway

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

const (
	// authMemory is how long an answer about a password is believed. A password check costs some 50 ms of a processor and
	// tens of megabytes by intent, and tools send it with every call.
	authMemory = 5 * time.Second

	authTries  = 1  // per second and address, beside those that are remembered
	authBurst  = 10 // at once
	authAtOnce = 2  // of all addresses
	authKept   = 4096
)

type authenticator struct {
	ask    func(ctx context.Context, user, password string) bool
	now    func() time.Time
	key    []byte // remembered passwords can be guessed by nobody who reads our memory later
	atOnce *semaphore.Weighted

	mu       sync.Mutex
	answers  map[[sha256.Size]byte]authAnswer
	limiters map[string]*rate.Limiter // by client address
}

type authAnswer struct {
	ok    bool
	until time.Time
}

func newAuthenticator(ask func(context.Context, string, string) bool, now func() time.Time) *authenticator {
	return &authenticator{
		ask: ask, now: now, key: []byte(rand.Text()), atOnce: semaphore.NewWeighted(authAtOnce),
		answers: make(map[[sha256.Size]byte]authAnswer), limiters: make(map[string]*rate.Limiter),
	}
}

// authenticated lets in who knows a user's password.
func (g *Gateway) authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		ok, known := g.auth.check(r.Context(), r.Header.Get("X-Forwarded-For"), user, password)
		switch {
		case ok:
			r.Body = http.MaxBytesReader(w, r.Body, 2<<20)
			next.ServeHTTP(w, r)
		case !known:
			w.Header().Set("Retry-After", "1")
			problem(w, http.StatusTooManyRequests, "too many attempts to log in")
		default:
			w.Header().Set("WWW-Authenticate", `Basic realm="castor"`)
			problem(w, http.StatusUnauthorized, "user or password is wrong")
		}
	})
}

// check tells whether the password is right; known is false if it could not be looked at.
func (a *authenticator) check(ctx context.Context, address, user, password string) (ok, known bool) {
	if a.ask == nil || user == "" || len(user) > 256 || len(password) > 1024 {
		return false, true
	}
	sum := a.sum(user, password)
	if ok, known := a.remembered(sum); known {
		return ok, true
	}
	if !a.limiter(address).AllowN(a.now(), 1) || a.atOnce.Acquire(ctx, 1) != nil {
		return false, false
	}
	defer a.atOnce.Release(1)
	if ok, known := a.remembered(sum); known { // somebody asked the same while we waited
		return ok, true
	}
	ok = a.ask(ctx, user, password)
	if ctx.Err() != nil {
		return ok, ok // a refusal may be that of the context
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.answers) >= authKept {
		clear(a.answers)
	}
	a.answers[sum] = authAnswer{ok, a.now().Add(authMemory)}
	return ok, true
}

func (a *authenticator) sum(user, password string) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, a.key)
	h.Write([]byte(user + "\x00" + password)) // a header cannot have a zero, so no two pairs are the same text
	return [sha256.Size]byte(h.Sum(nil))
}

func (a *authenticator) remembered(sum [sha256.Size]byte) (ok, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	answer, known := a.answers[sum]
	if !known || !a.now().Before(answer.until) {
		return false, false
	}
	return answer.ok, true
}

func (a *authenticator) limiter(address string) *rate.Limiter {
	a.mu.Lock()
	defer a.mu.Unlock()
	l, ok := a.limiters[address]
	if !ok {
		if len(a.limiters) >= authKept {
			clear(a.limiters)
		}
		l = rate.NewLimiter(authTries, authBurst)
		a.limiters[address] = l
	}
	return l
}
