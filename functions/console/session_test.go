package console_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/console"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/tests/functiontest"
)

const session = "/function/console/session"

// page is the value of a page; its cookies are tokenName and refreshName.
var (
	page        = strings.Repeat("p", 42) + "A"
	id          = fmt.Sprintf("%x", sha256.Sum256([]byte(page)))[:16]
	tokenName   = "castor-token-" + id
	refreshName = "castor-refresh-" + id
)

var ours = []string{"X-Castor-Console", page, "Sec-Fetch-Site", "same-origin"}

func (w *world) signIn(name, password string, header ...string) answer {
	w.t.Helper()
	return w.call("POST", session, fmt.Sprintf(`{"name":%q,"password":%q}`, name, password), append(append([]string{"Content-Type", "application/json"}, ours...), header...)...)
}

// with are the headers of our page with these cookies, as a browser sends them.
func with(cookies ...*http.Cookie) []string {
	var all []string
	for _, c := range cookies {
		all = append(all, c.Name+"="+c.Value)
	}
	return append([]string{"Cookie", strings.Join(all, "; ")}, ours...)
}

func TestSession(t *testing.T) {
	each(t, built(), func(t *testing.T, w *world) {
		w.User("ada", []access.Role{access.Owner}, "plant")
		in := w.signIn("ada", functiontest.Password)
		token, refresh := in.cookie(t, tokenName), in.cookie(t, refreshName)
		var begun api.Session
		in.json(t, &begun)
		if in.StatusCode != 200 || begun.User.ID != "ada" || begun.Expires.Sub(w.Now()) < 14*time.Minute {
			t.Fatalf("%d %s", in.StatusCode, in.body)
		}
		if !token.HttpOnly || token.SameSite != http.SameSiteStrictMode || token.Path != "/" || token.Secure || token.MaxAge < 800 || token.MaxAge > 900 {
			t.Errorf("cookie %+v", token)
		}
		if !refresh.HttpOnly || refresh.SameSite != http.SameSiteStrictMode || refresh.Path != session || refresh.Secure || refresh.MaxAge != 30*24*3600 {
			t.Errorf("cookie %+v", refresh)
		}
		if strings.Contains(string(in.body), token.Value) || strings.Contains(string(in.body), refresh.Value) {
			t.Error("a token is where scripts can read it")
		}

		shown := w.call("GET", session, "", with(token)...)
		var now api.Session
		shown.json(t, &now)
		if shown.StatusCode != 200 || now.User.ID != "ada" || !now.Expires.Equal(begun.Expires) {
			t.Errorf("%d %s, want until %s", shown.StatusCode, shown.body, begun.Expires)
		}
		// Every function takes the cookie.
		if me := w.call("GET", "/function/users/me", "", with(token)...); me.StatusCode != 200 || !strings.Contains(string(me.body), `"ada"`) {
			t.Errorf("another function: %d %s", me.StatusCode, me.body)
		}
		if a := w.call("GET", "/function/users/me", "", "Cookie", tokenName+"="+token.Value); a.StatusCode != 401 || !strings.Contains(string(a.body), "X-Castor-Console") {
			t.Errorf("without the header: %d %s", a.StatusCode, a.body)
		}

		again := w.call("POST", session+"/refresh", "", with(refresh)...)
		next := again.cookie(t, refreshName)
		if again.StatusCode != 200 || next.Value == refresh.Value || again.cookie(t, tokenName).Value == token.Value {
			t.Errorf("%d %s", again.StatusCode, again.body)
		}

		out := w.call("DELETE", session, "", with(token, next)...)
		if out.StatusCode != 204 || out.cookie(t, tokenName).MaxAge != -1 || out.cookie(t, refreshName).MaxAge != -1 || out.cookie(t, refreshName).Path != session {
			t.Errorf("%d %v", out.StatusCode, out.Cookies())
		}
		gone := w.call("POST", session+"/refresh", "", with(next)...)
		if gone.StatusCode != 401 || gone.cookie(t, tokenName).MaxAge != -1 || gone.cookie(t, refreshName).MaxAge != -1 || gone.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("after signing out: %d %s %v", gone.StatusCode, gone.body, gone.Header)
		}
		if a := w.call("DELETE", session, "", ours...); a.StatusCode != 204 {
			t.Errorf("signing out again: %d", a.StatusCode)
		}
	})
}

