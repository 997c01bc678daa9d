package credentials_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/credentials"
	"github.com/castor-iot/castor/functions/gateways"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// placed makes a twin of group press whose device has a credential and a place at gateway op.
func (w *world) placed(id twin.ID, in api.NewCredential) api.Credential {
	w.t.Helper()
	ctx := context.Background()
	c, err := platform.OpenTwins(ctx, w.Base.DB)
	if err == nil {
		err = c.Insert(ctx, twin.Twin{ID: id, Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: "press", Version: 1, Phase: twin.Operational}})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	p := w.Part("twin-provision", "")
	in.Twin, in.Run = id, "a.1"
	out, err := p.IssueCredential(ctx, in)
	if err == nil {
		_, err = p.AssignGateway(ctx, api.Assign{Ref: out.Ref, Twin: id, Proof: out.Proof(), SealedFor: out.SealedFor})
	}
	if err == nil {
		err = p.EraseCredential(ctx, out.Ref)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// shown is what gateway op takes of a device.
func (w *world) shown(ref device.Ref) []string {
	w.t.Helper()
	a := w.admission("op", string(ref))
	if a == nil {
		return nil
	}
	return slices.Concat(a.Fingerprints, a.Verifiers)
}

// states are what people are told of a twin's credentials, the newest first.
func (w *world) states(id twin.ID) (out []string) {
	w.t.Helper()
	page, err := w.admin.ListCredentials(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range page.Items {
		out = append(out, f.State+" "+f.Reason)
	}
	return out
}

// Both certificates are good from the moment the device has the new one until it has shown it; then the old one is not.
func TestACertificateIsRenewed(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	old := w.placed("p-1", api.NewCredential{CSR: csr(t)})
	op := w.Part("connector", "op")
	ask := api.Renewal{CSR: csr(t)}
	answer, err := op.RenewCredential(ctx, old.Ref, ask)
	if err != nil || answer.Ref != old.Ref || answer.Certificate == "" || answer.Certificate == old.Certificate {
		t.Fatalf("%+v, %v", answer, err)
	}
	fresh := fingerprintOf(t, answer.Certificate)
	if got := w.shown(old.Ref); !slices.Equal(got, []string{old.Fingerprint, fresh}) {
		t.Errorf("the gateway takes %v", got)
	}
	if again, err := op.RenewCredential(ctx, old.Ref, ask); err != nil || !reflect.DeepEqual(again, answer) {
		t.Errorf("asked again it is another one: %v", err)
	}
	early := new(api.Problem)
	if _, err := op.RenewCredential(ctx, old.Ref, api.Renewal{CSR: csr(t)}); !errors.Is(err, api.ErrTooMany) || !errors.As(err, &early) || early.RetryAfter != 60 {
		t.Errorf("one more at once: %v, retry after %d s", err, early.RetryAfter)
	}
	if got := w.states("p-1"); !slices.Equal(got, []string{"pending ", "active "}) {
		t.Errorf("people are told %q", got)
	}
	if got, err := w.Part("twin-ingest", "").Resolve(ctx, []device.Ref{old.Ref}); err != nil || len(got) != 1 || got[0].Generation != old.Generation || got[0].Pending {
		t.Errorf("it resolves to %+v, %v", got, err)
	}
	for range 2 {
		if err := op.ConfirmCredential(ctx, old.Ref, api.Shown{Fingerprint: fresh}); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.shown(old.Ref); !slices.Equal(got, []string{fresh}) {
		t.Errorf("when the new one was shown, the gateway takes %v", got)
	}
	if got := w.states("p-1"); !slices.Equal(got, []string{"active ", "ended renewed"}) {
		t.Errorf("people are told %q", got)
	}
	if err := op.ConfirmCredential(ctx, old.Ref, api.Shown{Fingerprint: old.Fingerprint}); !errors.Is(err, api.ErrConflict) {
		t.Errorf("the old one is shown: %v", err)
	}
}

// A device that has lost the key it asked with asks with another, and the certificate in between is nobody's.
func TestADeviceThatLostTheNewKeyAsksAgain(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	old := w.placed("p-1", api.NewCredential{CSR: csr(t)})
	op := w.Part("connector", "op")
	lost, err := op.RenewCredential(ctx, old.Ref, api.Renewal{CSR: csr(t)})
	if err != nil {
		t.Fatal(err)
	}
	w.SetTime(time.Now().Add(2 * time.Minute))
	next, err := op.RenewCredential(ctx, old.Ref, api.Renewal{CSR: csr(t)})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.shown(old.Ref); !slices.Equal(got, []string{old.Fingerprint, fingerprintOf(t, next.Certificate)}) {
		t.Errorf("the gateway takes %v", got)
	}
	if err := op.ConfirmCredential(ctx, old.Ref, api.Shown{Fingerprint: fingerprintOf(t, lost.Certificate)}); !errors.Is(err, api.ErrConflict) {
		t.Errorf("the lost one is shown: %v", err)
	}
}

func TestATokenIsRenewed(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	old := w.placed("p-1", api.NewCredential{Kind: device.Token, PublicKey: newReader(t).public})
	op, r := w.Part("connector", "op"), newReader(t)
	answer, err := op.RenewCredential(ctx, old.Ref, api.Renewal{PublicKey: r.public})
	if err != nil {
		t.Fatal(err)
	}
	key, err := w.Base.Secrets(platform.SecretVerify)
	if err != nil {
		t.Fatal(err)
	}
	fresh := device.Verifier(key, old.Ref, bare(t, r.open(t, old.Ref, answer.Sealed)))
	if got := w.shown(old.Ref); !slices.Equal(got, []string{old.Verifier, fresh}) {
		t.Errorf("the gateway takes %v", got)
	}
	if err := op.ConfirmCredential(ctx, old.Ref, api.Shown{Verifier: fresh}); err != nil {
		t.Fatal(err)
	}
	if got := w.shown(old.Ref); !slices.Equal(got, []string{fresh}) {
		t.Errorf("when the new one was shown, the gateway takes %v", got)
	}
}

// The lifetime is the type's, and a gateway that is not the device's gets nothing.
func TestWhoMayRenewAndForHowLong(t *testing.T) {
	w := start(t)
	w.gateway("op-2", "operational")
	ctx := context.Background()
	twins, err := platform.OpenTwins(ctx, w.Base.DB)
	if err == nil {
		_, err = twins.Update(ctx, "pump", func(t *twin.Twin) error {
			t.Definition.Model = &twin.Model{CredentialLifetime: twin.Duration(30 * 24 * time.Hour)}
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	c := w.placed("p-1", api.NewCredential{CSR: csr(t)})
	if left := time.Until(c.Expires); left < 29*24*time.Hour || left > 31*24*time.Hour {
		t.Errorf("it ends in %s", left)
	}
	a, err := w.Part("twin-provision", "").GetAssignment(ctx, c.Ref)
	if err != nil {
		t.Fatal(err)
	}
	other := map[string]string{"op": "op-2", "op-2": "op"}[a.Gateway]
	for name, client := range map[string]*api.Client{"another gateway": w.Part("connector", other), "a person": w.admin, "nobody": w.Nobody()} {
		if _, err := client.RenewCredential(ctx, c.Ref, api.Renewal{CSR: csr(t)}); err == nil {
			t.Errorf("%s renews", name)
		}
		if err := client.ConfirmCredential(ctx, c.Ref, api.Shown{Fingerprint: c.Fingerprint}); err == nil {
			t.Errorf("%s confirms", name)
		}
	}
	if _, err := w.Part("connector", a.Gateway).RenewCredential(ctx, c.Ref, api.Renewal{PublicKey: newReader(t).public}); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("a secret in place of a certificate: %v", err)
	}
}

// Who may write the twin revokes: the device is out at once, and comes in again by a new run only.
func TestARevokedCredentialIsOver(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	c := w.placed("p-1", api.NewCredential{CSR: csr(t)})
	owner := w.User("ada", []access.Role{access.Owner}, "press")
	stranger := w.User("eve", []access.Role{access.Owner})
	if err := stranger.RevokeCredential(ctx, c.Ref, "mine"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := stranger.ListCredentials(ctx, "p-1"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a stranger lists: %v", err)
	}
	if err := owner.RevokeCredential(ctx, c.Ref, " "); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("without a reason: %v", err)
	}
	if err := owner.RevokeCredential(ctx, c.Ref, "stolen"); err != nil {
		t.Fatal(err)
	}
	if got := w.shown(c.Ref); got != nil {
		t.Errorf("the gateway takes %v", got)
	}
	if got, err := w.Part("twin-ingest", "").Resolve(ctx, []device.Ref{c.Ref}); err != nil || len(got) != 0 {
		t.Errorf("it resolves to %+v, %v", got, err)
	}
	if _, err := w.Part("connector", "op").RenewCredential(ctx, c.Ref, api.Renewal{CSR: csr(t)}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("it is renewed: %v", err)
	}
	if _, err := w.Part("twin-provision", "").IssueCredential(ctx, api.NewCredential{Twin: "p-1", Run: "a.1", CSR: csr(t)}); !errors.Is(err, api.ErrConflict) {
		t.Errorf("the same run gets another: %v", err)
	}
	if got := w.states("p-1"); !slices.Equal(got, []string{"ended stolen"}) {
		t.Errorf("people are told %q", got)
	}
}

// The platform dies at every write of a renewal and of a revocation, in each way, and another instance goes on.
func TestACrashAtEveryWriteOfARenewal(t *testing.T) {
	build := map[string]func(*platform.Platform) faas.Func{"credentials": credentials.New, "gateways": gateways.New}
	for _, how := range functiontest.Ways {
		w := start(t)
		ctx := context.Background()
		for n := 0; ; n++ {
			c := w.placed(twin.ID(fmt.Sprintf("p-%d-%d", how, n)), api.NewCredential{CSR: csr(t)})
			op := w.Part("connector", "op")
			op.Retries = false
			crash := w.Crash(n, how)
			for name, f := range build {
				crash.Run(w.World, name, f)
			}
			ask := api.Renewal{CSR: csr(t)}
			answer, err := op.RenewCredential(ctx, c.Ref, ask)
			if err == nil {
				err = op.ConfirmCredential(ctx, c.Ref, api.Shown{Fingerprint: fingerprintOf(t, answer.Certificate)})
			}
			if err == nil {
				err = w.admin.RevokeCredential(ctx, c.Ref, "over")
			}
			through := !crash.Came()
			for name, f := range build {
				w.Add(name, f)
			}
			// Whatever the device has, it gets in with.
			if got := w.shown(c.Ref); err != nil && answer.Certificate != "" && got != nil && !slices.Contains(got, fingerprintOf(t, answer.Certificate)) {
				t.Fatalf("way %d, write %d: the device has a certificate that does not let it in", how, n)
			}
			if err != nil {
				w.SetTime(w.Now().Add(time.Minute))
				w.gateway("op", "operational") // it is alive
				if _, err := w.Part("twin-watchdog", "").Sweep(ctx, "gateways"); err != nil {
					t.Fatal(err)
				}
				if _, err := w.Part("twin-watchdog", "").Sweep(ctx, "credentials"); err != nil {
					t.Fatal(err)
				}
				again, err := w.Part("connector", "op").RenewCredential(ctx, c.Ref, ask)
				if errors.Is(err, api.ErrNotFound) { // it was being revoked
					if got := w.shown(c.Ref); got != nil {
						t.Fatalf("way %d, write %d: revoked, the gateway takes %v", how, n, got)
					}
					continue
				}
				if err != nil {
					t.Fatalf("way %d, write %d: asked again: %v", how, n, err)
				}
				if err := w.Part("connector", "op").ConfirmCredential(ctx, c.Ref, api.Shown{Fingerprint: fingerprintOf(t, again.Certificate)}); err != nil {
					t.Fatalf("way %d, write %d: %v", how, n, err)
				}
				if got := w.shown(c.Ref); !slices.Equal(got, []string{fingerprintOf(t, again.Certificate)}) {
					t.Fatalf("way %d, write %d: the gateway takes %v", how, n, got)
				}
				if err := w.admin.RevokeCredential(ctx, c.Ref, "over"); err != nil {
					t.Fatal(err)
				}
			}
			if got := w.shown(c.Ref); got != nil {
				t.Fatalf("way %d, write %d: at the end the gateway takes %v", how, n, got)
			}
			if through {
				t.Logf("way %d: %d writes", how, n)
				break
			}
		}
	}
}
