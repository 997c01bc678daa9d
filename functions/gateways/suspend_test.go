package gateways_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/seal"
	"github.com/castor-iot/castor/shared/twin"
)

func TestASuspendedTwinsDeviceIsLetOutAndIn(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	w.gateway(api.Gateway{ID: "op", Phase: "operational"})
	w.twin("t-1", "press")
	w.place(assign(1, ""))
	w.change("t-1", "definition", func(t *twin.Twin) { t.Definition.Name = "a" })
	if a := w.assignment("dev-1"); !a.Applied || a.Suspended {
		t.Fatalf("a change of name: %+v", a)
	}
	w.change("t-1", "definition", func(t *twin.Twin) { t.Definition.Phase = twin.Suspended })
	in, _ := w.admitted("op", "dev-1")
	if a := w.assignment("dev-1"); in != nil || !a.Suspended || a.Applied || a.Gateway != "op" || w.list()["op"].Devices != 1 {
		t.Fatalf("suspended: let in %v, %+v", in, a)
	}
	w.gateway(api.Gateway{ID: "op", Phase: "operational"})
	if in, _ := w.admitted("op", "dev-1"); in != nil {
		t.Error("a heartbeat lets it in again")
	}
	// What it shows changes meanwhile.
	_, err := w.Part("credentials", "").ChangeProof(ctx, "dev-1", api.ProofChange{Proof: api.Proof{Version: 2, Fingerprints: []string{fingerprint(8), fingerprint(9)}}})
	if err != nil {
		t.Fatal(err)
	}
	w.change("t-1", "definition", func(t *twin.Twin) { t.Definition.Phase = twin.Operational })
	in, revision := w.admitted("op", "dev-1")
	if a := w.assignment("dev-1"); in == nil || len(in.Fingerprints) != 2 || a.Suspended || a.Applied {
		t.Fatalf("resumed: let in %v, %+v", in, a)
	}
	w.applied("op", "dev-1", revision)
	if a := w.assignment("dev-1"); !a.Applied {
		t.Errorf("not applied: %+v", a)
	}
	_, err = w.Part("credentials", "").ChangeProof(ctx, "dev-1", api.ProofChange{Proof: api.Proof{Version: 1, Fingerprints: []string{fingerprint(1)}}})
	if in, _ := w.admitted("op", "dev-1"); err != nil || len(in.Fingerprints) != 2 {
		t.Errorf("what comes late changes what may be shown: %+v, %v", in, err)
	}
	if _, err = w.Part("credentials", "").ChangeProof(ctx, "dev-1", api.ProofChange{Proof: api.Proof{Version: 3}}); err != nil {
		t.Fatal(err)
	}
	if in, _ := w.admitted("op", "dev-1"); in != nil {
		t.Error("nothing may be shown, and it is let in")
	}
}

func TestWhatAMoveSays(t *testing.T) {
	w := start(t)
	public, _, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	w.gateway(api.Gateway{ID: "a", Phase: "operational", Region: "north"})
	w.gateway(api.Gateway{ID: "b", Phase: "operational", Region: "south"})
	w.gateway(api.Gateway{ID: "calls", Phase: "operational", Protocol: "grpc"})
	w.gateway(api.Gateway{ID: "door", Phase: "provisioning"})
	w.gateway(api.Gateway{ID: "keeps", Phase: "operational", PublicKey: public, Kinds: []device.Kind{device.Password}})
	w.twin("t-1", "press")
	w.twin("t-2", "press")
	w.place(assign(1, "north"))
	secret := assign(2, "north")
	secret.Kind, secret.Fingerprints, secret.Verifiers = device.Password, nil, []string{fingerprint(2)}
	w.place(secret)
	c := w.Admin()
	for _, tt := range []struct {
		what, ref, to, says string
	}{
		{"another protocol", "dev-1", "calls", "it speaks grpc and the device mqtt"},
		{"a provisioning gateway", "dev-1", "door", "it is a provisioning one"},
		{"what it shows", "dev-1", "keeps", "it does not take what the device shows, a credential of kind certificate"},
		{"a secret that nobody has", "dev-2", "keeps", "is not to be had any more; enroll the device anew"},
	} {
		_, err := c.MoveAssignment(context.Background(), device.Ref(tt.ref), api.MoveDevice{Gateway: tt.to, Reason: "test"})
		if !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want a conflict that says %q", tt.what, err, tt.says)
		}
	}
	a, err := c.MoveAssignment(context.Background(), "t-1", api.MoveDevice{Reason: "test"}) // its twin
	if err != nil || a.Ref != "dev-1" || a.Gateway != "b" || !strings.Contains(a.Reason, "no other gateway of region north") {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := c.MoveAssignment(context.Background(), "t-9", api.MoveDevice{Reason: "test"}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("nobody's: %v", err)
	}
}

// A gateway that was given a password and keeps a hash of its own must not be told to forget it: nobody else has it.
func TestASuspendedDevicesPasswordStaysAtItsGateway(t *testing.T) {
	w := start(t)
	public, _, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	op := api.Gateway{ID: "op", Phase: "operational", Kinds: []device.Kind{device.Password}, PublicKey: public, Contract: "mosquitto"}
	w.gateway(op)
	w.twin("t-1", "press")
	in := assign(1, "")
	in.Kind, in.Fingerprints, in.Verifiers, in.SealedFor = device.Password, nil, []string{fingerprint(1)}, map[string]string{"op": "sealed"}
	w.place(in)
	phase := func(to bool, sealed string) *api.Admission {
		t.Helper()
		w.change("t-1", "definition", func(t *twin.Twin) { t.Definition.Suspended = to })
		a, revision := w.admitted("op", "dev-1")
		if a == nil || a.Suspended() != to || a.Sealed != sealed {
			t.Fatalf("suspended %v: the gateway is told %+v", to, a)
		}
		if !to {
			w.applied("op", "dev-1", revision)
		}
		if a := w.assignment("dev-1"); a.Suspended != to || a.Applied == to {
			t.Fatalf("suspended %v: %+v", to, a)
		}
		return a
	}
	phase(true, "")
	b, err := w.Base.Bus.Bucket(context.Background(), api.BucketOf("op"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{api.FilledKey, api.AdmissionKey("dev-1")} { // the bucket is lost
		if _, err := b.Delete(context.Background(), key); err != nil {
			t.Fatal(err)
		}
	}
	w.gateway(op)
	if a, _ := w.admitted("op", "dev-1"); a == nil || !a.Suspended() {
		t.Errorf("a bucket that was lost and filled again tells %+v", a)
	}
	if a := w.assignment("dev-1"); a.Applied {
		t.Errorf("applied: %+v", a)
	}
	phase(false, "")
	phase(true, "")
	if err := w.provision.RemoveAssignment(context.Background(), "dev-1"); err != nil {
		t.Fatal(err)
	}
	if a, _ := w.admitted("op", "dev-1"); a != nil {
		t.Errorf("its place is taken away, and the gateway is told %+v", a)
	}
}
