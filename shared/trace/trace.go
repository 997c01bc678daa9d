// Package trace is the one id that follows what happens through all processes: it lives in a context, travels in headers, and
// is in every line that is logged on the way. It measures nothing and sends nothing anywhere.
package trace

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
)

// Headers that carry the id. Parent is that of W3C Trace Context, which other programs know; CallID is OpenFaaS' own.
const (
	Parent = "Traceparent"
	CallID = "X-Call-Id"
)

// Key is the attribute of log lines that has the id.
const Key = "trace"

type key struct{}

// New returns an id that nobody has: 32 hexadecimal digits, as W3C Trace Context has them.
func New() string { return random(16) }

func random(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}

// With returns a context of what belongs to id; "" changes nothing.
func With(ctx context.Context, id string) context.Context {
	if id == "" {
		return ctx
	}
	return context.WithValue(ctx, key{}, id)
}

// Of returns the id that With set, "" if nothing.
func Of(ctx context.Context) string {
	id, _ := ctx.Value(key{}).(string)
	return id
}

var (
	validID  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	parentID = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$`)
	traceID  = regexp.MustCompile(`^[0-9a-f]{32}$`)
	none     = strings.Repeat("0", 32)
)

// of32 tells whether id is one that W3C Trace Context can carry.
func of32(id string) bool { return traceID.MatchString(id) && id != none }

// FromHeader returns the id that a request came with: that of traceparent, else of X-Call-Id. It is "" where there is none, or
// where it is not an id: what goes into logs and documents is not any text a caller likes.
func FromHeader(h http.Header) string {
	if p := h.Get(Parent); p != "" && !strings.HasPrefix(p, "ff") { // ff is no version
		if m := parentID.FindStringSubmatch(p); m != nil && m[1] != none {
			return m[1]
		}
	}
	if id := h.Get(CallID); validID.MatchString(id) {
		return id
	}
	return ""
}

// SetHeader has a request carry id. One that W3C Trace Context cannot carry goes by X-Call-Id alone.
func SetHeader(h http.Header, id string) {
	if id == "" {
		return
	}
	h.Set(CallID, id)
	if of32(id) {
		h.Set(Parent, "00-"+id+"-"+random(8)+"-01")
	} else {
		h.Del(Parent)
	}
}

// Logger returns l with the attribute trace in every line whose context has one.
func Logger(l *slog.Logger) *slog.Logger {
	if _, ok := l.Handler().(handler); ok {
		return l
	}
	return slog.New(handler{l.Handler()})
}

// A handler adds the attribute trace.
type handler struct{ slog.Handler }

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if id := Of(ctx); id != "" {
		r = r.Clone()
		r.AddAttrs(slog.String(Key, id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}
func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
