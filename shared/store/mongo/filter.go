package mongo

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/castor-iot/castor/shared/store"
)

var operators = map[store.Op]string{
	store.OpEq: "$eq", store.OpLt: "$lt", store.OpLte: "$lte", store.OpGt: "$gt", store.OpGte: "$gte", store.OpIn: "$in",
	store.OpAnd: "$and", store.OpOr: "$or", store.OpNot: "$nor",
}

// translate writes a filter in MongoDB's language. The zero filter is the empty document.
func translate(f store.Filter) bson.D {
	switch op := f.Op(); op {
	case store.OpAll:
		return bson.D{}
	case store.OpAnd, store.OpOr, store.OpNot:
		if len(f.Subs()) == 0 { // an Or of nothing; MongoDB refuses it
			return bson.D{{Key: "$nor", Value: bson.A{bson.D{}}}}
		}
		subs := make(bson.A, len(f.Subs()))
		for i, sub := range f.Subs() {
			subs[i] = translate(sub)
		}
		return bson.D{{Key: operators[op], Value: subs}}
	case store.OpExists:
		return on(f.Path(), "$exists", true)
	case store.OpPrefix:
		return prefix(f.Path(), f.Values()[0].StringValue())
	case store.OpIn:
		values := bson.A{}
		for _, v := range f.Values() {
			values = append(values, v)
		}
		return on(f.Path(), "$in", values)
	default:
		return on(f.Path(), operators[op], f.Values()[0])
	}
}

func on(path, operator string, v any) bson.D {
	return bson.D{{Key: path, Value: bson.D{{Key: operator, Value: v}}}}
}

func prefix(path, s string) bson.D {
	if s == "" { // every text
		return on(path, "$gte", "")
	}
	return on(path, "$regex", "^"+regexp.QuoteMeta(s))
}

// all joins conditions, leaving out empty ones.
func all(conditions []bson.D) bson.D {
	var subs bson.A
	for _, c := range conditions {
		if len(c) > 0 {
			subs = append(subs, c)
		}
	}
	switch len(subs) {
	case 0:
		return bson.D{}
	case 1:
		return subs[0].(bson.D)
	}
	return bson.D{{Key: "$and", Value: subs}}
}

// types are MongoDB's numbers of the types of each class, as far as Go's values become such.
var types = []struct {
	class store.Class
	codes []int32
}{
	{store.ClassNumber, []int32{1, 16, 18, 19}},
	{store.ClassString, []int32{2}},
	{store.ClassObject, []int32{3}},
	{store.ClassBinary, []int32{5}},
	{store.ClassObjectID, []int32{7}},
	{store.ClassBool, []int32{8}},
	{store.ClassDate, []int32{9}},
	{store.ClassTimestamp, []int32{17}},
	{store.ClassOther, []int32{11}},
}

// inRange writes a range of a field as conditions.
func inRange(path string, r store.Range) []bson.D {
	if r.From == 0 && r.To == 0 {
		return nil
	}
	if r.From == store.ClassNull && r.To == store.ClassNull {
		return []bson.D{on(path, "$eq", nil)}
	}
	var conditions []bson.D
	if r.Lo.Type != 0 {
		switch f, ok := r.Lo.DoubleOK(); {
		case ok && math.IsNaN(f) && r.LoOpen: // all numbers come after it, but none is greater
			conditions = append(conditions, on(path, "$gte", math.Inf(-1)))
		case r.LoOpen:
			conditions = append(conditions, on(path, "$gt", r.Lo))
		default:
			conditions = append(conditions, on(path, "$gte", r.Lo))
		}
	}
	if r.Hi.Type != 0 {
		operator := "$lte"
		if r.HiOpen {
			operator = "$lt"
		}
		conditions = append(conditions, on(path, operator, r.Hi))
	}
	if r.Prefix != "" {
		conditions = append(conditions, prefix(path, r.Prefix))
	}
	if len(conditions) > 0 {
		return conditions
	}
	codes := bson.A{}
	for _, t := range types {
		if r.From <= t.class && t.class <= r.To {
			for _, code := range t.codes {
				codes = append(codes, code)
			}
		}
	}
	return []bson.D{on(path, "$type", codes)}
}

// projection asks for some fields only; of two that lie in each other the outer one.
func projection(fields []string) bson.D {
	p := bson.D{}
	for i, f := range fields {
		covered := slices.ContainsFunc(fields, func(g string) bool { return strings.HasPrefix(f, g+".") })
		if !covered && !slices.Contains(fields[:i], f) {
			p = append(p, bson.E{Key: f, Value: 1})
		}
	}
	return p
}
