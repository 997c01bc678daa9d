package configurator

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
)

func reopen(t *testing.T, dir string) *book {
	t.Helper()
	a, err := openBook(filepath.Join(dir, "gw-1.json"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// do has the target do what is applied.
func do(b *book, client string, revision uint64, in *api.Admission) {
	b.apply(client, revision, in)
	for _, c := range b.due(time.Now()) {
		b.done(c, api.GatewayApplied{Gateway: "g", Client: c.Client, Revision: c.Revision, Removed: in == nil})
	}
}

func save(t *testing.T, a *book) []api.GatewayApplied {
	t.Helper()
	untold, err := a.save()
	if err != nil {
		t.Fatal(err)
	}
	return untold
}

// A gateway that is killed between applying and telling tells after its restart; one killed after telling does not.
func TestWhatWasAppliedAndNotToldIsToldAfterARestart(t *testing.T) {
	dir := t.TempDir()
	a := reopen(t, dir)
	do(a, "p-1", 5, &api.Admission{Client: "p-1", Fingerprints: []string{"aa"}})
	do(a, "p-2", 6, &api.Admission{Client: "p-2", Fingerprints: []string{"bb"}})
	do(a, "p-2", 7, nil)
	if n := len(save(t, a)); n != 2 {
		t.Fatalf("%d changes are to be told, want the newest of two clients", n)
	}
	a = reopen(t, dir)
	untold := save(t, a)
	if len(untold) != 2 {
		t.Fatalf("after a restart %v is to be told, want two changes", untold)
	}
	if _, ok := a.get("p-1"); !ok {
		t.Error("p-1 was forgotten")
	}
	if _, ok := a.get("p-2"); ok {
		t.Error("p-2 came back")
	}
	a.told(untold)
	save(t, a)
	a = reopen(t, dir)
	do(a, "p-1", 5, &api.Admission{Client: "p-1", Fingerprints: []string{"aa"}}) // the bucket tells everything at each start
	do(a, "p-2", 7, nil)
	if untold := save(t, a); len(untold) != 0 {
		t.Errorf("told again: %v", untold)
	}
	do(a, "p-2", 8, &api.Admission{Client: "p-2", Fingerprints: []string{"bb"}})
	if untold := save(t, a); len(untold) != 1 || untold[0].Revision != 8 {
		t.Errorf("to be told is %v, want revision 8", untold)
	}
}

// A bucket that was lost, and is filled again, is no reason to cut off a fleet; what a full one has no trace of is.
func TestABucketRemovesNobodyBeforeItIsFull(t *testing.T) {
	w := linktest.NewWorld(t)
	k, err := New(Config{Gateway: api.Gateway{ID: "g", Phase: "operational"}, Bus: w.Bus, Target: nobody{}, Dir: w.Dir, Log: linktest.Quiet})
	if err != nil {
		t.Fatal(err)
	}
	entry := func(client string, revision uint64) bus.Entry {
		cert := w.CA.Issue(t, client)
		value := `{"client":"` + client + `","phase":"operational","fingerprints":["` + linktest.Fingerprint(cert) + `"]}`
		return bus.Entry{Key: api.AdmissionKey(client), Value: []byte(value), Revision: revision}
	}
	watch := func(entries ...bus.Entry) {
		w := watcher{k: k, told: make(map[string]bool)}
		for _, e := range append([]bus.Entry{{Anew: true}}, entries...) {
			w.apply(e)
		}
		w.apply(bus.Entry{Ready: true})
	}
	knows := func(client string) bool { _, ok := k.Get(client); return ok }
	filled := func(revision uint64) bus.Entry { return bus.Entry{Key: api.FilledKey, Revision: revision} }
	watch(entry("p-1", 1), entry("p-2", 2), filled(3))
	watch()
	watch(entry("p-2", 1))
	if !knows("p-1") || !knows("p-2") {
		t.Error("a bucket that is not full yet removed known clients")
	}
	watch(entry("p-2", 1), filled(2))
	if knows("p-1") || !knows("p-2") {
		t.Error("a client the bucket has no trace of is still let in, or another is not")
	}
}

type nobody struct{ Target }
