package console

import (
	"errors"
	"net/http"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
)

// cookieRefresh carries the refresh token, to the session's operations only. What carries the access token, to all functions, is
// faas.CookieToken.
const (
	cookieRefresh = "castor-refresh"
	pathRefresh   = "/function/console/session"
)

// refreshKept is how long a browser keeps the refresh token: as long as function users keeps a session that is not used.
const refreshKept = 30 * 24 * time.Hour

// set adds a cookie that no script and no page of another site gets, kept for a time; for none or less it is removed.
func set(answer, call http.Header, name, value string, keep time.Duration) {
	c := http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(keep / time.Second), HttpOnly: true, Secure: secure(call), SameSite: http.SameSiteStrictMode}
	if name == cookieRefresh {
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
	detail := why.Error()
	var p *api.Problem
	if errors.As(why, &p) {
		detail = p.Detail
	}
	h := http.Header{"Content-Type": {"application/problem+json"}, "Www-Authenticate": {`Bearer realm="castor"`}}
	clearAll(h, c.Header)
	return faas.Reply{Status: http.StatusUnauthorized, Header: h,
		Value: &api.Problem{Title: "Not signed in", Status: http.StatusUnauthorized, Detail: detail, CallID: c.ID}}
}