// Cookies that came by HTTPS never go by HTTP.
func TestSecureCookies(t *testing.T) {
	each(t, built(), func(t *testing.T, w *world) {
		a := w.callAt(w.URL, "POST", session, fmt.Sprintf(`{"name":%q,"password":%q}`, functiontest.Admin, functiontest.Password),
			append([]string{"Content-Type", "application/json", "X-Forwarded-Proto", "https"}, ours...)...)
		for _, c := range a.Cookies() {
			if !c.Secure {
				t.Errorf("%+v", c)
			}
		}
		if len(a.Cookies()) != 2 {
			t.Errorf("%v", a.Header)
		}
		// What a caller says of its own connection does not count at the gateway.
		if a := w.signIn(functiontest.Admin, functiontest.Password, "X-Forwarded-Proto", "https"); a.cookie(t, tokenName).Secure {
			t.Error("a browser would drop the cookie")
		}
	})
}

// No other page signs its visitors in or out, and none learns anything.
func TestCallsOfOtherPages(t *testing.T) {
	each(t, built(), func(t *testing.T, w *world) {
		good := fmt.Sprintf(`{"name":%q,"password":%q}`, functiontest.Admin, functiontest.Password)
		in := w.signIn(functiontest.Admin, functiontest.Password)
		cookies := fmt.Sprintf("%s=%s; %s=%s", tokenName, in.cookie(t, tokenName).Value, refreshName, in.cookie(t, refreshName).Value)
		for name, c := range map[string]struct {
			method, path, body string
			header             []string
			status             int
		}{
			"a form":                     {"POST", session, good, []string{"Content-Type", "text/plain", "X-Castor-Console", page}, 415},
			"a form's own type":          {"POST", session, "name=admin", []string{"Content-Type", "application/x-www-form-urlencoded", "X-Castor-Console", page}, 415},
			"no type":                    {"POST", session, good, []string{"X-Castor-Console", page}, 415},
			"another JSON":               {"POST", session, good, []string{"Content-Type", "application/merge-patch+json", "X-Castor-Console", page}, 415},
			"JSON without the header":    {"POST", session, good, []string{"Content-Type", "application/json"}, 403},
			"JSON of another site":       {"POST", session, good, []string{"Content-Type", "application/json", "X-Castor-Console", page, "Sec-Fetch-Site", "cross-site"}, 403},
			"refresh without the header": {"POST", session + "/refresh", "", nil, 403},
			"refresh of another host":    {"POST", session + "/refresh", "", []string{"X-Castor-Console", page, "Sec-Fetch-Site", "same-site"}, 403},
			"sign-out":                   {"DELETE", session, "", nil, 403},
			"sign-out of another site":   {"DELETE", session, "", []string{"X-Castor-Console", page, "Sec-Fetch-Site", "cross-site"}, 403},
			"a question":                 {"GET", "/function/users/me", "", nil, 401},
			"a question first":           {"OPTIONS", session, "", []string{"Origin", "https://evil.example", "Access-Control-Request-Headers", "x-castor-console"}, 405},
		} {
			a := w.call(c.method, c.path, c.body, append([]string{"Cookie", cookies}, c.header...)...)
			if a.StatusCode != c.status || len(a.Cookies()) > 0 || a.Header.Get("Access-Control-Allow-Origin") != "" || !strings.Contains(string(a.body), "detail") {
				t.Errorf("%s: %d %s %v, want %d", name, a.StatusCode, a.body, a.Header, c.status)
			}
		}
		if a := w.call("POST", session+"/refresh", "", with(in.cookie(t, refreshName))...); a.StatusCode != 200 {
			t.Errorf("the session suffered: %d %s", a.StatusCode, a.body)
		}
	})
}

