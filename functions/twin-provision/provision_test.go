package twinprovision_test

import (
	"crypto/x509"
	"encoding/pem"
	"reflect"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"

	"github.com/castor-iot/castor/shared/api"
)

// A device asks, its gateway lets it in, it gets its bundle, confirms, and is operational. Nobody does anything by hand.
func TestADeviceProvisionsItself(t *testing.T) {
	w := start(t)
	w.identity("P-7")
	claim := w.claim(api.NewClaim{Location: &twin.Location{Region: "hall-3"}})
	r := w.request(claim, "P-7")

	a := w.ask(r)
	if a.Status != "pending" || a.State != "gateway" {
		t.Fatalf("it is told %+v\n%s", a, log(w.run(a.Run)))
	}
	ref := w.run(a.Run).Results.DeviceRef
	w.must(w.apply(ref))

	got := w.sent("c-p-7")
	b := got.Bundle
	if got.Status != "accepted" || b == nil {
		t.Fatalf("it is sent %+v\n%s", got, log(w.run(a.Run)))
	}
	if b.Gateway != "tls://127.0.0.1:8883" || string(b.Ref) != ref || b.Twin != "p-7" || b.Configuration != `{"serial": "P-7", "every": "30s"}` {
		t.Errorf("bundle %+v", b)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(b.CA))
	block, _ := pem.Decode([]byte(b.Certificate))
	cert, err := x509.ParseCertificate(block.Bytes)
	w.must(err)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil || cert.Subject.CommonName != ref {
		t.Errorf("certificate of %s: %v", cert.Subject.CommonName, err)
	}
	if again := w.ask(r); again.Bundle == nil || !reflect.DeepEqual(*again.Bundle, *b) {
		t.Errorf("the bundle got lost; asked for again it is %+v", again)
	}

	confirm := api.Confirmation{Gateway: "op", Ref: b.Ref, Twin: b.Twin}
	for range 2 {
		w.must(w.op.ConfirmProvisioning(w.ctx, confirm))
	}
	run := w.run(a.Run)
	if run.Outcome != provision.Completed {
		t.Fatalf("it is not completed:\n%s", log(run))
	}
	for _, s := range run.Steps {
		if s.At.IsZero() || s.Actor == "" || s.Outcome == "" || s.State == "" {
			t.Errorf("a step lacks time, state, actor or outcome: %+v", s)
		}
	}
	tw, err := w.admin.GetTwin(w.ctx, "p-7")
	w.must(err)
	d := tw.Definition
	if d.Phase != twin.Operational || d.Owner != "press" || d.Type != "pump" || d.Location == nil || d.Location.Region != "hall-3" || d.Configuration == nil || d.Configuration.Content != b.Configuration {
		t.Errorf("the twin is %+v", d)
	}
	if _, err := w.admin.GetClaim(w.ctx, claim); err != nil {
		t.Error(err)
	}
	if w.claimAdmitted(claim) {
		t.Error("the claim is used up, but still admitted")
	}
	if a := w.ask(r); a.Status != "rejected" || !strings.Contains(a.Reason, "reset") || a.Bundle != nil {
		t.Errorf("asked again when the credential is erased, it is told %+v", a)
	}
	if _, err := w.Part("twin-ingest", "").Resolve(w.ctx, []device.Ref{b.Ref}); err != nil {
		t.Error(err)
	}
}

func (w *world) claimAdmitted(claim string) bool {
	w.t.Helper()
	b, err := w.Base.Bus.Bucket(w.ctx, api.BucketOf("prov"))
	w.must(err)
	_, err = b.Get(w.ctx, api.AdmissionKey(claim))
	return err == nil
}
