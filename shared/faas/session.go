package faas

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/castor-iot/castor/shared/access"
)

// The console keeps a person's tokens in cookies that no script can read; function console sets them.
const (
	// CookieToken carries the access token of function users.
	CookieToken = "castor-token"

	// HeaderConsole must come with the cookie, as "1". A page of another origin cannot send it: a browser would ask first, by
	// CORS, and nobody here says yes.
	HeaderConsole = "X-Castor-Console"
)

// MaxCookie bounds a token in a cookie, in bytes: browsers drop cookies that have more than 4096 with their names.
const MaxCookie = 4080

// Session is the token of the console's cookie, for calls that have no Authorization header; "" if there is no such cookie, or
// there is the header, which goes above it. It is access.ErrUnauthenticated, with the reason, for a cookie that does not count.
func Session(h http.Header) (token string, err error) {
	if len(h.Values("Authorization")) > 0 {
		return "", nil
	}
	token, err = Cookie(h, CookieToken)
	if err != nil || token == "" {
		return "", err
	}
	if err := SameOrigin(h); err != nil {
		return "", fmt.Errorf("%w: cookie %s does not count: %w", access.ErrUnauthenticated, CookieToken, err)
	}
	return token, nil
}

// SameOrigin returns nil for a call that only a page of the platform's own origin, or no browser at all, can have made.
func SameOrigin(h http.Header) error {
	if h.Get(HeaderConsole) != "1" {
		return fmt.Errorf("the call must have the header %s: 1", HeaderConsole)
	}
	for _, site := range h.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return fmt.Errorf("the call comes from a page of another origin (Sec-Fetch-Site is %.20q)", site)
		}
	}
	return nil
}

// Cookie is the value of a cookie that holds a token; "" if there is none. Two of one name with different values are
// access.ErrUnauthenticated: one was set by somebody else, a neighbouring domain for instance, and nobody knows which.
func Cookie(h http.Header, name string) (value string, err error) {
	for _, line := range h.Values("Cookie") {
		for pair := range strings.SplitSeq(line, ";") {
			n, v, ok := strings.Cut(strings.TrimSpace(pair), "=")
			if !ok || n != name || v == value {
				continue
			}
			if !tokenLike(v) {
				return "", fmt.Errorf("%w: cookie %s is not one that signing in gave; sign in again", access.ErrUnauthenticated, name)
			}
			if value != "" {
				return "", fmt.Errorf("%w: there are several cookies %s; clear this site's cookies and sign in again", access.ErrUnauthenticated, name)
			}
			value = v
		}
	}
	return value, nil
}

// tokenLike tells whether v has the form of an access or refresh token: base64url and dots.
func tokenLike(v string) bool {
	return v != "" && len(v) <= MaxCookie && strings.Trim(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// An Authenticator tells who calls by the Authorization header; *platform.Platform is one.
type Authenticator interface {
	Authenticate(ctx context.Context, h http.Header) (access.Caller, error)
}

// Authenticate tells who calls, by the Authorization header or else by the console's cookie, and the token that said so. In a
// cookie only people's and service accounts' tokens count. What it returns is otherwise as the Authenticator's.
func Authenticate(ctx context.Context, by Authenticator, h http.Header) (c access.Caller, token string, err error) {
	token, err = Session(h)
	if err != nil {
		return access.Caller{}, "", err
	}
	if token == "" {
		token, _ = strings.CutPrefix(h.Get("Authorization"), "Bearer ")
		c, err = by.Authenticate(ctx, h)
		return c, token, err
	}
	// A header of its own: nothing else that the caller sent speaks for it.
	c, err = by.Authenticate(ctx, http.Header{"Authorization": {"Bearer " + token}})
	if err == nil && c.Kind != access.User && c.Kind != access.Service {
		err = fmt.Errorf("%w: cookie %s must hold a user's token", access.ErrUnauthenticated, CookieToken)
	}
	if err != nil {
		return access.Caller{}, "", err
	}
	return c, token, nil
}
