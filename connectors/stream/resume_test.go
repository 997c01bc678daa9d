package stream

import (
	"context"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/tests/functiontest"
	"github.com/castor-iot/castor/tests/sse"
)

// Whose rights change while the stream is cut is told to read everything again, at any replica; who may see the same goes on.
func TestRightsThatChangeDuringACut(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	ada, eve := w.owner("plant"), w.owner("mill")
	w.pump("pump-1", "plant")
	w.pump("pump-2", "plant")
	first, second := w.replica(), w.replica()
	<-time.After(lag) // of readings nobody knows what was before
	s := first.open(t, eve, "")
	resumed := func(as *api.Client, r *replica) {
		t.Helper()
		last := s.Last()
		s.Close()
		s = r.open(t, as, "?last="+last)
	}
	changed := func(as *api.Client, r *replica) {
		t.Helper()
		resumed(as, r)
		s.Until("reload", sse.Has("what you may see"))
	}
	resumed(eve, second)
	quiet(t, s)

	s.Close()
	g, err := ada.CreateGrant(ctx, access.Grant{Subject: "user:mill-owner", Object: "twin:pump-1", Right: access.Read})
	must(t, err)
	changed(eve, first)
	w.raise("pump-1", "plant")
	s.Until("alarm", sse.Has(`"pump-1"`))
	resumed(eve, second)
	quiet(t, s)

	s.Close()
	must(t, ada.DeleteGrant(ctx, g.ID))
	changed(eve, second)
	w.raise("pump-1", "plant")
	quiet(t, s)

	for _, groups := range [][]string{{"mill", "plant"}, {"mill"}} {
		s.Close()
		_, err = w.Admin().UpdateUser(ctx, "mill-owner", api.UserChange{Groups: &groups})
		must(t, err)
		eve = w.Login("mill-owner", functiontest.Password)
		changed(eve, first)
	}
	resumed(eve, second)
	quiet(t, s)
}
