package twins_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/credentials"
	"github.com/castor-iot/castor/functions/gateways"
	"github.com/castor-iot/castor/functions/identities"
	"github.com/castor-iot/castor/functions/twins"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
	"github.com/castor-iot/castor/tests/objecttest"
)

// enrolled makes an operational twin of group plant with n messages, whose device has a certificate and a place at gateway op.
func (w *world) enrolled(id twin.ID, n int) api.Credential {
	w.t.Helper()
	w.said(id, n, 0)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(w.t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	must(w.t, err)
	// It speaks HTTP, as network servers' integrations do, which may speak for others.
	c, err := w.provision.IssueCredential(ctx, api.NewCredential{Twin: id, Run: "a.1", Protocol: "http", CSR: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))})
	must(w.t, err)
	_, err = w.provision.AssignGateway(ctx, api.Assign{Ref: c.Ref, Twin: id, Proof: c.Proof(), Protocol: "http"})
	must(w.t, err)
	return c
}

func withDevices(t testing.TB) *world {
	w := newWorld(t)
	w.Add("credentials", credentials.New)
	w.Add("gateways", gateways.New)
	w.Add("identities", identities.New)
	w.Base.Objects = objecttest.Start(t)
	w.Add("twins", twins.New)
	w.make("pump")
	w.alive()
	return w
}

// alive is gateway op's heartbeat.
func (w *world) alive() {
	w.t.Helper()
	_, err := w.Part("connector", "op").PutGateway(ctx, api.Gateway{ID: "op", Phase: "operational", Protocol: "http", URL: "https://127.0.0.1:8887"})
	must(w.t, err)
}

// out is gateway op writing back that a device is out.
func (w *world) out(ref device.Ref) {
	w.t.Helper()
	must(w.t, w.Event("gateways", event.New("gone-"+string(ref), event.GatewayApplied, "op", w.Now(), api.GatewayApplied{Gateway: "op", Client: string(ref), Revision: 99, Removed: true})))
}

// ends has the function work until the decommissioning is done.
func (w *world) ends(c *api.Client, id twin.ID) (out api.Decommission) {
	w.t.Helper()
	for range 30 {
		var err error
		out, err = c.GetDecommission(ctx, id)
		must(w.t, err)
		if out.State == api.DecommissionDone {
			return out
		}
		w.SetTime(w.Now().Add(20 * time.Second))
		w.alive()
		must(w.t, w.Tick("twins", w.Now()))
		w.sweep()
	}
	w.t.Fatalf("it is never done: %+v", out)
	return out
}

// A device loses its access first, its data are archived and the proof tells all of it, when nothing else is left.
func TestDecommissioningIsProven(t *testing.T) {
	w := withDevices(t)
	ada, eve := w.User("ada", []access.Role{access.Owner}, "plant"), w.User("eve", []access.Role{access.Owner})
	c := w.enrolled("p-1", 5)
	for name, err := range map[string]error{
		"a stranger":       func() error { _, err := eve.Decommission(ctx, "p-1", api.NewDecommission{Reason: "x"}); return err }(),
		"a stranger looks": func() error { _, err := eve.GetDecommission(ctx, "p-1"); return err }(),
	} {
		if !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ada.Decommission(ctx, "p-1", api.NewDecommission{}); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("without a reason: %v", err)
	}
	if _, err := ada.Decommission(ctx, "pump", api.NewDecommission{Reason: "x"}); err == nil {
		t.Error("a type is decommissioned")
	}
	v, err := ada.Decommission(ctx, "p-1", api.NewDecommission{Reason: "scrapped", Data: twin.Archive})
	if err != nil || v.State != api.DecommissionAccess || v.Waits == "" {
		t.Fatalf("%+v, %v", v, err)
	}
	if got, err := w.admin.GetTwin(ctx, "p-1"); err != nil || got.Definition.Phase != twin.Retired {
		t.Errorf("while the gateway has not let it out, the twin is %s, %v: its data must not go before its access", got.Definition.Phase, err)
	}
	if records, _ := w.left("p-1"); records == 0 {
		t.Error("its history went before its access")
	}
	w.out(c.Ref)
	v = w.ends(ada, "p-1")
	if len(v.Credentials) != 1 || v.Credentials[0].Fingerprint != c.Fingerprint || v.Credentials[0].State != api.CredentialEnded || v.Credentials[0].Ended.IsZero() {
		t.Errorf("of its credential it says %+v", v.Credentials)
	}
	if len(v.Places) != 1 || v.Places[0].Gateway != "op" || v.Places[0].Revision != 99 || v.Places[0].Applied.IsZero() {
		t.Errorf("of its place it says %+v", v.Places)
	}
	kept := w.archives(ada)
	if len(kept) != 1 || v.Archive != kept[0].ID || v.SHA256 != kept[0].SHA256 || v.SHA256 == "" || v.Records != 5 || v.Messages != 5 || v.By != "user:ada" || v.Reason != "scrapped" {
		t.Errorf("%+v; the archive is %+v", v, kept)
	}
	if records, parked := w.left("p-1"); records+parked != 0 {
		t.Errorf("%d records and %d parked messages are left", records, parked)
	}
	if _, err := eve.GetDecommission(ctx, "p-1"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a stranger sees the proof: %v", err)
	}
}

