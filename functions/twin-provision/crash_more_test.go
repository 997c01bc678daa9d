package twinprovision_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/seal"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// walk has the platform crash at every write of what do asks for, in each way: prepare comes before, and check when others have gone on.
func walk[T any](t *testing.T, begin func(*testing.T) *world, prepare func(w *world, n int) T, do func(w *world, v T) error, check func(w *world, n int, v T)) {
	for _, how := range ways {
		t.Run(fmt.Sprintf("way %d", how), func(t *testing.T) {
			t.Parallel()
			w := begin(t)
			for n := 0; ; n++ {
				if n > 500 {
					t.Fatal("it never gets through without a crash")
				}
				w.renew(n)
				v := prepare(w, n)
				c := w.Crash(n, how)
				for name, build := range all {
					c.Run(w.World, name, build)
				}
				err := do(w, v)
				c.Over()
				if !c.Came() && err != nil {
					t.Fatalf("nothing crashed, yet: %v", err)
				}
				check(w, n, v)
				if t.Failed() {
					t.FailNow()
				}
				if !c.Came() {
					t.Logf("%d writes", n)
					return
				}
			}
		})
	}
}

// A secret that the platform makes is made once: whoever goes on hands out what was sealed for the device before, and that opens the
// door.
func TestACrashAtEveryWriteOfASecret(t *testing.T) {
	type secret struct {
		d       *crashed
		private []byte
	}
	var claims sync.Map // by world
	walk(t, start, func(w *world, n int) secret {
		if n == 0 {
			claims.Store(w, w.claim(api.NewClaim{MaxUses: 1000}))
		}
		claim, _ := claims.Load(w)
		public, private, err := seal.NewKey()
		w.must(err)
		d := &crashed{w: w, r: w.request(claim.(string), fmt.Sprintf("S-%03d", n), func(r *api.ProvisionRequest) {
			r.CSR, r.Kind, r.PublicKey = "", string(device.Token), public
		})}
		w.identity(d.r.Serial)
		return secret{d, private}
	}, func(_ *world, s secret) error { return s.d.drive() }, func(w *world, n int, s secret) {
		first := w.credential(twin.ID(strings.ToLower(s.d.r.Serial)))
		run := w.run(s.d.finish(n))
		if len(s.d.bundles) == 0 {
			w.t.Fatalf("crash %d: the device was handed nothing", n)
		}
		for _, b := range s.d.bundles {
			if bytes.Contains(first, []byte("sealed")) && !bytes.Contains(first, []byte(b.Sealed)) {
				w.t.Errorf("crash %d: a second secret was made", n)
			}
			plain, err := seal.Open(s.private, api.SealInfo(b.Ref), b.Sealed)
			w.must(err)
			var shown api.Secret
			w.must(json.Unmarshal(plain, &shown))
			ref, text, ok := device.Split(shown.Secret)
			verifier, err := w.Platform("credentials").Verifier(ref, text)
			w.must(err)
			if !ok || ref != b.Ref || !slices.Equal(w.admission(ref).Verifiers, []string{verifier}) {
				w.t.Errorf("crash %d: what the device was handed is not what lets it in", n)
			}
		}
		page, err := w.admin.ListCredentials(w.ctx, run.Twin)
		if w.must(err); len(page.Items) != 1 || page.Items[0].Kind != device.Token {
			w.t.Errorf("crash %d: its credentials: %+v", n, page.Items)
		}
	})
}

// credential is the document of a twin's credential as it is in the store, nil if there is none.
func (w *world) credential(id twin.ID) (doc []byte) {
	w.t.Helper()
	table, err := w.Base.DB.Driver().Table(w.ctx, "credentials", nil)
	w.must(err)
	_, err = table.Walk(w.ctx, store.Walk{Segments: []store.Segment{{}}}, func(h store.Hit) error {
		if bytes.Contains(h.Doc, []byte(id)) {
			doc = bytes.Clone(h.Doc)
		}
		return nil
	})
	w.must(err)
	return doc
}

// admission is what the operational gateway is told of a device.
func (w *world) admission(ref device.Ref) (a api.Admission) {
	w.t.Helper()
	b, err := w.Base.Bus.Bucket(w.ctx, api.BucketOf("op"))
	w.must(err)
	e, err := b.Get(w.ctx, api.AdmissionKey(string(ref)))
	w.must(err)
	w.must(json.Unmarshal(e.Value, &a))
	return a
}

