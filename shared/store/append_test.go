package store

import (
	"bytes"
	"encoding/json"
	"math/rand"
	"reflect"
	"testing"
	"testing/quick"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

type (
	word  string
	Plain struct {
		ID     string    `bson:"_id"`
		Word   word      `bson:"w,omitempty"`
		Count  int64     `bson:"n"`
		Share  float64   `bson:"f,omitempty"`
		On     bool      `bson:"on"`
		At     time.Time `bson:"at"`
		Due    time.Time `bson:"due,omitempty"`
		Raw    []byte    `bson:"raw,omitempty"`
		hidden int       //lint:ignore U1000 what is not exported is left out
		Left   string    `bson:"-"`
	}
	nested struct {
		Plain  `bson:",inline"`
		Small  int              `bson:"small"`
		Tiny   uint8            `bson:"tiny"`
		List   []Plain          `bson:"list"`
		Texts  []word           `bson:"texts,omitempty"`
		Next   *nested          `bson:"next,omitempty"`
		By     map[string]int64 `bson:"by,omitempty"`
		Inner  Plain            `bson:"inner,omitempty"`
		JSON   json.RawMessage  `bson:"json"`
		Number json.Number      `bson:"number"`
		Open   any              `bson:"open"`
		Opens  []any            `bson:"opens,omitempty"`
	}
	untagged struct {
		ID   string `bson:"_id"`
		Name string
	}
)

// TestAppend compares with bson.Marshal, on values made at random.
func TestAppend(t *testing.T) {
	values := func(seed int64) nested {
		r := rand.New(rand.NewSource(seed))
		var n nested
		for _, field := range []any{&n.ID, &n.Word, &n.Count, &n.Share, &n.On, &n.Raw, &n.Small, &n.Tiny, &n.Texts} {
			if v, ok := quick.Value(reflect.TypeOf(field).Elem(), r); ok && r.Intn(3) > 0 {
				reflect.ValueOf(field).Elem().Set(v)
			}
		}
		at := time.UnixMilli(r.Int63n(4e12) - 2e12).Add(time.Duration(r.Intn(1e6)))
		n.At, n.Number, n.JSON = at, "12.5", json.RawMessage(`{}`)
		n.Open = []any{nil, 1.5, "x", true, at, int64(r.Intn(9)), n.Plain, &n.Plain, map[string]any{"a": []any{1.5}}, []byte("b"), word("w")}[r.Intn(11)]
		if r.Intn(2) == 0 {
			n.Due, n.Next, n.By, n.List = at, &nested{Open: n.Open, Number: "1"}, map[string]int64{"one": 1}, []Plain{n.Plain, {}}
			n.Opens = []any{n.Open, nil, []any{n.Open}}
		}
		return n
	}
	for seed := range int64(2000) {
		n := values(seed)
		for _, v := range []any{n, n.Plain, untagged{"a", "b"}} {
			want, err := bson.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := appendDocument([]byte("before"), v); err != nil || !bytes.Equal(got, append([]byte("before"), want...)) {
				t.Fatalf("seed %d: %v\ngot  %s\nwant %s", seed, err, bson.Raw(bytes.TrimPrefix(got, []byte("before"))), bson.Raw(want))
			}
		}
	}
}
