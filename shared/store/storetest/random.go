package storetest

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/store"
)

var (
	seed       = flag.Uint64("store.seed", 20260401, "seed of the random store test")
	operations = flag.Int("store.ops", 10_000, "operations of the random store test")
)

// A model is what the store should hold: devices by id. It has its own idea of what filters and indexes mean, taken from
// MongoDB's documentation and not from the store's code.
type model struct {
	t   *testing.T
	c   *store.Collection[device]
	r   *rand.Rand
	all map[string]device
	did map[string]int // how often each operation was tried
}

func testRandom(t *testing.T, db *store.DB) {
	t.Logf("seed %d (set it with -store.seed)", *seed)
	m := &model{t: t, c: openDevices(t, db), r: rand.New(rand.NewPCG(*seed, 1)), all: map[string]device{}, did: map[string]int{}}
	steps := []struct {
		weight int
		name   string
		run    func()
	}{
		{12, "insert", m.insert}, {14, "update", m.update}, {6, "upsert", m.upsert}, {4, "delete", m.delete},
		{3, "deleteIf", m.deleteIf}, {8, "apply", m.apply}, {3, "insertMany", m.insertMany}, {3, "putMany", m.putMany},
		{5, "replaceMany", m.replaceMany}, {10, "get", m.get}, {14, "find", m.find}, {6, "count", m.count}, {1, "deleteRange", m.deleteRange},
	}
	total := 0
	for _, s := range steps {
		total += s.weight
	}
	for i := range *operations {
		n := m.r.IntN(total)
		for _, s := range steps {
			if n -= s.weight; n < 0 {
				m.did[s.name]++
				s.run()
				break
			}
		}
		if t.Failed() {
			t.Fatalf("operation %d of seed %d", i, *seed)
		}
	}
	got := map[string]device{}
	check(t, m.c.Scan(t.Context(), store.Query{}, func(d device) error { got[d.ID] = d; return nil }))
	if !reflect.DeepEqual(got, m.all) {
		t.Errorf("in the end the store has %d documents, the model %d, or they differ", len(got), len(m.all))
	}
	t.Logf("%d documents are left after %v", len(m.all), m.did)
}

func (m *model) id() string { return fmt.Sprintf("d%02d", m.r.IntN(60)) }

func pick[V any](r *rand.Rand, vs ...V) V { return vs[r.IntN(len(vs))] }

// fill gives d random values, few enough that they meet.
func (m *model) fill(d *device) {
	r := m.r
	d.Kind, d.Name, d.Count = pick(r, "pump", "valve", "pu", ""), pick(r, "a", "b", "ab", "ä", "a\x00"), int64(r.IntN(7)-3)
	d.Level, d.Serial, d.Tags, d.Parts, d.Labels, d.Extra = nil, "", nil, nil, nil, nil
	if r.IntN(2) == 0 {
		level := float64(r.IntN(8)) / 2
		d.Level = &level
	}
	if r.IntN(3) == 0 {
		d.Serial = fmt.Sprint("s", r.IntN(40))
	}
	for range r.IntN(4) {
		d.Tags = append(d.Tags, fmt.Sprint("t", r.IntN(4)))
	}
	for range r.IntN(3) {
		d.Parts = append(d.Parts, part{pick(r, "x", "y", "z"), r.IntN(3)})
	}
	d.Place = place{City: pick(r, "Bern", "Basel", ""), Floor: r.IntN(3)}
	d.Seen = epoch.Add(time.Duration(r.IntN(5)) * time.Hour)
	if r.IntN(3) == 0 {
		d.Labels = map[string]string{pick(r, "k", "l"): pick(r, "1", "2")}
	}
	d.Extra = pick[any](r, nil, int64(1), 1.5, "1", true, epoch)
}

// taken tells whether another device has the serial.
func (m *model) taken(d device) bool {
	for _, other := range m.all {
		if other.ID != d.ID && d.Serial != "" && other.Serial == d.Serial {
			return true
		}
	}
	return false
}

