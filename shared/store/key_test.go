package store

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func value(t testing.TB, v any) bson.RawValue {
	t.Helper()
	if v == nil {
		return bson.RawValue{Type: bson.TypeNull}
	}
	typ, b, err := bson.MarshalValue(v)
	if err != nil {
		t.Fatal(err)
	}
	return bson.RawValue{Type: typ, Value: b}
}

// The values are in MongoDB's order; equal ones share a line.
func TestKeyOrder(t *testing.T) {
	lines := [][]any{
		{nil},
		{math.NaN()},
		{math.Inf(-1)},
		{-math.MaxFloat64},
		{int64(math.MinInt64), float64(math.MinInt64)},
		{int64(math.MinInt64) + 1},
		{-float64(1<<53) - 2, -int64(1<<53) - 2},
		{-int64(1<<53) - 1},
		{-1.5}, {int32(-1), int64(-1), -1.0}, {-math.SmallestNonzeroFloat64},
		{0, int64(0), 0.0, math.Copysign(0, -1)},
		{math.SmallestNonzeroFloat64}, {1, 1.0}, {1.5}, {int32(2)},
		{int64(1 << 53), float64(1 << 53)}, {int64(1<<53) + 1}, {int64(1<<53) + 2, float64(1<<53 + 2)},
		{int64(math.MaxInt64) - 1}, {int64(math.MaxInt64)}, {float64(math.MaxInt64)}, {math.MaxFloat64}, {math.Inf(1)},
		{""}, {"\x00"}, {"\x00\x00"}, {"\x00a"}, {"\x01"}, {"a"}, {"a\x00"}, {"a\x00b"}, {"aa"}, {"ab"}, {"b"}, {"é"}, {"日"},
		{bson.D{}}, {bson.D{{Key: "a", Value: 1}}, bson.D{{Key: "a", Value: 1.0}}}, {bson.D{{Key: "a", Value: 1}, {Key: "b", Value: 0}}},
		{bson.D{{Key: "a", Value: 2}}}, {bson.D{{Key: "b", Value: 1}}}, {bson.D{{Key: "a", Value: "x"}}},
		{bson.A{}}, {bson.A{1}}, {bson.A{1, 2}}, {bson.A{2}},
		{[]byte{}}, {[]byte{0}}, {[]byte{255}}, {[]byte{0, 0}},
		{bson.ObjectID{1}}, {bson.ObjectID{2}},
		{false}, {true},
		{time.UnixMilli(math.MinInt64)}, {time.UnixMilli(-1)}, {time.UnixMilli(0)}, {time.UnixMilli(1)},
	}
	type entry struct {
		line int
		v    bson.RawValue
	}
	var all []entry
	for i, line := range lines {
		for _, v := range line {
			all = append(all, entry{i, value(t, v)})
		}
	}
	for _, a := range all {
		for _, b := range all {
			want := min(1, max(-1, a.line-b.line))
			if got := Compare(a.v, b.v); got != want {
				t.Errorf("%v and %v compare as %d, want %d", a.v, b.v, got, want)
			}
			down := bytes.Compare(AppendKeyDescending(nil, a.v), AppendKeyDescending(nil, b.v))
			if down != -want {
				t.Errorf("%v and %v compare descending as %d, want %d", a.v, b.v, down, -want)
			}
		}
	}
}

// FuzzKeyOrder takes two pairs of values and requires that their keys, one after the other, are ordered as the values are
// by plain Go.
func FuzzKeyOrder(f *testing.F) {
	f.Add(int64(1<<53+1), float64(1<<53), "a", "a\x00")
	f.Add(int64(math.MinInt64), math.Inf(-1), "", "\x00\xff")
	f.Add(int64(math.MaxInt64), 9223372036854775807.0, "x\x00\x01", "x")
	f.Fuzz(func(t *testing.T, i int64, x float64, s, u string) {
		if !math.IsNaN(x) {
			exact := new(big.Float).SetInt64(i).Cmp(new(big.Float).SetFloat64(x))
			if got := Compare(value(t, i), value(t, x)); got != exact {
				t.Errorf("%d and %g compare as %d, want %d", i, x, got, exact)
			}
			n := int64(binary.BigEndian.Uint64(binary.BigEndian.AppendUint64(nil, math.Float64bits(x))))
			if got, want := Compare(value(t, i), value(t, n)), compareInts(i, n); got != want {
				t.Errorf("%d and %d compare as %d, want %d", i, n, got, want)
			}
		}
		text := func(s string) bson.RawValue {
			b := binary.LittleEndian.AppendUint32(nil, uint32(len(s)+1))
			return bson.RawValue{Type: bson.TypeString, Value: append(append(b, s...), 0)}
		}
		if got, want := Compare(text(s), text(u)), bytes.Compare([]byte(s), []byte(u)); got != want {
			t.Errorf("%q and %q compare as %d, want %d", s, u, got, want)
		}
		// Concatenated keys compare by their parts: no key is a prefix of another.
		for _, up := range []func([]byte, bson.RawValue) []byte{AppendKey, AppendKeyDescending} {
			a := AppendKey(up(nil, text(s)), value(t, i))
			b := AppendKey(up(nil, text(u)), value(t, x))
			if first := bytes.Compare(up(nil, text(s)), up(nil, text(u))); first != 0 && bytes.Compare(a, b) != first {
				t.Errorf("(%q, %d) and (%q, %g) are not ordered by their first part", s, i, u, x)
			}
		}
	})
}

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// FuzzDocument gives the readers of raw documents what is none: they may find nothing, but must end.
func FuzzDocument(f *testing.F) {
	doc, err := bson.Marshal(bson.D{{Key: "a", Value: bson.A{1, bson.D{{Key: "b", Value: "x"}}}}, {Key: "c", Value: bson.Regex{Pattern: "x"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(doc), "a.b")
	f.Add([]byte{5, 0, 0, 0, 2, 'a', 0, 255, 255, 255, 127}, "a.0")
	f.Fuzz(func(t *testing.T, doc []byte, path string) {
		Values(doc, path, func(v bson.RawValue) bool {
			if bson.Raw(doc).Validate() == nil {
				AppendKey(nil, v)
			}
			return true
		})
		Single(doc, path)
		if bson.Raw(doc).Validate() == nil {
			newProjection([]string{path}).apply(doc)
			if sum, err := Add(doc, []Increment{{Path: "n", By: 1}}); err == nil && sum.Validate() != nil {
				t.Error("adding made a document that is none")
			}
		}
	})
}
