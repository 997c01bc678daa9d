package faas_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/tests/functiontest"
)

// Two pages' values, and the names of their cookies.
var (
	page, otherPage = strings.Repeat("p", 42) + "A", strings.Repeat("q", 42) + "A"
	own, other      = cookieOf(page), cookieOf(otherPage)
)

func cookieOf(page string) string {
	sum := sha256.Sum256([]byte(page))
	return fmt.Sprintf("castor-token-%x", sum[:8])
}

// boundToken is the access token of somebody who signed in at a page.
func boundToken(t *testing.T, w *functiontest.World, name, page string) string {
	t.Helper()
	tok, err := w.Nobody().Login(context.Background(), api.Login{Name: name, Password: functiontest.Password, Bound: page})
	if err != nil {
		t.Fatal(err)
	}
	return tok.Access
}

// A cookie signs in only where no page of another origin can have sent it.
func TestCookieOfTheConsole(t *testing.T) {
	w := start(t)
	ada := strings.TrimPrefix(bearer(t, w.User("ada", []access.Role{access.Owner})), "Bearer ")
	eve := strings.TrimPrefix(bearer(t, w.User("eve", []access.Role{access.Owner})), "Bearer ")
	of := func(name, page string) string { return boundToken(t, w, name, page) }
	adas, eves, mallorys := of("ada", page), of("eve", page), of("eve", otherPage)
	part := strings.TrimPrefix(bearer(t, w.Part("twins", "")), "Bearer ")
	refused := func(why string) (int, string) { return http.StatusUnauthorized, why }
	accepted := func(token string) (int, string) { return http.StatusOK, token }
	type answer struct {
		status int
		says   string
	}
	is := func(status int, says string) answer { return answer{status, says} }
	for name, c := range map[string]struct {
		header []string
		want   answer
	}{
		"with the header":                  {[]string{"Cookie", own + "=" + adas, "X-Castor-Console", page}, is(accepted(adas))},
		"from our own page":                {[]string{"Cookie", own + "=" + adas, "X-Castor-Console", page, "Sec-Fetch-Site", "same-origin"}, is(accepted(adas))},
		"from the address bar":             {[]string{"Cookie", own + "=" + adas, "X-Castor-Console", page, "Sec-Fetch-Site", "none"}, is(accepted(adas))},
		"among others":                     {[]string{"Cookie", "a=b; " + own + "=" + adas + "; castor-token=x;;=; c", "X-Castor-Console", page}, is(accepted(adas))},
		"among another console's":          {[]string{"Cookie", other + "=" + mallorys + "; " + own + "=" + adas, "X-Castor-Console", page}, is(accepted(adas))},
		"twice the same":                   {[]string{"Cookie", own + "=" + adas + "; " + own + "=" + adas, "X-Castor-Console", page}, is(accepted(adas))},
		"Authorization goes above it":      {[]string{"Cookie", own + "=" + adas, "X-Castor-Console", page, "Authorization", "Bearer " + eve}, is(accepted(eve))},
		"a bad Authorization too":          {[]string{"Cookie", own + "=" + adas, "X-Castor-Console", page, "Authorization", "Bearer x"}, is(refused("not good"))},
		"an empty Authorization too":       {[]string{"Cookie", own + "=" + adas, "X-Castor-Console", page, "Authorization", ""}, is(refused("send a token"))},
		"no cookie":                        {[]string{"X-Castor-Console", page}, is(refused("send a token"))},
		"an empty one":                     {[]string{"Cookie", own + "=", "X-Castor-Console", page}, is(refused("not one that signing in gave"))},
		"without the header":               {[]string{"Cookie", own + "=" + adas}, is(refused("X-Castor-Console"))},
		"with another header":              {[]string{"Cookie", own + "=" + adas, "X-Castor-Console", "1"}, is(refused("43 characters"))},
		"with the header of another page":  {[]string{"Cookie", own + "=" + adas, "X-Castor-Console", otherPage}, is(refused("send a token"))},
		"under the name of another page":   {[]string{"Cookie", other + "=" + adas, "X-Castor-Console", otherPage}, is(refused("of a page of the console"))},
		"stolen and sent as Authorization": {[]string{"Authorization", "Bearer " + adas}, is(refused("of a page of the console"))},
		"the same with another page":       {[]string{"Authorization", "Bearer " + adas, "X-Castor-Console", otherPage}, is(refused("of a page of the console"))},
		"the same with the page":           {[]string{"Authorization", "Bearer " + adas, "X-Castor-Console", page}, is(accepted(adas))},
		"bound to no page":                 {[]string{"Cookie", own + "=" + ada, "X-Castor-Console", page}, is(refused("at this page"))},
		"from another site":                {[]string{"Cookie", own + "=" + adas, "X-Castor-Console", page, "Sec-Fetch-Site", "cross-site"}, is(refused("another origin"))},
		"from a neighbouring host":         {[]string{"Cookie", own + "=" + adas, "X-Castor-Console", page, "Sec-Fetch-Site", "same-site"}, is(refused("another origin"))},
		"behind planted ones": {[]string{"Cookie", own + "=" + mallorys + "; " + own + "=<script>; " + own + "=" + eve + "; " + own + "=a.b.c; " + own + "=" + adas, "X-Castor-Console", page},
			is(accepted(adas))},
		"behind more than are looked at": {[]string{"Cookie", own + "=a.b.c; " + own + "=a.b.d; " + own + "=a.b.e; " + own + "=a.b.f; " + own + "=" + adas, "X-Castor-Console", page},
			is(refused("not good"))},
		"two that count":          {[]string{"Cookie", own + "=" + eves + "; " + own + "=" + adas, "X-Castor-Console", page}, is(accepted(eves))},
		"in quotes":               {[]string{"Cookie", own + `="` + adas + `"`, "X-Castor-Console", page}, is(refused("not one that signing in gave"))},
		"rubbish":                 {[]string{"Cookie", own + "=<script>", "X-Castor-Console", page}, is(refused("not one that signing in gave"))},
		"of the right form":       {[]string{"Cookie", own + "=a.b.c", "X-Castor-Console", page}, is(refused("not good"))},
		"of 100 KB":               {[]string{"Cookie", own + "=" + strings.Repeat("a", 100<<10), "X-Castor-Console", page}, is(refused("not one that signing in gave"))},
		"behind 100 KB of others": {[]string{"Cookie", strings.Repeat("a=b; ", 20<<10) + own + "=" + adas, "X-Castor-Console", page}, is(accepted(adas))},
		"a part's token":          {[]string{"Cookie", own + "=" + part, "X-Castor-Console", page}, is(refused("user's token"))},
	} {
		resp, body := do(t, w, "GET", "/users", "", c.header...)
		if resp.StatusCode != c.want.status || !strings.Contains(body, c.want.says) {
			t.Errorf("%s: %d %.300s, want %d with %.40q", name, resp.StatusCode, body, c.want.status, c.want.says)
		}
	}
}