func TestSignInRefused(t *testing.T) {
	each(t, built(), func(t *testing.T, w *world) {
		for name, c := range map[string]struct {
			body   string
			status int
		}{
			"wrong password":   {`{"name":"admin","password":"wrong"}`, 401},
			"unknown name":     {`{"name":"eve","password":"wrong"}`, 401},
			"hostile name":     {`{"name":"../<script>","password":"wrong"}`, 401},
			"an unknown field": {`{"name":"admin","password":"x","role":"maintainer"}`, 400},
			"nothing":          {``, 400},
		} {
			a := w.call("POST", session, c.body, append([]string{"Content-Type", "application/json"}, ours...)...)
			if a.StatusCode != c.status || len(a.Cookies()) > 0 {
				t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
			}
		}
		for name, cookie := range map[string]string{"rubbish": refreshName + "=rubbish", "unknown": refreshName + "=" + strings.Repeat("A", 22) + "." + strings.Repeat("A", 43),
			"hostile": refreshName + "=<>", "two": refreshName + "=a; " + refreshName + "=b", "large": refreshName + "=" + strings.Repeat("a", 30<<10)} {
			a := w.call("POST", session+"/refresh", "", append([]string{"Cookie", cookie}, ours...)...)
			if a.StatusCode != 401 || a.cookie(t, tokenName).MaxAge != -1 || a.cookie(t, refreshName).MaxAge != -1 {
				t.Errorf("refresh with %s: %d %s %v", name, a.StatusCode, a.body, a.Cookies())
			}
		}
		// Who comes for the first time asks too: no fault, nothing to clear.
		for _, c := range [][2]string{{"GET", session}, {"POST", session + "/refresh"}} {
			if a := w.call(c[0], c[1], "", ours...); a.StatusCode != 204 || len(a.Cookies()) > 0 {
				t.Errorf("%s %s of nobody: %d %s", c[0], c[1], a.StatusCode, a.body)
			}
		}
		// What no gateway takes needs no bound of ours.
		if a := w.call("GET", session, "", append([]string{"Cookie", strings.Repeat("a=b; ", 500<<10)}, ours...)...); a.StatusCode != 431 {
			t.Errorf("a header of 2.5 MB: %d", a.StatusCode)
		}
	})
}

