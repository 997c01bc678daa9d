package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// A Hook is somebody's webhook receiver.
type Hook struct {
	URL string

	mu    sync.Mutex
	calls []HookCall
}

// A HookCall is one call it got.
type HookCall struct {
	Header http.Header
	Body   []byte
}

// NewHook starts a receiver on a free port.
func NewHook(t *testing.T) *Hook {
	h := &Hook{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.calls = append(h.calls, HookCall{r.Header.Clone(), b})
	}))
	t.Cleanup(s.Close)
	h.URL = s.URL
	return h
}

// Calls are the calls so far.
func (h *Hook) Calls() []HookCall {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]HookCall(nil), h.calls...)
}

// SignedBy checks the signature as a receiver would: "t=UNIX,v1=HEX" over UNIX "." body.
func (c HookCall) SignedBy(secret string) bool {
	stamp, sum, ok := strings.Cut(strings.TrimPrefix(c.Header.Get("X-Castor-Signature"), "t="), ",v1=")
	if !ok || secret == "" {
		return false
	}
	m := hmac.New(sha256.New, []byte(secret))
	io.WriteString(m, stamp+".")
	m.Write(c.Body)
	return sum == hex.EncodeToString(m.Sum(nil))
}
