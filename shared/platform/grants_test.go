package platform_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

func openGrants(t *testing.T, w *functiontest.World) *store.Collection[access.Grant] {
	t.Helper()
	c, err := platform.OpenGrants(context.Background(), w.Base.DB)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var vic = access.Caller{Kind: access.User, ID: "vic", Roles: []access.Role{access.Viewer}, Groups: []string{"night-shift"}}

func TestGrantsCache(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	now := time.Now().UTC().Truncate(time.Millisecond)
	w.SetTime(now)
	p, grants := w.Platform("twins"), openGrants(t, w)
	count := func() int {
		t.Helper()
		g, err := p.Grants(ctx, vic)
		if err != nil {
			t.Fatal(err)
		}
		return len(g)
	}
	put := func(id, subject string) {
		t.Helper()
		if err := grants.Insert(ctx, access.Grant{ID: id, Subject: subject, Object: "twin:pump-7", Right: access.Read}); err != nil {
			t.Fatal(err)
		}
	}
	put("1", "user:vic")
	put("2", "user:eve")
	if err := grants.Insert(ctx, access.Grant{ID: "3", Subject: "user:vic", Object: "twin:pump-8", Right: access.Read, Deleted: now}); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 1 {
		t.Fatalf("vic has %d grants, want 1: not eve's, and not the one taken back", n)
	}
	put("4", "group:night-shift")
	if n := count(); n != 1 {
		t.Errorf("%d grants: nothing is kept", n)
	}
	if err := w.Base.Bus.Publish(ctx, event.New("4#0", event.GrantChanged, "twin:pump-7", now, api.GrantChanged{})); err != nil {
		t.Fatal(err)
	}
	functiontest.Eventually(t, "the event empties the cache", func() bool { return count() == 2 })
	// An event that gets lost is made up for by time.
	if err := grants.Delete(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	w.SetTime(now.Add(4 * time.Second))
	if n := count(); n != 2 {
		t.Errorf("%d grants after 4 s", n)
	}
	w.SetTime(now.Add(6 * time.Second))
	if n := count(); n != 1 {
		t.Errorf("%d grants after 6 s", n)
	}
	w.SetTime(now.Add(-time.Hour)) // the clock is set back
	if err := grants.Delete(ctx, "4"); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 0 {
		t.Errorf("%d grants: a clock that went back keeps them for ever", n)
	}
}

// Who decides while grants change must end with what is true.
func TestGrantsChangeWhileRead(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	w.SetTime(time.Now().UTC()) // nothing ends by time
	p, grants := w.Platform("twins"), openGrants(t, w)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if _, err := p.Grants(ctx, vic); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for i := range 100 {
		if err := grants.Insert(ctx, access.Grant{ID: fmt.Sprint(i), Subject: "user:vic", Object: "twin:pump-7", Right: access.Read}); err != nil {
			t.Fatal(err)
		}
		if err := w.Base.Bus.Publish(ctx, event.New(fmt.Sprint(i), event.GrantChanged, "", w.Now(), nil)); err != nil {
			t.Fatal(err)
		}
	}
	functiontest.Eventually(t, "all 100 grants are seen", func() bool {
		g, err := p.Grants(ctx, vic)
		return err == nil && len(g) == 100
	})
	close(stop)
	readers.Wait()
}

func TestMay(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	p, grants := w.Platform("twins"), openGrants(t, w)
	twins, err := platform.OpenTwins(ctx, w.Base.DB)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []twin.Twin{{ID: "pump-7", Kind: twin.Instance}, {ID: "pump-8", Kind: twin.Instance}, {ID: "pump-9", Kind: twin.Instance, Deleted: w.Now()}} {
		if err := twins.Insert(ctx, v); err != nil {
			t.Fatal(err)
		}
	}
	for _, g := range []access.Grant{{ID: "1", Subject: "user:vic", Object: "twin:pump-7", Right: access.Read}, {ID: "2", Subject: "service:erp", Object: "service:twins", Right: access.Read}} {
		if err := grants.Insert(ctx, g); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := p.Twin(ctx, twins, vic, access.Read, "pump-7"); err != nil || v.ID != "pump-7" {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := p.Twin(ctx, twins, vic, access.Write, "pump-7"); !errors.Is(err, access.ErrDenied) {
		t.Errorf("writing what one may read: %v", err)
	}
	_, missing := p.Twin(ctx, twins, vic, access.Read, "pump-0")
	for _, id := range []twin.ID{"pump-8", "pump-9"} {
		for _, right := range []access.Right{access.Read, access.Write} {
			_, err := p.Twin(ctx, twins, vic, right, id)
			if !errors.Is(err, api.ErrNotFound) || strings.Replace(err.Error(), string(id), "pump-0", 1) != missing.Error() {
				t.Errorf("%s of %s: %v; of none: %v", right, id, err, missing)
			}
		}
	}
	for _, id := range []twin.ID{"", "../x", "a\x00b", twin.ID(strings.Repeat("x", 5000))} {
		if _, err := p.Twin(ctx, twins, vic, access.Read, id); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%.20q: %v", id, err)
		}
	}
	scope, err := p.Visible(ctx, vic)
	if err != nil || scope.All || len(scope.Twins) != 1 {
		t.Errorf("%+v, %v", scope, err)
	}
	erp := access.Caller{Kind: access.Service, ID: "erp"}
	if !p.MayCall(ctx, erp, access.Read) || p.MayCall(ctx, erp, access.Write) || p.MayCall(ctx, vic, access.Read) || w.Platform("alerts").MayCall(ctx, erp, access.Read) {
		t.Error("a grant on a service lets others at others")
	}
}
