package stream

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/tests/functiontest"
	"github.com/castor-iot/castor/tests/sse"
)

// Who signed in at the console, and is no maintainer, hears what its groups have: what is asked as that person carries its page.
func TestAnOwnerAtTheConsole(t *testing.T) {
	w := newWorld(t)
	w.owner("plant")
	page := strings.Repeat("p", 42) + "A"
	tok, err := w.Nobody().Login(context.Background(), api.Login{Name: "plant-owner", Password: functiontest.Password, Bound: page})
	must(t, err)
	h := http.Header{faas.HeaderConsole: {page}}
	name, err := faas.CookieOf(h, faas.CookieToken)
	must(t, err)
	h.Set("Cookie", name+"="+tok.Access)
	s, status := sse.Open(t, http.DefaultClient, w.replica().url, h)
	if s == nil {
		t.Fatalf("status %d", status)
	}
	s.Until("hello", nil)
	want := w.raise("pump-1", "plant")
	if got := alarmOf(s.Until("alarm", nil)); got != want {
		t.Errorf("heard %s, want %s", got, want)
	}
}