// A gateway that is dead does not hold it up for ever; data can be erased.
func TestDecommissioningWithADeadGateway(t *testing.T) {
	w := withDevices(t)
	w.enrolled("p-1", 3)
	if _, err := w.admin.Decommission(ctx, "p-1", api.NewDecommission{Reason: "lost", Data: twin.Erase}); err != nil {
		t.Fatal(err)
	}
	v := w.ends(w.admin, "p-1")
	if v.Data != twin.Erase || v.Archive != "" || v.Removed.IsZero() || len(v.Places) != 1 || !v.Places[0].Applied.IsZero() {
		t.Errorf("%+v", v)
	}
	if records, parked := w.left("p-1"); records+parked != 0 {
		t.Errorf("%d records and %d parked messages are left", records, parked)
	}
}

func TestPeopleSuspendAndResume(t *testing.T) {
	w := withDevices(t)
	w.enrolled("p-1", 1)
	ada, eve := w.User("ada", []access.Role{access.Owner}, "plant"), w.User("eve", []access.Role{access.Owner})
	if _, err := eve.SuspendTwin(ctx, "p-1", "x"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
	for range 2 {
		if got, err := ada.SuspendTwin(ctx, "p-1", "leaks"); err != nil || got.Definition.Phase != twin.Suspended {
			t.Errorf("%s, %v", got.Definition.Phase, err)
		}
	}
	if got, err := ada.ResumeTwin(ctx, "p-1", "mended"); err != nil || got.Definition.Phase != twin.Operational {
		t.Errorf("%s, %v", got.Definition.Phase, err)
	}
	if _, err := ada.SuspendTwin(ctx, "p-1", ""); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("without a reason: %v", err)
	}
}

// The platform dies at every write of a decommissioning, in each way, and another instance goes on: it ends with the proof.
func TestACrashAtEveryWriteOfADecommissioning(t *testing.T) {
	t.Parallel()
	for _, how := range functiontest.Ways {
		w := withDevices(t)
		for n := 0; ; n++ {
			id := twin.ID(fmt.Sprintf("p-%d", n))
			c := w.enrolled(id, 2)
			crash := w.Crash(n, how)
			crash.Base.Objects = w.Base.Objects
			crash.Run(w.World, "twins", twins.New)
			_, err := w.admin.Decommission(ctx, id, api.NewDecommission{Reason: "x", Data: twin.Erase})
			w.out(c.Ref)
			if err == nil {
				w.SetTime(w.Now().Add(3 * time.Second))
				_ = w.Tick("twins", w.Now()) // it may crash in there
			}
			through := !crash.Came()
			w.Add("twins", twins.New)
			if _, err := w.admin.Decommission(ctx, id, api.NewDecommission{Reason: "x", Data: twin.Erase}); err != nil && !errors.Is(err, api.ErrNotFound) {
				t.Fatalf("way %d, write %d: asked again: %v", how, n, err)
			}
			if v := w.ends(w.admin, id); len(v.Credentials) != 1 || v.Removed.IsZero() {
				t.Fatalf("way %d, write %d: %+v", how, n, v)
			}
			if through {
				t.Logf("way %d: %d writes", how, n)
				break
			}
		}
	}
}
