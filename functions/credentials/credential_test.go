package credentials_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

func TestTheSameKeyGetsTheSameCertificate(t *testing.T) {
	w := start(t)
	w.twin("press.hall-3", twin.Instance, "pump")
	p := w.Part("twin-provision", "")
	ctx := context.Background()
	changed := w.Collect(event.CredentialChanged)
	in := api.NewCredential{Twin: "press.hall-3", Run: "a.1", CSR: csr(t)}
	first, err := p.IssueCredential(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := p.IssueCredential(ctx, in)
	if err != nil || !reflect.DeepEqual(again, first) {
		t.Errorf("asked again, the certificate is another one: %+v, %v", again, err)
	}
	if first.Ref.Valid() != nil || !strings.HasPrefix(string(first.Ref), "press-hall-3-") {
		t.Errorf("reference %q", first.Ref)
	}
	ca, err := w.Nobody().CA(ctx)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(ca))
	block, _ := pem.Decode([]byte(first.Certificate))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	if cert.Subject.CommonName != string(first.Ref) || pki.Fingerprint(cert.Raw) != first.Fingerprint {
		t.Errorf("the certificate is for %q with fingerprint %s", cert.Subject.CommonName, first.Fingerprint)
	}
	other := in
	other.CSR = csr(t)
	if _, err := p.IssueCredential(ctx, other); !errors.Is(err, api.ErrConflict) {
		t.Errorf("another key for the twin: %v", err)
	}
	functiontest.Eventually(t, "credential.changed is published", func() bool { return len(changed()) > 0 })

	if err := p.EraseCredential(ctx, first.Ref); err != nil {
		t.Fatal(err)
	}
	if _, err := p.IssueCredential(ctx, in); !errors.Is(err, api.ErrConflict) {
		t.Errorf("an erased certificate is handed out again: %v", err)
	}
	got, err := w.Part("twin-ingest", "").Resolve(ctx, []device.Ref{first.Ref, "nobody"})
	if err != nil || len(got) != 1 || got[0] != (api.Mapping{Ref: first.Ref, Twin: "press.hall-3", Type: "pump", Generation: 1}) {
		t.Errorf("after erasing, it resolves to %+v, %v", got, err)
	}
}

