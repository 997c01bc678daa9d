package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/store"
)

// A condition is a filter together with what it means for a device.
type condition struct {
	filter store.Filter
	match  func(device) bool
	text   string
}

func both(a, b condition) condition {
	return condition{store.And(a.filter, b.filter), func(d device) bool { return a.match(d) && b.match(d) }, "(" + a.text + " and " + b.text + ")"}
}

// missing stands for a field that is not there.
type missing struct{}

// paths are the fields that conditions are about, each with the values that MongoDB compares, and values to compare with.
var paths = []struct {
	path   string
	values func(device) []any
	sample []any
}{
	{"_id", func(d device) []any { return []any{d.ID} }, []any{"d05", "d31", "d3", "e"}},
	{"kind", func(d device) []any { return []any{d.Kind} }, []any{"pump", "valve", "pu", "", 1}},
	{"name", func(d device) []any { return []any{d.Name} }, []any{"a", "b", "ab", "ä", "a\x00b", true}},
	{"count", func(d device) []any { return []any{float64(d.Count)} }, []any{-3, 0, int64(2), 1.0, 0.5, "0", nil}},
	{"level", func(d device) []any {
		if d.Level == nil {
			return []any{missing{}}
		}
		return []any{*d.Level}
	}, []any{0, 1, 2.5, 3.5, nil}},
	{"serial", func(d device) []any { return []any{orMissing(d.Serial)} }, []any{"s1", "s2", "s3", nil}},
	{"tags", func(d device) []any { return list(d.Tags, func(s string) any { return s }) }, []any{"t0", "t1", "t2", "t3", "t", nil}},
	{"parts.name", func(d device) []any { return list(d.Parts, func(p part) any { return p.Name }) }, []any{"x", "y", "z", nil}},
	{"parts.size", func(d device) []any { return list(d.Parts, func(p part) any { return float64(p.Size) }) }, []any{0, 1, 2, nil}},
	{"place.city", func(d device) []any { return []any{d.Place.City} }, []any{"Bern", "Basel", "", "B"}},
	{"place.floor", func(d device) []any {
		if d.Place.Floor == 0 {
			return []any{missing{}}
		}
		return []any{float64(d.Place.Floor)}
	}, []any{0, 1, 2, nil}},
	{"seen", func(d device) []any { return []any{d.Seen} }, []any{epoch, epoch.Add(2 * time.Hour), epoch.Add(90 * time.Minute), 5}},
	{"labels.k", func(d device) []any { return []any{orMissing(d.Labels["k"])} }, []any{"1", "2", nil}},
	{"extra", func(d device) []any {
		switch v := d.Extra.(type) {
		case nil:
			return []any{missing{}}
		case int64:
			return []any{float64(v)}
		}
		return []any{d.Extra}
	}, []any{1, 1.5, "1", true, epoch, nil}},
}

func orMissing(s string) any {
	if s == "" {
		return missing{}
	}
	return s
}

func list[V any](vs []V, value func(V) any) []any {
	if len(vs) == 0 { // it is left out
		return []any{missing{}}
	}
	var values []any
	for _, v := range vs {
		values = append(values, value(v))
	}
	return values
}

// compareValues compares two values; ok is false when they are of different classes.
func compareValues(a, b any) (order int, ok bool) {
	if n, isInt := b.(int); isInt {
		b = float64(n)
	}
	if n, isInt := b.(int64); isInt {
		b = float64(n)
	}
	switch a := a.(type) {
	case missing:
		return 0, b == nil
	case float64:
		b, ok := b.(float64)
		return cmp.Compare(a, b), ok
	case string:
		b, ok := b.(string)
		return strings.Compare(a, b), ok
	case bool:
		b, ok := b.(bool)
		return cmp.Compare(btoi(a), btoi(b)), ok
	case time.Time:
		b, ok := b.(time.Time)
		return a.Compare(b), ok
	}
	return 0, false
}

