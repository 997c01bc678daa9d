package storetest

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/castor-iot/castor/shared/store"
)

// loose reads a value of any class without being declared open, as code does that meets documents of other versions.
type loose string

func (l *loose) UnmarshalBSONValue(typ byte, data []byte) error {
	*l = loose(bson.RawValue{Type: bson.Type(typ), Value: data}.String())
	return nil
}

func testClasses(t *testing.T, db *store.DB) {
	testOrder(t, db, []any{
		nil, -1e18, int64(-1e18) + 1, -2.5, int32(-1), 0, 1e-300, int32(1), 1.5, 2,
		int64(1) << 53, int64(1)<<53 + 1, float64(1<<53 + 2), int64(math.MaxInt64 - 1), int64(math.MaxInt64),
		"", "\x00", "\x00\x00", "\x01", "A", "a", "a\x00", "a\x00b", "aa", "b", "ä", "日本",
		map[string]any{"a": 1}, map[string]any{"a": 2}, false, true, time.UnixMilli(-5).UTC(), time.UnixMilli(0).UTC(), epoch,
	})
}

func testEdgeNumbers(t *testing.T, db *store.DB) {
	testOrder(t, db, []any{
		nil, math.NaN(), math.Inf(-1), -9.3e18, int64(math.MinInt64), -1e18, 0, int64(math.MaxInt64), 9.3e18, math.Inf(1), "text",
	})
}

// testOrder pages through documents that have these values, which are in their order, two of each.
func testOrder(t *testing.T, db *store.DB, values []any) {
	type reader struct {
		ID string `bson:"_id"`
		V  loose  `bson:"v"`
	}
	ctx := t.Context()
	spec := store.Spec{Name: "open", Indexes: []store.Index{{Name: "up", Fields: []string{"v"}}, {Name: "down", Fields: []string{"-v"}}}}
	c := must(store.Open[reader](ctx, db, spec))(t)
	w := must(store.Open[open](ctx, db, store.Spec{Name: "open"}))(t)
	var ds []open
	var want []string
	for i, v := range values {
		for _, tie := range []string{"x", "y"} {
			id := fmt.Sprintf("%02d%s", i, tie)
			want = append(want, id)
			ds = append(ds, open{ID: id, V: v})
		}
	}
	slices.Reverse(ds)
	insertAll(t, w, ds)
	for _, limit := range []int{1, 3, 1000} {
		for _, q := range []store.Query{{Index: "up", Limit: limit}, {Index: "down", Reverse: true, Limit: limit}} {
			var got []string
			for _, d := range pages(ctx, t, c, q) {
				got = append(got, d.ID)
			}
			if q.Index == "down" { // backwards from the last of each value: ties come in the opposite order
				for i := 0; i+1 < len(got); i += 2 {
					got[i], got[i+1] = got[i+1], got[i]
				}
			}
			same(t, got, want)
		}
	}
}
