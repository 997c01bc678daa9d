package trace_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/trace"
)

const id = "4bf92f3577b34da6a3ce929d0e0e4736"

func TestFromHeader(t *testing.T) {
	for name, c := range map[string]struct{ parent, call, want string }{
		"a traceparent":                       {"00-" + id + "-00f067aa0ba902b7-01", "", id},
		"a traceparent goes before a call id": {"00-" + id + "-00f067aa0ba902b7-01", "mine", id},
		"one of a later version, with more":   {"01-" + id + "-00f067aa0ba902b7-01-more", "", id},
		"no version":                          {"ff-" + id + "-00f067aa0ba902b7-01", "mine", "mine"},
		"no trace at all":                     {"00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", "mine", "mine"},
		"upper case":                          {"00-" + strings.ToUpper(id) + "-00f067aa0ba902b7-01", "", ""},
		"a call id":                           {"", "mine", "mine"},
		"a call id with a line break":         {"", "mine\nlevel=ERROR", ""},
		"a long call id":                      {"", strings.Repeat("x", 65), ""},
		"nothing":                             {"", "", ""},
	} {
		h := http.Header{}
		h.Set(trace.Parent, c.parent)
		h.Set(trace.CallID, c.call)
		if got := trace.FromHeader(h); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestSetHeader(t *testing.T) {
	h := http.Header{}
	trace.SetHeader(h, id)
	if trace.FromHeader(h) != id || h.Get(trace.CallID) != id || !regexp.MustCompile("^00-"+id+"-[0-9a-f]{16}-01$").MatchString(h.Get(trace.Parent)) {
		t.Errorf("the headers are %v", h)
	}
	trace.SetHeader(h, "mine") // which must not be contradicted by what was there
	if trace.FromHeader(h) != "mine" {
		t.Errorf("the headers are %v", h)
	}
	if a, b := trace.New(), trace.New(); a == b || len(a) != 32 {
		t.Errorf("new ids are %q and %q", a, b)
	}
}

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	l := trace.Logger(trace.Logger(slog.New(slog.NewTextHandler(&out, nil))))
	ctx := trace.With(t.Context(), id)
	l.With("gateway", "g").InfoContext(ctx, "one")
	if got := out.String(); strings.Count(got, "trace="+id) != 1 || !strings.Contains(got, "gateway=g") {
		t.Errorf("the line is %q", got)
	}
	out.Reset()
	l.InfoContext(trace.With(context.Background(), ""), "two")
	if strings.Contains(out.String(), "trace") {
		t.Errorf("the line is %q", out.String())
	}
}