// condition makes a random one, nested at most so deep.
func (m *model) condition(depth int) condition {
	r := m.r
	if depth > 0 {
		switch r.IntN(8) {
		case 0:
			return condition{store.Filter{}, func(device) bool { return true }, "all"}
		case 1, 2:
			return both(m.condition(depth-1), m.condition(depth-1))
		case 3:
			a, b := m.condition(depth-1), m.condition(depth-1)
			return condition{store.Or(a.filter, b.filter), func(d device) bool { return a.match(d) || b.match(d) }, "(" + a.text + " or " + b.text + ")"}
		case 4:
			a := m.condition(depth - 1)
			return condition{store.Not(a.filter), func(d device) bool { return !a.match(d) }, "not " + a.text}
		}
	}
	p := paths[r.IntN(len(paths))]
	v := pick(r, p.sample...)
	some := func(test func(value any) bool) func(device) bool {
		return func(d device) bool { return slices.ContainsFunc(p.values(d), test) }
	}
	ordered := func(test func(int) bool) func(device) bool {
		return some(func(value any) bool { order, ok := compareValues(value, v); return ok && test(order) })
	}
	equal := ordered(func(o int) bool { return o == 0 })
	text := func(op string) string { return fmt.Sprintf("%s %s %v", p.path, op, v) }
	switch op := r.IntN(9); {
	case op == 0:
		return condition{store.Ne(p.path, v), func(d device) bool { return !equal(d) }, text("!=")}
	case op == 1:
		w := pick(r, p.sample...)
		in := some(func(value any) bool { order, ok := compareValues(value, w); return ok && order == 0 })
		return condition{store.In(p.path, v, w), func(d device) bool { return equal(d) || in(d) }, fmt.Sprint(text("in"), w)}
	case op == 2:
		yes := r.IntN(2) == 0
		is := some(func(value any) bool { return value != missing{} })
		return condition{store.Exists(p.path, yes), func(d device) bool { return is(d) == yes }, fmt.Sprint(p.path, " exists ", yes)}
	case op == 3 && p.path != "extra" && p.path != "count": // a stand-in's patterns match numbers too
		prefix, _ := v.(string)
		prefix = strings.ReplaceAll(prefix, "\x00", "")
		return condition{store.Prefix(p.path, prefix), some(func(value any) bool {
			s, ok := value.(string)
			return ok && strings.HasPrefix(s, prefix)
		}), fmt.Sprintf("%s begins with %q", p.path, prefix)}
	case op == 4 && v != nil:
		return condition{store.Lt(p.path, v), ordered(func(o int) bool { return o < 0 }), text("<")}
	case op == 5 && v != nil:
		return condition{store.Lte(p.path, v), ordered(func(o int) bool { return o <= 0 }), text("<=")}
	case op == 6 && v != nil:
		return condition{store.Gt(p.path, v), ordered(func(o int) bool { return o > 0 }), text(">")}
	case op == 7 && v != nil:
		return condition{store.Gte(p.path, v), ordered(func(o int) bool { return o >= 0 }), text(">=")}
	}
	return condition{store.Eq(p.path, v), equal, text("=")}
}

// An ordering is an index as the model sees it.
type ordering struct {
	index   string
	compare func(a, b device) int // without the id
	has     func(device) bool     // which devices are in it, nil for all
	fix     func(*rand.Rand) (condition, ordering)
	oneWay  bool // set where the way back is another order
}

var orderings = []ordering{
	{index: "", compare: func(a, b device) int { return 0 }},
	{index: "by-kind", compare: func(a, b device) int { return cmp.Or(strings.Compare(a.Kind, b.Kind), cmp.Compare(b.Count, a.Count)) }},
	{index: "by-seen", compare: func(a, b device) int { return compareTimes(b.Seen, a.Seen) }},
	{index: "by-city", compare: func(a, b device) int {
		return cmp.Or(strings.Compare(a.Place.City, b.Place.City), strings.Compare(a.Name, b.Name))
	}},
	{index: "by-level", compare: func(a, b device) int { return compareLevels(a.Level, b.Level) }},
	{index: "by-serial", compare: func(a, b device) int { return strings.Compare(a.Serial, b.Serial) }, has: func(d device) bool { return d.Serial != "" }},
	{index: "by-tag", fix: fixTags},
	{index: "by-part", fix: fixPart},
}

func (m *model) ordering() ordering { return orderings[m.r.IntN(len(orderings))] }

// fixTags looks for one or several tags. A device is found under the first of them that it has.
func fixTags(r *rand.Rand) (condition, ordering) {
	tags := []string{"t0", "t1", "t2", "t3"}
	r.Shuffle(len(tags), func(i, j int) { tags[i], tags[j] = tags[j], tags[i] })
	tags = tags[:1+r.IntN(3)]
	inOrder := sorted(tags)
	place := func(d device) int {
		return slices.IndexFunc(inOrder, func(tag string) bool { return slices.Contains(d.Tags, tag) })
	}
	x := ordering{index: "by-tag", compare: func(a, b device) int { return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a.Count, b.Count)) }}
	if len(tags) > 1 {
		x.oneWay = true
	}
	return condition{store.In("tags", tags...), func(d device) bool { return place(d) >= 0 }, fmt.Sprint("tags in ", tags)}, x
}

func fixPart(r *rand.Rand) (condition, ordering) {
	name := pick(r, "x", "y", "z")
	has := func(d device) bool { return slices.ContainsFunc(d.Parts, func(p part) bool { return p.Name == name }) }
	return condition{store.Eq("parts.name", name), has, "part " + name}, ordering{index: "by-part", compare: func(a, b device) int { return 0 }}
}