// Two pages of one browser wake up at once; the one whose answer comes last decides what the browser has.
func TestTwoPagesRefreshAtOnce(t *testing.T) {
	each(t, built(), func(t *testing.T, w *world) {
		old := w.signIn(functiontest.Admin, functiontest.Password).cookie(t, refreshName)
		answers := make([]answer, 4)
		var g sync.WaitGroup
		for i := range answers {
			g.Go(func() { answers[i] = w.call("POST", session+"/refresh", "", with(old)...) })
		}
		g.Wait()
		for _, a := range answers {
			if a.StatusCode != 200 || a.cookie(t, refreshName).Value != answers[0].cookie(t, refreshName).Value {
				t.Fatalf("%d %s %v", a.StatusCode, a.body, a.Cookies())
			}
		}
		w.SetTime(w.Now().Add(20 * time.Minute))
		last := answers[3]
		if a := w.call("GET", session, "", with(last.cookie(t, tokenName))...); a.StatusCode != 204 {
			t.Errorf("after 20 minutes: %d", a.StatusCode)
		}
		if a := w.call("POST", session+"/refresh", "", with(last.cookie(t, refreshName))...); a.StatusCode != 200 {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
		// A copy of the first one, shown now, ends the session for all.
		if a := w.call("POST", session+"/refresh", "", with(old)...); a.StatusCode != 401 {
			t.Errorf("an old one: %d", a.StatusCode)
		}
	})
}

// Cookies know no port: another server on the host gets them all, and sets its own.
func TestAnotherServerOnTheHost(t *testing.T) {
	each(t, built(), func(t *testing.T, w *world) {
		w.User("eve", []access.Role{access.Owner})
		theirs := strings.Repeat("q", 42) + "A" // what a page of theirs may send
		in := w.signIn(functiontest.Admin, functiontest.Password)
		token, refresh := in.cookie(t, tokenName), in.cookie(t, refreshName)

		// What it got it can use in no way, whatever it calls itself, nor end.
		renamed := func(c *http.Cookie, kind string) string {
			return fmt.Sprintf("%s-%s=%s", kind, fmt.Sprintf("%x", sha256.Sum256([]byte(theirs)))[:16], c.Value)
		}
		for name, c := range map[string]struct {
			method, path, body string
			header             []string
			status             int
		}{
			"as Authorization":                {"GET", "/function/users/me", "", []string{"Authorization", "Bearer " + token.Value}, 401},
			"as its own Authorization":        {"GET", "/function/users/me", "", []string{"Authorization", "Bearer " + token.Value, "X-Castor-Console", theirs}, 401},
			"as a cookie":                     {"GET", "/function/users/me", "", []string{"Cookie", renamed(token, "castor-token"), "X-Castor-Console", theirs}, 401},
			"as the cookie":                   {"GET", "/function/users/me", "", []string{"Cookie", tokenName + "=" + token.Value, "X-Castor-Console", theirs}, 401},
			"renewed as a cookie":             {"POST", session + "/refresh", "", []string{"Cookie", renamed(refresh, "castor-refresh"), "X-Castor-Console", theirs}, 401},
			"renewed by function users":       {"POST", "/function/users/refresh", fmt.Sprintf(`{"refresh":%q}`, refresh.Value), []string{"Content-Type", "application/json"}, 401},
			"renewed as its own":              {"POST", "/function/users/refresh", fmt.Sprintf(`{"refresh":%q,"bound":%q}`, refresh.Value, theirs), []string{"Content-Type", "application/json"}, 401},
			"a guess that would end it":       {"POST", "/function/users/refresh", fmt.Sprintf(`{"refresh":"%s.%s"}`, refresh.Value[:22], strings.Repeat("A", 43)), []string{"Content-Type", "application/json"}, 401},
			"ended by function users":         {"POST", "/function/users/logout", fmt.Sprintf(`{"refresh":%q}`, refresh.Value), []string{"Content-Type", "application/json"}, 401},
			"ended by the console":            {"DELETE", session, "", []string{"Cookie", renamed(refresh, "castor-refresh"), "X-Castor-Console", theirs}, 409},
			"bound to what is no page's word": {"POST", "/function/users/login", `{"name":"eve","password":"x","bound":"1"}`, []string{"Content-Type", "application/json"}, 400},
		} {
			if a := w.call(c.method, c.path, c.body, c.header...); a.StatusCode != c.status {
				t.Errorf("%s: %d %s, want %d", name, a.StatusCode, a.body, c.status)
			}
		}
		if a := w.call("GET", session, "", with(token)...); a.StatusCode != 200 {
			t.Errorf("the session suffered: %d %s", a.StatusCode, a.body)
		}

		// What it plants under the same names, for longer paths and so in front, keeps nobody out, nor makes anybody another person.
		its := w.call("POST", session, fmt.Sprintf(`{"name":"eve","password":%q}`, functiontest.Password), "Content-Type", "application/json", "X-Castor-Console", theirs)
		eve := its.Cookies()
		planted := func(name string) []*http.Cookie {
			return []*http.Cookie{{Name: name, Value: "rubbish"}, {Name: name, Value: eve[0].Value}, {Name: name, Value: eve[1].Value}}
		}
		a := w.call("GET", session, "", with(append(planted(tokenName), token)...)...)
		if a.StatusCode != 200 || !strings.Contains(string(a.body), `"admin"`) {
			t.Errorf("with planted cookies: %d %s", a.StatusCode, a.body)
		}
		a = w.call("POST", session+"/refresh", "", with(append(planted(refreshName), refresh)...)...)
		if a.StatusCode != 200 || !strings.Contains(string(a.body), `"admin"`) {
			t.Fatalf("renewed with planted cookies: %d %s", a.StatusCode, a.body)
		}
		refresh = a.cookie(t, refreshName)

		// Where only planted ones are left, signing out says that it ended nothing; else it ends the session among them.
		a = w.call("DELETE", session, "", with(planted(refreshName)...)...)
		if a.StatusCode != 409 || a.cookie(t, refreshName).MaxAge != -1 || !strings.Contains(string(a.body), "could not be ended") {
			t.Errorf("signed out with planted cookies only: %d %s", a.StatusCode, a.body)
		}
		if a = w.call("DELETE", session, "", with(append(planted(refreshName), refresh)...)...); a.StatusCode != 204 {
			t.Errorf("signed out: %d %s", a.StatusCode, a.body)
		}
		if a = w.call("POST", session+"/refresh", "", with(refresh)...); a.StatusCode != 401 {
			t.Errorf("it goes on: %d %s", a.StatusCode, a.body)
		}
	})
}

// Who signs in is throttled by the person's own address, which the gateway tells, not by the console's.
func TestThrottledByThePersonsAddress(t *testing.T) {
	w := &world{World: functiontest.New(t, functiontest.Functions{"console": func(p *platform.Platform) faas.Func { return console.Serve(p, built()) }}), t: t}
	w.SetTime(w.Now())
	fail := func(i int, from string) int {
		return w.callAt(w.URL, "POST", session, fmt.Sprintf(`{"name":"nobody-%d","password":"wrong"}`, i),
			append([]string{"Content-Type", "application/json", "X-Forwarded-For", fmt.Sprintf("10.0.0.%d, %s", i%250, from), "X-Castor-Client", fmt.Sprint("10.0.1.", i%250)}, ours...)...).StatusCode
	}
	status := 0
	for i := 0; i < 120 && status != http.StatusTooManyRequests; i++ {
		if status = fail(i, "203.0.113.7"); status != 401 && status != 429 {
			t.Fatalf("failure %d: %d", i, status)
		}
		if i < 99 && status == 429 {
			t.Fatalf("throttled after %d: failures count twice", i)
		}
	}
	if status != http.StatusTooManyRequests {
		t.Error("120 failures from one address are borne")
	}
	if status := fail(500, "203.0.113.8"); status != 401 {
		t.Errorf("from another address: %d", status)
	}
}

// Tokens are in no log and no audit record.
func TestTokensAreNotLogged(t *testing.T) {
	var mu sync.Mutex
	var log bytes.Buffer
	w := &world{World: functiontest.New(t, nil), t: t}
	w.Base.Log = slog.New(slog.NewTextHandler(writer(func(b []byte) { mu.Lock(); log.Write(b); mu.Unlock() }), &slog.HandlerOptions{Level: slog.LevelDebug}))
	audited := w.Collect(event.Audit)
	w.Add("console", func(p *platform.Platform) faas.Func { return console.Serve(p, built()) })
	w.url = w.URL
	in := w.signIn(functiontest.Admin, functiontest.Password)
	token, refresh := in.cookie(t, tokenName), in.cookie(t, refreshName)
	w.call("GET", session, "", with(token, refresh)...)
	w.call("GET", "/function/console/twins", "", with(token, refresh)...)
	next := w.call("POST", session+"/refresh", "", with(token, refresh)...).cookie(t, refreshName)
	w.call("DELETE", session, "", with(token, next)...)
	w.call("POST", session+"/refresh", "", with(token, next)...)
	functiontest.Eventually(t, "signing in and out is audited", func() bool { return len(audited()) >= 2 })
	text := ""
	for _, e := range audited() {
		text += string(e.Data)
	}
	mu.Lock()
	text += log.String()
	mu.Unlock()
	for _, secret := range []string{token.Value, refresh.Value, next.Value, functiontest.Password} {
		if secret = secret[strings.LastIndexByte(secret, '.')+1:]; strings.Contains(text, secret) {
			t.Errorf("%.12s… is in the log", secret)
		}
	}
	if !strings.Contains(text, "user:admin") {
		t.Errorf("the log does not say who signed in: %s", text)
	}
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) { w(b); return len(b), nil }
