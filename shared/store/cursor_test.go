package store

import (
	"errors"
	"reflect"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

var cursorFields = []Field{{Path: "kind"}, {Path: "count", Descending: true}, {Path: "_id"}}

func TestCursor(t *testing.T) {
	at := []bson.RawValue{value(t, "pump"), value(t, nil), value(t, "pump-7")}
	got, err := decodeCursor(encodeCursor(7, at), 7, cursorFields)
	if err != nil {
		t.Fatal(err)
	}
	for i := range at {
		if Compare(got[i], at[i]) != 0 {
			t.Errorf("value %d is %v, want %v", i, got[i], at[i])
		}
	}
	for name, cursor := range map[string]string{
		"of another query": encodeCursor(8, at),
		"too short":        encodeCursor(7, at[:2]),
		"without id":       encodeCursor(7, append(at[:2:2], value(t, 5))),
		"of a regex":       encodeCursor(7, []bson.RawValue{value(t, bson.Regex{Pattern: "x"}), at[1], at[2]}),
		"empty":            "A",
		"no base64":        "***",
	} {
		if _, err := decodeCursor(cursor, 7, cursorFields); !errors.Is(err, ErrInvalid) {
			t.Errorf("a cursor %s: %v, want ErrInvalid", name, err)
		}
	}
}

// FuzzCursor gives any text as a cursor: it is refused, or leads to a position within the query's conditions.
func FuzzCursor(f *testing.F) {
	f.Add(encodeCursor(7, []bson.RawValue{value(f, "pump"), value(f, 5), value(f, "pump-7")}))
	f.Add(encodeCursor(7, []bson.RawValue{value(f, nil), value(f, true), value(f, "")}))
	f.Add("AQAAAAAAAAAH")
	c := core{name: "c", shape: shapeOf(reflect.TypeFor[cursorDoc]()), indexes: map[string]Index{"x": {Name: "x", Fields: []string{"kind", "-count"}}}}
	f.Fuzz(func(t *testing.T, cursor string) {
		at, err := decodeCursor(cursor, 7, cursorFields)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("error %v, want ErrInvalid", err)
			}
			return
		}
		for _, reverse := range []bool{false, true} {
			p, err := c.plan("x", And(Eq("kind", "pump"), Gt("count", 3)), reverse)
			if err != nil {
				t.Fatal(err)
			}
			p.resume(at)
			for _, s := range p.walk.Segments {
				if Compare(s.Eq[0], value(t, "pump")) != 0 {
					t.Errorf("the walk goes on at kind %v", s.Eq[0])
				}
				if len(s.Eq) > 1 && Compare(s.Eq[1], value(t, 3)) <= 0 {
					t.Errorf("the walk goes on at count %v", s.Eq[1])
				}
				if len(s.Eq) == 1 && (s.Range.From != ClassNumber || Compare(s.Range.Lo, value(t, 3)) < 0) {
					t.Errorf("the walk goes on in %+v", s.Range)
				}
			}
		}
	})
}

type cursorDoc struct {
	ID    string `bson:"_id"`
	Kind  string `bson:"kind"`
	Count int    `bson:"count"`
}
