package storetest

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/store"
)

func (m *model) get() {
	list := []string{m.id(), m.id(), m.id()}
	var want []device
	for _, id := range list {
		if d, there := m.all[id]; there {
			want = append(want, d)
		}
	}
	got := must(m.c.GetMany(m.t.Context(), list))(m.t)
	if len(got) != len(want) {
		m.t.Errorf("got %d of %v, want %d", len(got), list, len(want))
		return
	}
	for i := range got {
		m.same(got[i], want[i])
	}
}

func (m *model) same(got, want device) {
	m.t.Helper()
	if !reflect.DeepEqual(got, want) {
		m.t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// result returns what a query should find, in its order.
func (m *model) result(c condition, x ordering) (want []device) {
	for _, d := range m.all {
		if c.match(d) && (x.has == nil || x.has(d)) {
			want = append(want, d)
		}
	}
	slices.SortFunc(want, func(a, b device) int { return cmp.Or(x.compare(a, b), strings.Compare(a.ID, b.ID)) })
	return want
}

func (m *model) find() {
	x := m.ordering()
	c := m.condition(2)
	if x.fix != nil {
		var fixed condition
		if fixed, x = x.fix(m.r); m.r.IntN(2) == 0 {
			c = both(fixed, c)
		} else {
			c = fixed
		}
	}
	q := store.Query{Index: x.index, Filter: c.filter, Limit: pick(m.r, 1, 5, 20, 100, 100), Reverse: !x.oneWay && m.r.IntN(2) == 0}
	want := m.result(c, x)
	if q.Reverse {
		slices.Reverse(want)
	}
	got := pages(m.t.Context(), m.t, m.c, q)
	if fmt.Sprint(ids(got)) != fmt.Sprint(ids(want)) {
		m.t.Errorf("%s by index %q, reverse %t, pages of %d:\n got %v\nwant %v", c.text, x.index, q.Reverse, q.Limit, ids(got), ids(want))
	}
	for i := range min(len(got), len(want)) {
		m.same(got[i], want[i])
	}
}

func (m *model) count() {
	ctx, c := m.t.Context(), m.condition(3)
	want := m.result(c, ordering{compare: func(a, b device) int { return 0 }})
	if n := must(m.c.Count(ctx, c.filter, pick(m.r, "", "by-kind", "by-city")))(m.t); n != len(want) {
		m.t.Errorf("count of %s: %d, want %d", c.text, n, len(want))
	}
	groups := map[string]int{}
	for _, d := range want {
		groups[d.Kind]++
	}
	if got := must(m.c.GroupCount(ctx, c.filter, "by-seen", "kind"))(m.t); fmt.Sprint(got) != fmt.Sprint(groups) {
		m.t.Errorf("groups of %s: %v, want %v", c.text, got, groups)
	}
}

func (m *model) deleteRange() {
	c := m.condition(2)
	x := orderings[m.r.IntN(3)]
	want := m.result(c, x)
	limit := 1 + m.r.IntN(10)
	want = want[:min(limit, len(want))]
	n := must(m.c.DeleteRange(m.t.Context(), store.Query{Index: x.index, Filter: c.filter, Limit: limit}))(m.t)
	if n != len(want) {
		m.t.Errorf("deleted %d of %s, want %d", n, c.text, len(want))
	}
	for _, d := range want {
		delete(m.all, d.ID)
	}
}
