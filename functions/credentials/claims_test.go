package credentials_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// A claim for named devices lets in those alone, each serial as it is.
func TestAClaimForNamedDevices(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	serials := []string{"P-1", " A #:/1 "}
	for n := range 2500 {
		serials = append(serials, fmt.Sprintf("LOT-%04d", n))
	}
	f, err := w.admin.CreateClaim(ctx, api.NewClaim{Type: "pump", Owner: "press", Identities: serials, Batch: "lot-7", Note: "Hall 3, left"})
	if err != nil || f.Claim.MaxUses != int64(len(serials)) || f.Claim.Listed != int64(len(serials)) || f.Claim.Batch != "lot-7" || f.Claim.State != device.ClaimOpen {
		t.Fatalf("%+v, %v", f.Claim, err)
	}
	p := w.Part("twin-provision", "")
	for n, s := range []string{"P-1", "A #:/1", "LOT-2499"} {
		if _, err := p.UseClaim(ctx, f.Claim.ID, api.ClaimUse{Run: fmt.Sprintf("r.%d", n), Type: "pump", Serial: s}); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for n, s := range []string{"P-2", "LOT-2500", "LOT-", "", "../LOT-0001", "lot-0001"} {
		if _, err := p.UseClaim(ctx, f.Claim.ID, api.ClaimUse{Run: fmt.Sprintf("x.%d", n), Type: "pump", Serial: s}); !errors.Is(err, device.ErrClaim) {
			t.Errorf("%q: %v", s, err)
		}
	}
	var all []string
	for cursor := ""; ; {
		page, err := w.admin.ListClaimSerials(ctx, f.Claim.ID, cursor)
		if err != nil {
			t.Fatal(err)
		}
		if all, cursor = append(all, page.Items...), page.Next; cursor == "" {
			break
		}
	}
	if len(all) != len(serials) || !slices.Contains(all, "A #:/1") {
		t.Errorf("%d serials are listed", len(all))
	}
	eve := w.User("eve", []access.Role{access.Owner})
	if _, err := eve.ListClaimSerials(ctx, f.Claim.ID, ""); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
}

func TestClaimsThatCannotBe(t *testing.T) {
	w := start(t)
	for name, in := range map[string]api.NewClaim{
		"a serial twice":               {Identities: []string{"P-1", "P-1 "}},
		"a serial that is none":        {Identities: []string{"../P"}},
		"too many serials":             {Identities: make([]string, 10_001)},
		"a temporary claim for a week": {Temporary: true, Expires: twin.Duration(168 * time.Hour)},
		"a batch with a space":         {Batch: "lot 7"},
		"a note of two lines":          {Note: "a\nb"},
	} {
		in.Type, in.Owner = "pump", "press"
		if _, err := w.admin.CreateClaim(context.Background(), in); !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClaimsAreFiltered(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	w.twin("fan", twin.Type, "")
	if _, err := w.admin.CreateGroup(ctx, api.Group{ID: "paint"}); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for name, in := range map[string]api.NewClaim{
		"a": {Type: "pump", Owner: "press", Batch: "x"}, "b": {Type: "fan", Owner: "press", Batch: "x"}, "c": {Type: "pump", Owner: "paint", Temporary: true},
		"revoked": {Type: "pump", Owner: "paint", Batch: "y"}, "used": {Type: "pump", Owner: "paint", Batch: "y"},
	} {
		f, err := w.admin.CreateClaim(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		ids[f.Claim.ID] = name
		switch name {
		case "revoked":
			err = w.admin.RevokeClaim(ctx, f.Claim.ID)
		case "used":
			_, err = w.Part("twin-provision", "").UseClaim(ctx, f.Claim.ID, api.ClaimUse{Run: "r.1", Type: "pump", Serial: "P-1"})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	for _, tt := range []struct {
		as   *api.Client
		q    api.ClaimQuery
		want []string
	}{
		{w.admin, api.ClaimQuery{}, []string{"a", "b", "c", "revoked", "used"}},
		{w.admin, api.ClaimQuery{Owner: "press"}, []string{"a", "b"}},
		{w.admin, api.ClaimQuery{Type: "fan"}, []string{"b"}},
		{w.admin, api.ClaimQuery{Batch: "y", State: "revoked"}, []string{"revoked"}},
		{w.admin, api.ClaimQuery{State: "used"}, []string{"used"}},
		{w.admin, api.ClaimQuery{Owner: "paint", State: "open"}, []string{"c"}},
		{ada, api.ClaimQuery{}, []string{"a", "b"}},
		{ada, api.ClaimQuery{Batch: "x", Type: "pump"}, []string{"a"}},
		{ada, api.ClaimQuery{Owner: "paint"}, nil},
		{ada, api.ClaimQuery{Batch: "y"}, nil},
	} {
		var got []string
		for cursor := ""; ; {
			tt.q.Cursor, tt.q.Limit = cursor, 2
			page, err := tt.as.ListClaims(ctx, tt.q)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range page.Items {
				got = append(got, ids[c.ID])
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %v, want %v", tt.q, got, tt.want)
		}
	}
	for _, q := range []api.ClaimQuery{{State: "good"}, {Batch: "a b"}, {Owner: "../x"}, {Type: "?"}} {
		if _, err := w.admin.ListClaims(ctx, q); !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}