func TestAWithdrawnCertificateEndsAndTheNextIsAnother(t *testing.T) {
	w := start(t)
	w.twin("p-1", twin.Instance, "pump")
	p := w.Part("twin-provision", "")
	ctx := context.Background()
	first, err := p.IssueCredential(ctx, api.NewCredential{Twin: "p-1", Run: "a.1", CSR: csr(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.WithdrawCredential(ctx, "p-1", "b.1"); err != nil {
		t.Fatal(err)
	}
	if got, _ := w.Part("twin-ingest", "").Resolve(ctx, []device.Ref{first.Ref}); len(got) != 1 {
		t.Error("another run has withdrawn the certificate")
	}
	for range 2 {
		if err := p.WithdrawCredential(ctx, "p-1", "a.1"); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := w.Part("twin-ingest", "").Resolve(ctx, []device.Ref{first.Ref}); err != nil || len(got) != 0 {
		t.Errorf("a withdrawn reference resolves to %+v, %v", got, err)
	}
	if _, err := p.IssueCredential(ctx, api.NewCredential{Twin: "p-1", Run: "a.1", CSR: csr(t)}); !errors.Is(err, api.ErrConflict) {
		t.Errorf("a request that comes late, of the run that has withdrawn: %v", err)
	}
	next, err := p.IssueCredential(ctx, api.NewCredential{Twin: "p-1", Run: "a.2", CSR: csr(t)})
	if err != nil || next.Ref == first.Ref || next.Generation != 2 {
		t.Errorf("the next certificate is %s, generation %d, %v", next.Ref, next.Generation, err)
	}
}

// A connector learns only of devices that have their place at its own gateway.
func TestAConnectorResolvesItsOwnDevicesOnly(t *testing.T) {
	w := start(t)
	w.gateway("op-2", "operational")
	w.twin("p-1", twin.Instance, "pump")
	p := w.Part("twin-provision", "")
	ctx := context.Background()
	c, err := p.IssueCredential(ctx, api.NewCredential{Twin: "p-1", Run: "a.1", CSR: csr(t)})
	if err != nil {
		t.Fatal(err)
	}
	at := func(gateway string) int {
		t.Helper()
		got, err := w.Part("connector", gateway).Resolve(ctx, []device.Ref{c.Ref})
		if err != nil {
			t.Fatal(err)
		}
		return len(got)
	}
	if at("op") != 0 {
		t.Error("a device without a place is resolved")
	}
	a, err := p.AssignGateway(ctx, api.Assign{Ref: c.Ref, Twin: "p-1", Proof: c.Proof()})
	if err != nil || a.Gateway != "op" {
		t.Fatalf("%+v, %v", a, err)
	}
	if at("op") != 1 || at("op-2") != 0 {
		t.Errorf("at its gateway it resolves to %d, at another to %d", at("op"), at("op-2"))
	}
	if _, err := w.admin.Resolve(ctx, []device.Ref{c.Ref}); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a person resolves: %v", err)
	}
}

// A twin that is deleted takes its certificate with it; one that is there again under the same id keeps its own.
func TestADeletedTwinLosesItsCertificate(t *testing.T) {
	w := start(t)
	p := w.Part("twin-provision", "")
	ctx := context.Background()
	w.twin("p-1", twin.Instance, "pump")
	c, err := p.IssueCredential(ctx, api.NewCredential{Twin: "p-1", Run: "a.1", CSR: csr(t)})
	if err != nil {
		t.Fatal(err)
	}
	gone := event.New("p-1#9", event.TwinDeleted, "p-1", time.Now(), api.TwinChanged{Twin: "p-1", Kind: twin.Instance})
	resolves := func() int {
		if err := w.Event("credentials", gone); err != nil {
			t.Fatal(err)
		}
		got, err := w.Part("twin-ingest", "").Resolve(ctx, []device.Ref{c.Ref})
		if err != nil {
			t.Fatal(err)
		}
		return len(got)
	}
	if resolves() != 1 {
		t.Error("a late event took the certificate of a twin that is there")
	}
	twins, err := platform.OpenTwins(ctx, w.Base.DB)
	if err == nil {
		err = twins.Delete(ctx, "p-1")
	}
	if err != nil {
		t.Fatal(err)
	}
	if resolves() != 0 {
		t.Error("the certificate of a deleted twin is still there")
	}
}

func TestHostileCSRs(t *testing.T) {
	w := start(t)
	w.twin("p-1", twin.Instance, "pump")
	p := w.Part("twin-provision", "")
	good := csr(t)
	for name, in := range map[string]api.NewCredential{
		"empty":               {Twin: "p-1", Run: "a.1"},
		"not PEM":             {Twin: "p-1", Run: "a.1", CSR: "hello"},
		"a certificate":       {Twin: "p-1", Run: "a.1", CSR: strings.ReplaceAll(good, "CERTIFICATE REQUEST", "CERTIFICATE")},
		"rubbish within PEM":  {Twin: "p-1", Run: "a.1", CSR: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"},
		"larger than allowed": {Twin: "p-1", Run: "a.1", CSR: good + strings.Repeat("x", pki.MaxCSR)},
		"no run":              {Twin: "p-1", CSR: good},
		"a type":              {Twin: "pump", Run: "a.1", CSR: good},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := p.IssueCredential(context.Background(), in); !errors.Is(err, twin.ErrInvalid) {
				t.Errorf("got %v, want it to be invalid", err)
			}
		})
	}
	if _, err := p.IssueCredential(context.Background(), api.NewCredential{Twin: "none", Run: "a.1", CSR: good}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a twin that is not there: %v", err)
	}
}

func fingerprintOf(t *testing.T, certificate string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(certificate))
	if block == nil {
		t.Fatal("no certificate")
	}
	return pki.Fingerprint(block.Bytes)
}