func (m *model) expect(what string, err, want error) {
	m.t.Helper()
	if want == nil && err != nil || !errors.Is(err, want) {
		m.t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

func (m *model) canInsert(d device) error {
	if _, there := m.all[d.ID]; there || m.taken(d) {
		return store.ErrExists
	}
	return nil
}

func (m *model) insert() {
	d := device{ID: m.id()}
	m.fill(&d)
	want := m.canInsert(d)
	m.expect("insert", m.c.Insert(m.t.Context(), d), want)
	if want == nil {
		m.all[d.ID] = d
	}
}

func (m *model) insertMany() {
	ds, wants := make([]device, 1+m.r.IntN(8)), []error{}
	for i := range ds {
		ds[i].ID = m.id()
		m.fill(&ds[i])
		wants = append(wants, m.canInsert(ds[i]))
		if wants[i] == nil {
			m.all[ds[i].ID] = ds[i]
		}
	}
	for i, err := range must(m.c.InsertMany(m.t.Context(), ds))(m.t) {
		m.expect("insert of many", err, wants[i])
	}
}

func (m *model) putMany() {
	ds := make([]device, 1+m.r.IntN(5))
	var want error
	for i := range ds {
		ds[i].ID = m.id()
		if m.fill(&ds[i]); m.taken(ds[i]) {
			want = store.ErrExists
		} else {
			m.all[ds[i].ID] = ds[i]
		}
	}
	m.expect("put", m.c.PutMany(m.t.Context(), ds), want)
}

func (m *model) update() {
	id := m.id()
	d, there := m.all[id]
	m.fill(&d)
	want := store.ErrNotFound
	if there {
		if want = nil; m.taken(d) {
			want = store.ErrExists
		}
	}
	got, err := m.c.Update(m.t.Context(), id, func(v *device) error { *v = d; return nil })
	m.expect("update", err, want)
	if want == nil {
		m.same(got, d)
		m.all[id] = d
	}
}

func (m *model) upsert() {
	d := device{ID: m.id()}
	m.fill(&d)
	_, there := m.all[d.ID]
	var want error
	if m.taken(d) {
		want = store.ErrExists
	}
	got, err := m.c.Upsert(m.t.Context(), d.ID, func(v *device, exists bool) error {
		if exists != there {
			m.t.Errorf("upsert of %s: exists is %t", d.ID, exists)
		}
		*v = d
		return nil
	})
	m.expect("upsert", err, want)
	if want == nil {
		m.same(got, d)
		m.all[d.ID] = d
	}
}

func (m *model) delete() {
	id := m.id()
	var want error
	if _, there := m.all[id]; !there {
		want = store.ErrNotFound
	}
	m.expect("delete", m.c.Delete(m.t.Context(), id), want)
	delete(m.all, id)
}

func (m *model) deleteIf() {
	id, guard := m.id(), m.condition(2)
	d, there := m.all[id]
	var want error
	switch {
	case !there:
		want = store.ErrNotFound
	case !guard.match(d):
		want = store.ErrConflict
	default:
		delete(m.all, id)
	}
	m.expect("delete if "+guard.text, m.c.DeleteIf(m.t.Context(), id, guard.filter), want)
}

func (m *model) apply() {
	id, guard, by := m.id(), m.condition(1), int64(m.r.IntN(5)-2)
	d, there := m.all[id]
	var want error
	switch {
	case !there:
		want = store.ErrNotFound
	case !guard.match(d):
		want = store.ErrConflict
	default:
		d.Count += by
		m.all[id] = d
	}
	got, err := m.c.Apply(m.t.Context(), id, guard.filter, map[string]int64{"count": by})
	m.expect("apply if "+guard.text, err, want)
	if want == nil {
		m.same(got, d)
	}
}

func (m *model) replaceMany() {
	ctx := m.t.Context()
	unique := map[string]bool{}
	for range 1 + m.r.IntN(6) {
		unique[m.id()] = true
	}
	list := slices.Sorted(maps.Keys(unique))
	loaded := must(m.c.Load(ctx, list))(m.t)
	var docs []*store.Doc[device]
	var wants []error
	for i, d := range loaded {
		if _, there := m.all[list[i]]; there != (d != nil) {
			m.t.Errorf("load of %s: there is %t", list[i], d != nil)
			return
		}
		if d == nil {
			continue
		}
		var want error
		if m.r.IntN(4) == 0 { // somebody else comes between
			must(m.c.Update(ctx, list[i], func(v *device) error { v.Count++; return nil }))(m.t)
			between := m.all[list[i]]
			between.Count++
			m.all[list[i]] = between
			want = store.ErrConflict
		}
		if m.fill(&d.Value); want == nil && m.taken(d.Value) {
			want = store.ErrExists
		}
		if want == nil {
			m.all[d.Value.ID] = d.Value
		}
		docs, wants = append(docs, d), append(wants, want)
	}
	for i, err := range must(m.c.ReplaceMany(ctx, docs))(m.t) {
		m.expect("replacement of "+docs[i].Value.ID, err, wants[i])
	}
}
