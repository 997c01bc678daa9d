package users_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/users"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

func kid(t *testing.T, token string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	var h struct{ Kid string }
	if err != nil || json.Unmarshal(b, &h) != nil {
		t.Fatalf("token %s: %v", token, err)
	}
	return h.Kid
}

func login(w *functiontest.World, from, name, password string) (tok api.Token, err error) {
	resp, err := w.Nobody().Do(context.Background(), "POST", "users", "/login", http.Header{"X-Forwarded-For": {from}}, api.Login{Name: name, Password: password})
	if err != nil {
		return tok, err
	}
	defer resp.Body.Close()
	return tok, json.NewDecoder(resp.Body).Decode(&tok)
}

// An attacker must not learn which names exist: not by the words of the answer, nor by its time.
func TestLoginTellsNothing(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	w.Base.PasswordMemory = 0 // as it is outside of tests: the time of a hash is what would tell
	w.Add("users", users.New)
	w.User("ada", []access.Role{access.Owner})
	w.User("bob", []access.Role{access.Owner})
	yes := true
	if _, err := w.Admin().UpdateUser(ctx, "bob", api.UserChange{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	took := map[string][]time.Duration{}
	for range 3 {
		for kind, in := range map[string]api.Login{
			"known":    {Name: "ada", Password: "wrong password"},
			"unknown":  {Name: "eve", Password: "wrong password"},
			"disabled": {Name: "bob", Password: functiontest.Password},
			"no name":  {Name: "", Password: "wrong password"},
			"odd name": {Name: "../admin\x00", Password: "wrong password"},
		} {
			began := time.Now()
			_, err := w.Nobody().Login(ctx, in)
			took[kind] = append(took[kind], time.Since(began))
			if !errors.Is(err, access.ErrUnauthenticated) || err.Error() != "not signed in: the name or the password is wrong" {
				t.Fatalf("%s: %v", kind, err)
			}
		}
	}
	fastest := time.Hour
	for _, all := range took {
		fastest = min(fastest, slices.Min(all))
	}
	for kind, all := range took {
		// The hash takes tens of milliseconds; leaving it out for one kind would make that a hundred times faster.
		if d := slices.Min(all); d > 10*fastest {
			t.Errorf("a %s user takes %v, another one %v", kind, d, fastest)
		}
	}
}

// One address cannot guess a name's password, and is told when it may go on.
func TestLoginThrottle(t *testing.T) {
	w := functiontest.New(t, nil)
	now := time.Now().UTC()
	w.SetTime(now)
	w.User("ada", []access.Role{access.Owner})
	const thief, owner = "203.0.113.7", "198.51.100.1"
	var err error
	failures := 0
	for ; failures < 20 && !errors.Is(err, api.ErrTooMany); failures++ {
		_, err = login(w, thief, "ada", "wrong password")
	}
	if failures--; failures != 10 {
		t.Errorf("%d failures by one address were borne for one name, want 10", failures)
	}
	var p *api.Problem
	if !errors.As(err, &p) || p.RetryAfter != 5 || !strings.Contains(p.Detail, "possible in 5 s") {
		t.Errorf("%+v, want both its words and Retry-After to say 5 s", p)
	}
	if _, err := login(w, thief, "ada", functiontest.Password); !errors.Is(err, api.ErrTooMany) {
		t.Errorf("the right password from there: %v", err)
	}
	if _, err := login(w, owner, "ada", functiontest.Password); err != nil {
		t.Errorf("the owner, from elsewhere: %v", err)
	}
	if _, err := login(w, thief, functiontest.Admin, functiontest.Password); err != nil {
		t.Errorf("another name: %v", err)
	}
	w.SetTime(now.Add(6 * time.Second))
	if _, err := login(w, thief, "ada", functiontest.Password); err != nil {
		t.Errorf("after a while: %v", err)
	}
	for range 12 { // a success costs nothing
		if _, err := login(w, owner, functiontest.Admin, functiontest.Password); err != nil {
			t.Fatalf("signing in often: %v", err)
		}
	}
}

// A flood of sign-ins must not take the machine: few are hashed at a time, some wait, the others are told to come again.
func TestLoginFlood(t *testing.T) {
	w := functiontest.New(t, nil)
	w.Base.PasswordMemory = 0 // as it is outside of tests
	w.Add("users", users.New)
	w.User("ada", []access.Role{access.Owner})
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	for i := range 60 {
		wg.Go(func() {
			_, err := login(w, fmt.Sprintf("203.0.113.%d", i), "ada", functiontest.Password)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				got["signed in"]++
			case errors.Is(err, api.ErrTooMany):
				got["told to come again"]++
			default:
				got[err.Error()]++
			}
		})
	}
	wg.Wait()
	if got["signed in"]+got["told to come again"] != 60 || got["signed in"] < 20 || got["told to come again"] == 0 {
		t.Errorf("of 60 at once: %v", got)
	}
}

func TestRefresh(t *testing.T) {
	ctx := context.Background()
	start := func(t *testing.T) (*functiontest.World, *api.Client, api.Token) {
		w := functiontest.New(t, nil)
		w.User("ada", []access.Role{access.Owner})
		tok, err := w.Nobody().Login(ctx, api.Login{Name: "ada", Password: functiontest.Password})
		if err != nil {
			t.Fatal(err)
		}
		return w, w.Nobody(), tok
	}
	over := func(t *testing.T, c *api.Client, refresh string) {
		t.Helper()
		if tok, err := c.Refresh(ctx, refresh); !errors.Is(err, access.ErrUnauthenticated) {
			t.Errorf("the session goes on: %+v, %v", tok.User, err)
		}
	}
	t.Run("each use gives a new one", func(t *testing.T) {
		w, c, tok := start(t)
		for range 5 {
			next, err := c.Refresh(ctx, tok.Refresh)
			if err != nil || next.Refresh == tok.Refresh || next.Access == tok.Access {
				t.Fatalf("%+v, %v", next, err)
			}
			if me, err := functiontest.Bearer(w.URL, next.Access).Me(ctx); err != nil || me.ID != "ada" {
				t.Fatalf("%+v, %v", me, err)
			}
			tok = next
		}
	})
	t.Run("roles are those the user has now", func(t *testing.T) {
		w, c, tok := start(t)
		if _, err := w.Admin().UpdateUser(ctx, "ada", api.UserChange{Roles: &[]access.Role{access.Maintainer}}); err != nil {
			t.Fatal(err)
		}
		next, err := c.Refresh(ctx, tok.Refresh)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := functiontest.Bearer(w.URL, next.Access).ListUsers(ctx, ""); err != nil {
			t.Error(err)
		}
	})
	t.Run("the one before gives the same one again for 30 s, and the session goes on", func(t *testing.T) {
		w, c, tok := start(t)
		w.SetTime(w.Now().UTC().Truncate(time.Millisecond))
		next, err := c.Refresh(ctx, tok.Refresh)
		if err != nil {
			t.Fatal(err)
		}
		w.SetTime(w.Now().Add(30*time.Second - time.Millisecond))
		again, err := c.Refresh(ctx, tok.Refresh)
		if err != nil || again.Refresh != next.Refresh {
			t.Fatalf("the answer that got lost: %q, want %q; %v", again.Refresh, next.Refresh, err)
		}
		if me, err := functiontest.Bearer(w.URL, again.Access).Me(ctx); err != nil || me.ID != "ada" {
			t.Errorf("%+v, %v", me, err)
		}
		w.SetTime(w.Now().Add(time.Hour))
		if _, err := c.Refresh(ctx, next.Refresh); err != nil {
			t.Errorf("the session is over: %v", err)
		}
	})
	t.Run("the one before, shown after 30 s, ends the session for its thief and its owner", func(t *testing.T) {
		w, c, tok := start(t)
		w.SetTime(w.Now().UTC().Truncate(time.Millisecond))
		next, err := c.Refresh(ctx, tok.Refresh)
		if err != nil {
			t.Fatal(err)
		}
		w.SetTime(w.Now().Add(30 * time.Second))
		over(t, c, tok.Refresh)
		over(t, c, next.Refresh)
	})
	t.Run("an older one ends it at once", func(t *testing.T) {
		_, c, tok := start(t)
		last := tok
		for range 2 {
			var err error
			if last, err = c.Refresh(ctx, last.Refresh); err != nil {
				t.Fatal(err)
			}
		}
		over(t, c, tok.Refresh)
		over(t, c, last.Refresh)
	})
	t.Run("a guess ends it, also just after a use", func(t *testing.T) {
		_, c, tok := start(t)
		next, err := c.Refresh(ctx, tok.Refresh)
		if err != nil {
			t.Fatal(err)
		}
		id, _, _ := strings.Cut(tok.Refresh, ".")
		over(t, c, id+"."+strings.Repeat("A", 43))
		over(t, c, next.Refresh)
	})
	t.Run("used many times at once, all get the same one and the session goes on", func(t *testing.T) {
		_, c, tok := start(t)
		var wg sync.WaitGroup
		var mu sync.Mutex
		got := map[string]int{}
		for range 8 {
			wg.Go(func() {
				next, err := c.Refresh(ctx, tok.Refresh)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				got[next.Refresh]++
				mu.Unlock()
			})
		}
		wg.Wait()
		if len(got) != 1 {
			t.Fatalf("%d different ones", len(got))
		}
		for next := range got {
			if _, err := c.Refresh(ctx, next); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("not after signing out", func(t *testing.T) {
		_, c, tok := start(t)
		if err := c.Logout(ctx, tok.Refresh); err != nil {
			t.Fatal(err)
		}
		over(t, c, tok.Refresh)
		if err := c.Logout(ctx, tok.Refresh); err != nil {
			t.Errorf("signing out twice: %v", err)
		}
	})
	t.Run("not after a new password", func(t *testing.T) {
		w, c, tok := start(t)
		if err := w.Admin().SetPassword(ctx, "ada", api.PasswordChange{New: "another good password"}); err != nil {
			t.Fatal(err)
		}
		over(t, c, tok.Refresh)
	})
	t.Run("not when disabled, and not when enabled again", func(t *testing.T) {
		w, c, tok := start(t)
		for _, disabled := range []bool{true, false} {
			if _, err := w.Admin().UpdateUser(ctx, "ada", api.UserChange{Disabled: &disabled}); err != nil {
				t.Fatal(err)
			}
		}
		over(t, c, tok.Refresh)
	})
	t.Run("not when deleted", func(t *testing.T) {
		w, c, tok := start(t)
		if err := w.Admin().DeleteUser(ctx, "ada"); err != nil {
			t.Fatal(err)
		}
		over(t, c, tok.Refresh)
	})
	t.Run("not after 30 days without use", func(t *testing.T) {
		w, c, tok := start(t)
		w.SetTime(w.Now().Add(30*24*time.Hour + time.Second))
		over(t, c, tok.Refresh)
	})
	t.Run("the oldest ends when there are too many", func(t *testing.T) {
		w, c, tok := start(t)
		sessions := collection[users.StoredSession](t, w, "sessions", sessionIndexes...)
		now := w.Now().UTC().Truncate(time.Millisecond)
		for i := range 120 {
			used := now.Add(time.Duration(i-500) * time.Second)
			if err := sessions.Insert(ctx, users.StoredSession{ID: fmt.Sprint(i), User: "ada", Used: used, Expires: now.Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
		}
		w.Login("ada", functiontest.Password)
		if n, err := sessions.Count(ctx, store.Filter{}, ""); err != nil || n != 101 { // one is the administrator's
			t.Errorf("%d sessions, %v", n, err)
		}
		if _, err := sessions.Get(ctx, "0"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the oldest: %v", err)
		}
		if _, err := c.Refresh(ctx, tok.Refresh); err != nil {
			t.Errorf("a young one: %v", err)
		}
	})
	t.Run("one of a page of the console is that page's alone", func(t *testing.T) {
		w, c, tok := start(t)
		page, another := strings.Repeat("p", 42)+"A", strings.Repeat("q", 42)+"A"
		bound, err := c.Login(ctx, api.Login{Name: "ada", Password: functiontest.Password, Bound: page})
		if err != nil {
			t.Fatal(err)
		}
		id, _, _ := strings.Cut(bound.Refresh, ".")
		for _, in := range []api.Refresh{{Refresh: bound.Refresh}, {Refresh: bound.Refresh, Bound: another}, {Refresh: id + "." + strings.Repeat("A", 43)}, {Refresh: tok.Refresh, Bound: page}} {
			if _, err := c.RefreshBound(ctx, in); !errors.Is(err, access.ErrUnauthenticated) {
				t.Errorf("renewed: %v", err)
			}
			if err := c.LogoutBound(ctx, in); !errors.Is(err, access.ErrUnauthenticated) {
				t.Errorf("ended: %v", err)
			}
		}
		if _, err := c.RefreshBound(ctx, api.Refresh{Refresh: bound.Refresh, Bound: "1"}); !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("what is no page's value: %v", err)
		}
		next, err := c.RefreshBound(ctx, api.Refresh{Refresh: bound.Refresh, Bound: page})
		if err != nil {
			t.Fatalf("the session suffered: %v", err)
		}
		for value, ok := range map[string]bool{"": false, "1": false, another: false, page: true} {
			if _, err := functiontest.Bearer(w.URL, next.Access).MeAt(ctx, http.Header{"X-Castor-Console": {value}}); (err == nil) != ok || err != nil && !errors.Is(err, access.ErrUnauthenticated) {
				t.Errorf("the access token with %q: %v", value, err)
			}
		}
		if err := c.LogoutBound(ctx, api.Refresh{Refresh: next.Refresh, Bound: page}); err != nil {
			t.Error(err)
		}
	})
	t.Run("rubbish is refused", func(t *testing.T) {
		_, c, tok := start(t)
		id, _, _ := strings.Cut(tok.Refresh, ".")
		for _, bad := range []string{"", ".", "x.y", id, id + ".", "." + id, tok.Refresh + "A", strings.Repeat("A", 100_000), "../" + tok.Refresh, "\x00"} {
			if _, err := c.Refresh(ctx, bad); !errors.Is(err, twin.ErrInvalid) {
				t.Errorf("%.40q: %v", bad, err)
			}
		}
		if _, err := c.Refresh(ctx, tok.Refresh); err != nil {
			t.Errorf("the good one: %v", err)
		}
	})
}
