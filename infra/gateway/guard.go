package gateway

import (
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/castor-iot/castor/shared/trace"
)

var validCallID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// guard gives every request an id, puts what only we can know in place of what the client says, and turns a panic into
// an answer.
func (g *Gateway) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header = withoutHops(r.Header) // first, or a client could name our headers as hop-by-hop
		r = r.WithContext(trace.With(r.Context(), follow(r.Header)))
		from, by := g.origin(r)
		r.Header.Set("X-Forwarded-For", from)
		r.Header.Set("X-Forwarded-Host", r.Host)
		r.Header.Set("X-Forwarded-Proto", by)
		for _, name := range []string{"Forwarded", "X-Real-Ip", headerPath} {
			r.Header.Del(name)
		}
		w.Header().Set(trace.CallID, r.Header.Get(trace.CallID))
		w.Header().Set("X-Content-Type-Options", "nosniff")
		defer func() {
			if p := recover(); p != nil {
				g.Log.ErrorContext(r.Context(), "gateway panicked", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				problem(w, http.StatusInternalServerError, "")
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// follow gives a call that came with no id one by which all that it leads to is found in logs. Ids that are none are replaced.
func follow(h http.Header) (id string) {
	id, call := trace.FromHeader(h), h.Get(trace.CallID)
	if id == "" {
		id = trace.New()
	}
	if trace.FromHeader(http.Header{trace.Parent: h.Values(trace.Parent)}) == "" {
		h.Del("Tracestate") // it belonged to the one that was none
		trace.SetHeader(h, id)
	}
	if !validCallID.MatchString(call) {
		call = id
	}
	h.Set(trace.CallID, call)
	return id
}

// hopByHop are headers that concern one connection, not the call (RFC 9110 section 7.6.1).
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

func withoutHops(h http.Header) http.Header {
	h = h.Clone()
	for _, names := range h.Values("Connection") { // it may name further headers of the kind
		for name := range strings.SplitSeq(names, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		h.Del(name)
	}
	return h
}
