package stream

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// A sight says of each twin what the lists of functions say.
func TestASightAgreesWithTheScope(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	names := []string{"", "a", "b", "c"}
	seen := 0
	for range 20_000 {
		s := access.Scope{All: r.IntN(20) == 0, Shared: r.IntN(2) == 0}
		for range r.IntN(3) {
			s.Groups = append(s.Groups, pick(names...))
			s.Twins = append(s.Twins, twin.ID(pick("a", "b", "d")))
		}
		at := api.TwinScope{Owner: pick(names...), Type: twin.ID(pick(names...)), Shared: r.IntN(4) == 0}
		if a := pick(names...); a != "" {
			at.Aggregates = []twin.ID{twin.ID(a)}
		}
		id := twin.ID(pick("a", "b", "d"))
		sees, allows := sightOf(s).sees(id, &at), s.Allows(at.Object(id))
		if sees != allows {
			t.Fatalf("%+v of %s %+v: %v, want %v", s, id, at, sees, allows)
		}
		if sees {
			seen++
		}
	}
	if seen < 1000 || seen > 19_000 {
		t.Errorf("%d of 20,000 are seen: the test tries too little", seen)
	}
}

func FuzzWish(f *testing.F) {
	for _, q := range []string{"", "topics=twins,readings", "twin=pump-7&topics=alarms", "topics=%zz", "topics=,", "twin=%00"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		w, err := wishOf(query)
		if err != nil {
			return
		}
		if len(w.topics) == 0 || len(w.topics) > 5 || w.topics[topicGrants] || w.twin != "" && w.twin.Valid() != nil {
			t.Errorf("%q: %+v", query, w)
		}
	})
}

func FuzzCursor(f *testing.F) {
	s, err := newSeal([]byte("x"))
	if err != nil {
		f.Fatal(err)
	}
	good := string(s.close(nil, cursor{at: time.Now()}))
	f.Add(good)
	f.Add("")
	f.Add(good[:len(good)-1] + "_")
	f.Fuzz(func(t *testing.T, text string) {
		if _, ok := s.open(text); ok && text != good {
			t.Errorf("%q is taken", text)
		}
	})
}

func FuzzEntry(f *testing.F) {
	f.Add([]byte(`{"topic":"alarm.raised","data":{"twin":"a","owner":"b"}}`))
	f.Add([]byte(`{"twins":[{"twin":"a","scope":{},"state":{"reported":[]}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		now := time.Now()
		if e, err := eventOf(1, now, data); err == nil && e != nil && (e.topic == "" || e.size < overhead) {
			t.Errorf("%+v", e)
		}
		if e, err := liveOf(1, now, data); err == nil {
			var r readings
			for i := range e.twins {
				r.add(&e.twins[i])
				r.add(&e.twins[i])
			}
			var b bytes.Buffer
			if err := r.write(&b); err == nil && !json.Valid(b.Bytes()) {
				t.Errorf("%s", &b)
			}
		}
	})
}
