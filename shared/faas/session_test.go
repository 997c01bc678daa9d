package faas_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/faas"
)

// A cookie signs in only where no page of another origin can have sent it.
func TestCookieOfTheConsole(t *testing.T) {
	w := start(t)
	ada := strings.TrimPrefix(bearer(t, w.User("ada", []access.Role{access.Owner})), "Bearer ")
	eve := strings.TrimPrefix(bearer(t, w.User("eve", []access.Role{access.Owner})), "Bearer ")
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
		"with the header":             {[]string{"Cookie", "castor-token=" + ada, "X-Castor-Console", "1"}, is(accepted(ada))},
		"from our own page":           {[]string{"Cookie", "castor-token=" + ada, "X-Castor-Console", "1", "Sec-Fetch-Site", "same-origin"}, is(accepted(ada))},
		"from the address bar":        {[]string{"Cookie", "castor-token=" + ada, "X-Castor-Console", "1", "Sec-Fetch-Site", "none"}, is(accepted(ada))},
		"among others":                {[]string{"Cookie", "a=b; castor-token=" + ada + "; castor-tokens=x;;=; c", "X-Castor-Console", "1"}, is(accepted(ada))},
		"twice the same":              {[]string{"Cookie", "castor-token=" + ada + "; castor-token=" + ada, "X-Castor-Console", "1"}, is(accepted(ada))},
		"Authorization goes above it": {[]string{"Cookie", "castor-token=" + ada, "X-Castor-Console", "1", "Authorization", "Bearer " + eve}, is(accepted(eve))},
		"a bad Authorization too":     {[]string{"Cookie", "castor-token=" + ada, "X-Castor-Console", "1", "Authorization", "Bearer x"}, is(refused("not good"))},
		"an empty Authorization too":  {[]string{"Cookie", "castor-token=" + ada, "X-Castor-Console", "1", "Authorization", ""}, is(refused("send a token"))},
		"no cookie":                   {[]string{"X-Castor-Console", "1"}, is(refused("send a token"))},
		"an empty one":                {[]string{"Cookie", "castor-token=", "X-Castor-Console", "1"}, is(refused("send a token"))},
		"without the header":          {[]string{"Cookie", "castor-token=" + ada}, is(refused("X-Castor-Console: 1"))},
		"with another header":         {[]string{"Cookie", "castor-token=" + ada, "X-Castor-Console", "true"}, is(refused("X-Castor-Console: 1"))},
		"from another site":           {[]string{"Cookie", "castor-token=" + ada, "X-Castor-Console", "1", "Sec-Fetch-Site", "cross-site"}, is(refused("another origin"))},
		"from a neighbouring host":    {[]string{"Cookie", "castor-token=" + ada, "X-Castor-Console", "1", "Sec-Fetch-Site", "same-site"}, is(refused("another origin"))},
		"two different ones":          {[]string{"Cookie", "castor-token=" + eve + "; castor-token=" + ada, "X-Castor-Console", "1"}, is(refused("several cookies"))},
		"in quotes":                   {[]string{"Cookie", `castor-token="` + ada + `"`, "X-Castor-Console", "1"}, is(refused("not one that signing in gave"))},
		"rubbish":                     {[]string{"Cookie", "castor-token=<script>", "X-Castor-Console", "1"}, is(refused("not one that signing in gave"))},
		"of the right form":           {[]string{"Cookie", "castor-token=a.b.c", "X-Castor-Console", "1"}, is(refused("not good"))},
		"of 100 KB":                   {[]string{"Cookie", "castor-token=" + strings.Repeat("a", 100<<10), "X-Castor-Console", "1"}, is(refused("not one that signing in gave"))},
		"behind 100 KB of others":     {[]string{"Cookie", strings.Repeat("a=b; ", 20<<10) + "castor-token=" + ada, "X-Castor-Console", "1"}, is(accepted(ada))},
		"a part's token":              {[]string{"Cookie", "castor-token=" + part, "X-Castor-Console", "1"}, is(refused("user's token"))},
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
	ada := strings.TrimPrefix(bearer(t, w.User("ada", []access.Role{access.Owner})), "Bearer ")
	admin := strings.TrimPrefix(bearer(t, w.Admin()), "Bearer ")
	h := http.Header{"Cookie": {"castor-token=" + ada}, "X-Castor-Console": {"1"}, "X-Castor-For": {admin}}
	c, token, err := faas.Authenticate(context.Background(), w.Platform("probe"), h)
	if err != nil || c.String() != "user:ada" || c.For != nil || token != ada || !c.Expires.After(w.Now()) {
		t.Errorf("%s until %s, %v", c, c.Expires, err)
	}
	if _, _, err := faas.Authenticate(context.Background(), w.Platform("probe"), http.Header{"Cookie": {"castor-token=" + ada}}); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("without the header: %v", err)
	}
}

func FuzzCookie(f *testing.F) {
	for _, s := range []string{"", "castor-token=a", "castor-token=a; castor-token=b", ";;=;castor-token", "castor-token = a", "castor-token=a=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		v, err := faas.Cookie(http.Header{"Cookie": {line}}, faas.CookieToken)
		if err != nil && (v != "" || !errors.Is(err, access.ErrUnauthenticated)) || v != "" && !strings.Contains(line, fmt.Sprintf("%s=%s", faas.CookieToken, v)) {
			t.Errorf("%q: %q, %v", line, v, err)
		}
	})
}
