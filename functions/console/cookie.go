package console

import (
	"errors"
	"net/http"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
)

// cookieRefresh begins the name of the cookie that carries the refresh token, to the session's operations only. What carries the
// access token, to all functions, is faas.CookieToken. Both names end with what is the page's: see faas.CookieOf.
const (
	cookieRefresh = "castor-refresh"
	pathRefresh   = "/function/console/session"
)

// refreshKept is how long a browser keeps the refresh token: as long as function users keeps a session that is not used.
const refreshKept = 30 * 24 * time.Hour

// set adds a cookie of the calling page that no script and no page of another site gets, kept for a time; for none or less it is
// removed. Other servers on the same host get it; faas.HeaderConsole is why it is of no use to them.
func set(answer, call http.Header, kind, value string, keep time.Duration) {
	name, err := faas.CookieOf(call, kind)
	if err != nil {
		return // fromOurPage lets no such call through
	}
	c := http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(keep / time.Second), HttpOnly: true, Secure: secure(call), SameSite: http.SameSiteStrictMode}
	if kind == cookieRefresh {
		c.Path = pathRefresh
	}
	if c.MaxAge <= 0 {
		c.MaxAge = -1 // written as Max-Age=0
	}
	answer.Add("Set-Cookie", c.String())
}

func clearAll(answer, call http.Header) {
	set(answer, call, faas.CookieToken, "", 0)
	set(answer, call, cookieRefresh, "", 0)
}

// over answers 401 and clears the cookies: the person has to sign in again.
func over(c *faas.Call, why error) faas.Reply {
	r := clearing(c, http.StatusUnauthorized, "Not signed in", detailOf(why))
	r.Header.Set("Www-Authenticate", `Bearer realm="castor"`)
	return r
}

// clearing answers with a problem and clears the cookies, which are of no use.
func clearing(c *faas.Call, status int, title, detail string) faas.Reply {
	h := http.Header{"Content-Type": {"application/problem+json"}}
	clearAll(h, c.Header)
	return faas.Reply{Status: status, Header: h, Value: &api.Problem{Title: title, Status: status, Detail: detail, CallID: c.ID}}
}

// detailOf is what function users said.
func detailOf(why error) string {
	var p *api.Problem
	if errors.As(why, &p) {
		return p.Detail
	}
	return why.Error()
}
