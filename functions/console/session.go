package console

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
)

// sessions puts what function users gives who signs in into cookies.
type sessions struct {
	p *platform.Platform

	// users signs in as part console, which may say where a person's call came from. It takes no 401 for its own: that is the
	// person's, and a call made again would count as a second wrong password.
	users *api.Client

	// plain shows no token.
	plain *api.Client
}

func newSessions(p *platform.Platform) *sessions {
	users := *p.API
	users.Renew = nil
	return &sessions{p: p, users: &users, plain: &api.Client{URL: p.Gateway, HTTP: p.HTTP, Retries: p.API.Retries}}
}

// fromOurPage makes an operation be for calls of our own page only: no other page may sign its visitors in or out here.
func fromOurPage[In any](do func(context.Context, *faas.Call, In) (faas.Reply, error)) func(context.Context, *faas.Call, In) (faas.Reply, error) {
	return func(ctx context.Context, c *faas.Call, in In) (faas.Reply, error) {
		if err := faas.SameOrigin(c.Header); err != nil {
			return faas.Reply{}, fmt.Errorf("%w: %w", access.ErrDenied, err)
		}
		return do(ctx, c, in)
	}
}

// begin signs a person in.
func (s *sessions) begin(ctx context.Context, c *faas.Call, in api.Login) (faas.Reply, error) {
	// A form of another page can send what it likes, but not as JSON.
	if kind, _, err := mime.ParseMediaType(c.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return faas.Reply{}, &api.Problem{Title: http.StatusText(http.StatusUnsupportedMediaType), Status: http.StatusUnsupportedMediaType,
			Detail: "Content-Type must be application/json"}
	}
	in.Bound = page(c)
	t, err := s.users.LoginFor(ctx, c.Header.Values("X-Forwarded-For"), in)
	if err != nil {
		return faas.Reply{}, err
	}
	return s.signedIn(ctx, c, t)
}

// refresh exchanges the refresh token for a new session; 204 tells that there is none here. What cannot be exchanged any more is
// cleared; while function users is away it stays.
func (s *sessions) refresh(ctx context.Context, c *faas.Call, _ faas.None) (faas.Reply, error) {
	tokens, err := faas.Cookies(c.Header, cookieRefresh)
	if err == nil && len(tokens) == 0 {
		return faas.Reply{Status: http.StatusNoContent}, nil
	}
	for _, token := range tokens { // all but one lie there for nothing: they are not bound to this page
		var t api.Token
		if t, err = s.plain.RefreshBound(ctx, api.Refresh{Refresh: token, Bound: page(c)}); err == nil {
			return s.signedIn(ctx, c, t)
		}
		if !useless(err) {
			return faas.Reply{}, err
		}
	}
	return over(c, err), nil
}

// page is the value that the calling page's tokens are bound to.
func page(c *faas.Call) string { return c.Header.Get(faas.HeaderConsole) }

// useless tells of a refresh token that it will never be good here, other than when function users is away.
func useless(err error) bool {
	return errors.Is(err, access.ErrUnauthenticated) || errors.Is(err, twin.ErrInvalid)
}

// signedIn answers with the session of t, and its tokens in cookies only.
func (s *sessions) signedIn(ctx context.Context, c *faas.Call, t api.Token) (faas.Reply, error) {
	if t.User == nil {
		return faas.Reply{}, errors.New("function users gave a session without its user")
	}
	c.Caller = access.Caller{Kind: access.User, ID: t.User.ID}
	if len(t.Access) > faas.MaxCookie {
		_ = s.plain.LogoutBound(ctx, api.Refresh{Refresh: t.Refresh, Bound: page(c)}) // nobody will use it; it ends by itself too
		return faas.Reply{}, fmt.Errorf("%w: user %s is in so many groups that the token does not fit into a cookie; a maintainer can take the user out of some",
			api.ErrConflict, t.User.ID)
	}
	r := faas.Reply{Value: api.Session{User: *t.User, Expires: t.Expires}, Header: http.Header{}}
	set(r.Header, c.Header, faas.CookieToken, t.Access, t.Expires.Sub(s.p.Time()))
	set(r.Header, c.Header, cookieRefresh, t.Refresh, refreshKept)
	return r, nil
}

// show tells who is signed in, and until when. Function users is asked: the user may be gone. 204 is nobody, or somebody whose
// access token has ended; it is no fault, because every first visit asks.
func (s *sessions) show(ctx context.Context, c *faas.Call, _ faas.None) (faas.Reply, error) {
	if c.Caller.Kind == "" {
		return faas.Reply{Status: http.StatusNoContent}, nil
	}
	own := *s.plain
	own.Authorize = func(context.Context, string) (string, error) { return "Bearer " + c.Token, nil }
	user, err := own.MeAt(ctx, http.Header{faas.HeaderConsole: {page(c)}})
	if errors.Is(err, access.ErrUnauthenticated) {
		return faas.Reply{Status: http.StatusNoContent}, nil
	}
	return faas.Reply{Value: api.Session{User: user, Expires: c.Caller.Expires}}, err
}

// end signs out: the refresh token is good no longer, and the cookies are cleared. Where cookies came of which none could be ended,
// the session may go on unseen, and the answer says so.
func (s *sessions) end(ctx context.Context, c *faas.Call, _ faas.None) (faas.Reply, error) {
	tokens, err := faas.Cookies(c.Header, cookieRefresh)
	ended := err == nil && len(tokens) == 0
	for _, token := range tokens {
		failed := s.plain.LogoutBound(ctx, api.Refresh{Refresh: token, Bound: page(c)})
		switch {
		case failed == nil:
			ended = true
		case !useless(failed):
			return faas.Reply{}, failed // the person tries again
		default:
			err = failed
		}
	}
	if !ended {
		return clearing(c, http.StatusConflict, "Not signed out",
			"this browser has forgotten the session, but it could not be ended and may go on elsewhere; changing the password ends it: "+detailOf(err)), nil
	}
	r := faas.Reply{Status: http.StatusNoContent, Header: http.Header{}}
	clearAll(r.Header, c.Header)
	return r, nil
}