// What a caller adds beside the cookie speaks for nobody else.
func TestCookieIsTheWholeSignIn(t *testing.T) {
	w := start(t)
	w.User("ada", []access.Role{access.Owner})
	ada := boundToken(t, w, "ada", page)
	admin := strings.TrimPrefix(bearer(t, w.Admin()), "Bearer ")
	h := http.Header{"Cookie": {own + "=" + ada}, "X-Castor-Console": {page}, "X-Castor-For": {admin}}
	c, token, err := faas.Authenticate(context.Background(), w.Platform("probe"), h)
	if err != nil || c.String() != "user:ada" || c.For != nil || token != ada || !c.Expires.After(w.Now()) {
		t.Errorf("%s until %s, %v", c, c.Expires, err)
	}
	if _, _, err := faas.Authenticate(context.Background(), w.Platform("probe"), http.Header{"Cookie": {own + "=" + ada}}); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("without the header: %v", err)
	}
}

func FuzzCookies(f *testing.F) {
	for _, s := range []string{"", own + "=a", own + "=a; " + own + "=b", ";;=;" + own, own + " = a", own + "=a=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		all, err := faas.Cookies(http.Header{"Cookie": {line}, "X-Castor-Console": {page}}, faas.CookieToken)
		if err != nil && (len(all) > 0 || !errors.Is(err, access.ErrUnauthenticated)) || len(all) > 4 {
			t.Errorf("%q: %q, %v", line, all, err)
		}
		for _, v := range all {
			if !strings.Contains(line, fmt.Sprintf("%s=%s", own, v)) {
				t.Errorf("%q: %q", line, v)
			}
		}
	})
}
