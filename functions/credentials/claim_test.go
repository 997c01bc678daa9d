package credentials_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/credentials"
	"github.com/castor-iot/castor/functions/gateways"
	twiningest "github.com/castor-iot/castor/functions/twin-ingest"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// world is a platform with credentials and gateways, a provisioning and an operational gateway, and the type pump.
type world struct {
	*functiontest.World
	t     *testing.T
	admin *api.Client
}

func start(t *testing.T) *world {
	w := &world{World: functiontest.New(t, functiontest.Functions{"credentials": credentials.New, "gateways": gateways.New, "twin-ingest": twiningest.New}), t: t}
	w.admin = w.Admin()
	w.gateway("prov", "provisioning")
	w.gateway("op", "operational")
	w.twin("pump", twin.Type, "")
	if _, err := w.admin.CreateGroup(context.Background(), api.Group{ID: "press"}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) gateway(id, phase string) {
	w.t.Helper()
	_, err := w.Part("connector", id).PutGateway(context.Background(), api.Gateway{ID: id, Phase: phase, Protocol: "mqtt", URL: "tls://127.0.0.1:8883"})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) twin(id twin.ID, kind twin.Kind, of twin.TypeID) {
	w.t.Helper()
	c, err := platform.OpenTwins(context.Background(), w.Base.DB)
	if err == nil {
		err = c.Insert(context.Background(), twin.Twin{ID: id, Kind: kind, Definition: twin.Definition{Type: of, Version: 1}})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) claim(uses int64) api.ClaimFile {
	w.t.Helper()
	f, err := w.admin.CreateClaim(context.Background(), api.NewClaim{Type: "pump", Owner: "press", Serials: "P-*", MaxUses: uses})
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

// admission is what a gateway is told of a client; nil if nothing.
func (w *world) admission(gateway, client string) *api.Admission {
	w.t.Helper()
	b, err := w.Base.Bus.Bucket(context.Background(), api.BucketOf(gateway))
	if err != nil {
		w.t.Fatal(err)
	}
	e, err := b.Get(context.Background(), api.AdmissionKey(client))
	if errors.Is(err, bus.ErrNotFound) {
		return nil
	}
	var a api.Admission
	if err == nil {
		err = json.Unmarshal(e.Value, &a)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return &a
}

func csr(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// A claim's token is in one answer and nowhere else; the gateways get its hash.
func TestClaimIsAdmittedByItsHashAlone(t *testing.T) {
	w := start(t)
	f := w.claim(1)
	sum := sha256.Sum256([]byte(f.Token))
	a := w.admission("prov", f.Claim.ID)
	if a == nil || !slices.Equal(a.Verifiers, []string{hex.EncodeToString(sum[:])}) || a.Type != "pump" || a.Phase != "provisioning" {
		t.Fatalf("the gateway is told %+v", a)
	}
	if got := a.Expires.Sub(f.Claim.Expires); got != time.Hour {
		t.Errorf("the gateway lets it connect for %s after it expired, want 1h, so that a late device is told the reason", got)
	}
	if w.admission("op", f.Claim.ID) != nil {
		t.Error("an operational gateway was told of a claim")
	}
	if f.Gateway == "" || !strings.Contains(f.CA, "BEGIN CERTIFICATE") {
		t.Errorf("claim file lacks gateway or CA: %q", f.Gateway)
	}
	got, err := w.admin.GetClaim(context.Background(), f.Claim.ID)
	if b, _ := json.Marshal(got); err != nil || strings.Contains(string(b), f.Token) || strings.Contains(string(b), a.Verifiers[0]) {
		t.Errorf("the claim shows its token or verifier: %s (%v)", b, err)
	}
	w.gateway("prov-2", "provisioning")
	if w.admission("prov-2", f.Claim.ID) == nil {
		t.Error("a gateway that came up later was not told of the claim")
	}
	if err := w.admin.RevokeClaim(context.Background(), f.Claim.ID); err != nil {
		t.Fatal(err)
	}
	if w.admission("prov", f.Claim.ID) != nil || w.admission("prov-2", f.Claim.ID) != nil {
		t.Error("a revoked claim is still admitted")
	}
}

func TestClaimsThatAreRefused(t *testing.T) {
	w := start(t)
	owner := w.User("olga", []access.Role{access.Owner}, "press")
	viewer := w.User("vera", []access.Role{access.Viewer}, "press")
	w.twin("kiln", twin.Type, "")
	twins, err := platform.OpenTwins(context.Background(), w.Base.DB)
	if err == nil {
		_, err = twins.Update(context.Background(), "kiln", func(t *twin.Twin) error { t.Definition.Owner = "paint"; return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
	good := api.NewClaim{Type: "pump", Owner: "press"}
	with := func(change func(*api.NewClaim)) api.NewClaim { c := good; change(&c); return c }
	lat := 91.0
	for name, tt := range map[string]struct {
		as   *api.Client
		in   api.NewClaim
		want error
		word string
	}{
		"a type that is not there":         {w.admin, with(func(c *api.NewClaim) { c.Type = "boat" }), twin.ErrInvalid, "boat"},
		"a type that cannot be":            {w.admin, with(func(c *api.NewClaim) { c.Type = "../x" }), twin.ErrInvalid, "type"},
		"a group that is not there":        {w.admin, with(func(c *api.NewClaim) { c.Owner = "nobody" }), twin.ErrInvalid, "nobody"},
		"longer than 90 days":              {w.admin, with(func(c *api.NewClaim) { c.Expires = twin.Duration(91 * 24 * time.Hour) }), twin.ErrInvalid, "expires"},
		"more than 100,000 uses":           {w.admin, with(func(c *api.NewClaim) { c.MaxUses = 100_001 }), twin.ErrInvalid, "maxUses"},
		"uses below zero":                  {w.admin, with(func(c *api.NewClaim) { c.MaxUses = -1 }), twin.ErrInvalid, "maxUses"},
		"a pattern that is none":           {w.admin, with(func(c *api.NewClaim) { c.Serials = "P-[" }), twin.ErrInvalid, "serials"},
		"a latitude off the earth":         {w.admin, with(func(c *api.NewClaim) { c.Location = &twin.Location{Latitude: &lat, Longitude: &lat} }), twin.ErrInvalid, "latitude"},
		"an owner for a foreign group":     {owner, with(func(c *api.NewClaim) { c.Owner = "paint" }), access.ErrDenied, "own groups"},
		"an owner for a type out of sight": {owner, with(func(c *api.NewClaim) { c.Type = "kiln" }), twin.ErrInvalid, "kiln"},
		"a viewer":                         {viewer, good, access.ErrDenied, ""},
		"nobody":                           {w.Nobody(), good, access.ErrUnauthenticated, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tt.as.CreateClaim(context.Background(), tt.in)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.word) {
				t.Errorf("got %v, want %v naming %q", err, tt.want, tt.word)
			}
		})
	}
}

func TestOnlyTheGroupSeesItsClaims(t *testing.T) {
	w := start(t)
	f := w.claim(1)
	mine := w.User("olga", []access.Role{access.Owner}, "press")
	other := w.User("otto", []access.Role{access.Owner}, "paint")
	ctx := context.Background()
	if _, err := mine.GetClaim(ctx, f.Claim.ID); err != nil {
		t.Error(err)
	}
	_, err := other.GetClaim(ctx, f.Claim.ID)
	_, none := other.GetClaim(ctx, "claim-none")
	if !errors.Is(err, api.ErrNotFound) || err.Error() != strings.ReplaceAll(none.Error(), "claim-none", f.Claim.ID) {
		t.Errorf("a foreign claim: %v; one that is not there: %v", err, none)
	}
	if page, err := other.ListClaims(ctx, api.ClaimQuery{}); err != nil || len(page.Items) > 0 || page.Next != "" {
		t.Errorf("a stranger's list: %+v, %v", page, err)
	}
	if err := other.RevokeClaim(ctx, f.Claim.ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a stranger revokes: %v", err)
	}
	if page, err := mine.ListClaims(ctx, api.ClaimQuery{}); err != nil || len(page.Items) != 1 {
		t.Errorf("the group's list: %+v, %v", page, err)
	}
}

// Many runs at once, each asking several times: every run counts once and none beyond the last use is let in.
func TestUsesAreCountedOncePerRun(t *testing.T) {
	w := start(t)
	f := w.claim(5)
	p := w.Part("twin-provision", "")
	ctx := context.Background()
	var mu sync.Mutex
	got := map[string]bool{}
	var wg sync.WaitGroup
	for run := range 8 {
		for range 3 {
			wg.Go(func() {
				id := fmt.Sprintf("run-%d.1", run)
				_, err := p.UseClaim(ctx, f.Claim.ID, api.ClaimUse{Run: id, Type: "pump", Serial: fmt.Sprintf("P-%d", run)})
				if err != nil && !errors.Is(err, device.ErrClaim) {
					t.Errorf("%s: %v", id, err)
				}
				mu.Lock()
				defer mu.Unlock()
				got[id] = got[id] || err == nil
			})
		}
	}
	wg.Wait()
	in := 0
	for _, ok := range got {
		if ok {
			in++
		}
	}
	c, err := p.GetClaim(ctx, f.Claim.ID)
	if err != nil || in != 5 || c.Used != 5 {
		t.Errorf("%d runs were let in and %d counted, want 5 (%v)", in, c.Used, err)
	}
}

func TestAUseIsGivenBackOnceAndForAll(t *testing.T) {
	w := start(t)
	f := w.claim(2)
	p := w.Part("twin-provision", "")
	ctx := context.Background()
	use := func(run string) error {
		_, err := p.UseClaim(ctx, f.Claim.ID, api.ClaimUse{Run: run, Type: "pump", Serial: "P-1"})
		return err
	}
	if err := use("a.1"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.ReturnClaim(ctx, f.Claim.ID, "a.1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.ReturnClaim(ctx, f.Claim.ID, "never.1"); err != nil {
		t.Fatal(err)
	}
	if err := use("a.1"); !errors.Is(err, api.ErrConflict) {
		t.Errorf("a use that comes late, after it was given back: %v", err)
	}
	if err := use("never.1"); !errors.Is(err, api.ErrConflict) {
		t.Errorf("a use that comes after its return: %v", err)
	}
	if c, err := p.GetClaim(ctx, f.Claim.ID); err != nil || c.Used != 0 {
		t.Errorf("used %d (%v), want 0", c.Used, err)
	}
}

// Devices that share a claim keep their access until the last of them needs it no more.
func TestAClaimClosesWithItsLastUse(t *testing.T) {
	w := start(t)
	f := w.claim(2)
	p := w.Part("twin-provision", "")
	ctx := context.Background()
	for i, run := range []string{"a.1", "b.1"} {
		if _, err := p.UseClaim(ctx, f.Claim.ID, api.ClaimUse{Run: run, Type: "pump", Serial: "P-1"}); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := p.CloseClaim(ctx, f.Claim.ID, run); err != nil {
				t.Fatal(err)
			}
		}
		if w.admission("prov", f.Claim.ID) == nil {
			t.Fatalf("the claim is gone after %s", run)
		}
	}
	if err := p.CloseClaim(ctx, f.Claim.ID, "b.1"); err != nil {
		t.Fatal(err)
	}
	if w.admission("prov", f.Claim.ID) != nil {
		t.Error("the claim is used up and nobody needs it, but it is still admitted")
	}
}