// A replacement that was cut off anywhere is done when it is asked for again: the old device is out for ever, the new one comes in as
// the same twin.
func TestACrashAtEveryWriteOfAReplacement(t *testing.T) {
	type swap struct {
		in    api.Replacement
		old   api.ProvisionRequest
		ref   device.Ref
		claim string
	}
	walk(t, start, func(w *world, n int) swap {
		serial := fmt.Sprintf("R-%03d", n)
		w.identity(serial)
		claim := w.claim(api.NewClaim{MaxUses: 2})
		old := w.request(claim, serial)
		_, b := w.provision(old)
		return swap{api.Replacement{Twin: b.Twin, Serial: "NEW-" + serial, Reason: "struck by lightning"}, old, b.Ref, claim}
	}, func(w *world, s swap) error {
		_, err := w.admin.ReplaceDevice(w.ctx, s.in)
		return err
	}, func(w *world, n int, s swap) {
		w.must(w.later(16 * time.Second))
		w.sweep()
		if _, err := w.admin.ReplaceDevice(w.ctx, s.in); err != nil {
			w.t.Fatalf("crash %d: asked again: %v", n, err)
		}
		w.must(w.later(16 * time.Second))
		w.sweep()
		if m, err := w.Part("twin-ingest", "").Resolve(w.ctx, []device.Ref{s.ref}); err != nil || len(m) != 0 {
			w.t.Errorf("crash %d: the old device's reference resolves to %+v, %v", n, m, err)
		}
		if a := w.ask(s.old); a.Status != "rejected" {
			w.t.Errorf("crash %d: the old device asks, and is told %+v", n, a)
		}
		run, b := w.provision(w.request(s.claim, s.in.Serial))
		if run.Outcome != provision.Completed || b == nil || b.Twin != s.in.Twin || b.Ref == s.ref {
			w.t.Fatalf("crash %d: the new device does not take over:\n%s", n, log(run))
		}
		i, err := w.admin.GetIdentity(w.ctx, s.in.Twin)
		if w.must(err); i.Serial != s.in.Serial || len(i.Former) != 1 {
			w.t.Errorf("crash %d: its identity: %+v", n, i)
		}
	})
}

// What an installer confirms counts once, whatever crashed while it was confirmed; the secret that is carried to the device is one.
func TestACrashAtEveryWriteOfARunByHand(t *testing.T) {
	type installer struct {
		key    api.NewRun
		id     string
		serial string
	}
	// goOn does what the installer, the gateways and the device have left to do.
	goOn := func(w *world, v *installer) error {
		for range 8 {
			if v.id == "" {
				r, err := w.admin.StartRun(w.ctx, v.key)
				if err != nil {
					return err
				}
				v.id = r.ID
			}
			r, err := w.admin.GetRun(w.ctx, v.id)
			if err != nil || r.Outcome != "" {
				return err
			}
			if r.Asks == nil {
				if err := w.apply(r.Results.DeviceRef); err != nil {
					return err
				}
				if r.State == "online" {
					err = w.op.ConfirmProvisioning(w.ctx, api.Confirmation{Gateway: "op", Ref: device.Ref(r.Results.DeviceRef), Twin: r.Twin})
				}
				if err != nil {
					return err
				}
				continue
			}
			in := api.Decide{Trigger: provision.Confirmed, State: r.State}
			if r.Asks.Input == "serial" {
				in.Serial = v.serial
			}
			if _, err := w.admin.DecideRun(w.ctx, v.id, in); err != nil {
				return err
			}
		}
		return nil
	}
	walk(t, byHand, func(w *world, n int) *installer {
		public, _, err := seal.NewKey()
		w.must(err)
		return &installer{key: api.NewRun{Type: "hand", Owner: "press", PublicKey: public, Reason: "hall 3"}, serial: fmt.Sprintf("H-%03d", n)}
	}, goOn, func(w *world, n int, v *installer) {
		sealed := ""
		for i := 0; v.id == "" || w.run(v.id).Outcome == ""; i++ {
			if i > 20 {
				w.t.Fatalf("crash %d: it does not get there:\n%s", n, log(w.run(v.id)))
			}
			_ = goOn(w, v)
			if b, err := w.admin.RunBundle(w.ctx, v.id); err == nil {
				if sealed != "" && b.Sealed != sealed {
					w.t.Errorf("crash %d: the installer was handed two secrets", n)
				}
				sealed = b.Sealed
			}
			w.must(w.later(16 * time.Second))
			w.sweep()
		}
		run, confirmed := w.run(v.id), map[string]int{}
		for _, s := range run.Steps {
			if s.Action == provision.Action(provision.Confirmed) {
				confirmed[s.State]++
			}
		}
		for state, times := range confirmed {
			if times != 1 {
				w.t.Errorf("crash %d: %s is confirmed %d times", n, state, times)
			}
		}
		tw, err := w.admin.GetTwin(w.ctx, twin.ID(strings.ToLower(v.serial)))
		if err != nil || run.Outcome != provision.Completed || tw.Definition.Phase != twin.Operational || len(confirmed) == 0 {
			w.t.Fatalf("crash %d: %v, its twin is %+v:\n%s", n, err, tw.Definition, log(run))
		}
		page, err := w.admin.ListCredentials(w.ctx, tw.ID)
		if w.must(err); len(page.Items) != 1 {
			w.t.Errorf("crash %d: its credentials: %+v", n, page.Items)
		}
	})
}
