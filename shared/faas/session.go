package faas

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/access"
)

// CookieToken begins the name of the cookie that carries the console's access token, which no script can read; function console
// sets it. The rest of the name is the page's: see CookieOf.
const CookieToken = "castor-token"

// MaxCookie bounds a token in a cookie, in bytes: browsers drop cookies that have more than 4096 with their names.
const MaxCookie = 4060

// maxSame bounds the cookies of one name that are looked at. One is the page's; others may lie there for other paths, set by other
// servers on the host or by neighbouring domains.
const maxSame = 4

// Session are the tokens of the console's cookie, for calls that have no Authorization header; none if there is no such cookie, or
// there is the header, which goes above it. It is access.ErrUnauthenticated, with the reason, for a cookie that does not count.
func Session(h http.Header) (tokens []string, err error) {
	if len(h.Values("Authorization")) > 0 {
		return nil, nil
	}
	if err := SameOrigin(h); err != nil {
		if strings.Contains(strings.Join(h.Values("Cookie"), ";"), CookieToken) {
			return nil, fmt.Errorf("%w: cookie %s does not count: %w", access.ErrUnauthenticated, CookieToken, err)
		}
		return nil, nil
	}
	return Cookies(h, CookieToken)
}

// SameOrigin returns nil for a call that only a page of the platform's own origin, or no browser at all, can have made.
func SameOrigin(h http.Header) error {
	if _, err := CookieOf(h, ""); err != nil {
		return err
	}
	for _, site := range h.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return fmt.Errorf("the call comes from a page of another origin (Sec-Fetch-Site is %.20q)", site)
		}
	}
	return nil
}

// Cookies are the values of the page's cookie of that kind, at most maxSame: which one the page's own is, the binding tells. If there
// are such cookies but none can hold a token, it is access.ErrUnauthenticated.
func Cookies(h http.Header, kind string) (values []string, err error) {
	name, err := CookieOf(h, kind)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", access.ErrUnauthenticated, err)
	}
	for _, line := range h.Values("Cookie") {
		for pair := range strings.SplitSeq(line, ";") {
			n, v, ok := strings.Cut(strings.TrimSpace(pair), "=")
			switch {
			case !ok || n != name || len(values) == maxSame || slices.Contains(values, v):
			case tokenLike(v):
				values = append(values, v)
			default:
				err = fmt.Errorf("%w: cookie %s is not one that signing in gave; sign in again", access.ErrUnauthenticated, kind)
			}
		}
	}
	if len(values) > 0 {
		return values, nil
	}
	return nil, err
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
// cookie only people's tokens count that are bound to the page. What it returns is otherwise as the Authenticator's.
func Authenticate(ctx context.Context, by Authenticator, h http.Header) (c access.Caller, token string, err error) {
	tokens, err := Session(h)
	if err != nil {
		return access.Caller{}, "", err
	}
	if len(tokens) == 0 {
		token, _ = strings.CutPrefix(h.Get("Authorization"), "Bearer ")
		c, err = by.Authenticate(ctx, h)
		return c, token, err
	}
	var why error
	for _, token := range tokens {
		// A header of its own: nothing else that the caller sent speaks for it.
		c, err := by.Authenticate(ctx, http.Header{"Authorization": {"Bearer " + token}, HeaderConsole: h.Values(HeaderConsole)})
		switch {
		case err == nil && c.Kind == access.User && c.Bound:
			return c, token, nil
		case err == nil:
			err = fmt.Errorf("%w: cookie %s must hold a user's token that signing in at this page gave", access.ErrUnauthenticated, CookieToken)
		}
		if why == nil || !errors.Is(err, access.ErrUnauthenticated) { // what may be good when it is tried again goes first
			why = err
		}
	}
	return access.Caller{}, "", why
}
