package drivers

import (
	"fmt"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// Who has many drivers gets no more of the time than who has one: owners take turns, then versions.
func TestOwnersTakeTurns(t *testing.T) {
	b := &round{r: &reactor{}, used: map[twin.ID]*api.UsedDriver{}}
	var ids []twin.ID
	add := func(owner, name string, all ...twin.ID) {
		r := &record{}
		r.Name, r.Owner = name, owner
		k := knownOf(r)
		for _, id := range all {
			u := &api.UsedDriver{Twin: id, Reacts: true}
			k.say(u, owner, nil)
			b.used[id], ids = u, append(ids, id)
		}
	}
	add("many", "m1", "a1", "a2", "a3")
	add("many", "m2", "b1", "b2")
	add("many", "m3", "c1")
	add("one", "o1", "d1", "d2", "d3", "d4")
	add("", "p1", "e1") // the platform's
	add("", "p2", "f1")
	ids = append(ids, "g1") // gone
	quick, slow := b.turns(ids)
	if got := fmt.Sprint(quick, slow); got != "[a1 d1 e1 f1 g1 b1 d2 c1 d3 a2 d4 b2 a3] []" {
		t.Error(got)
	}
	b.r.pace.debts = map[versionKey]debt{}
	for _, name := range []string{"m1", "m2", "m3", "o1"} {
		b.r.pace.debts[versionKey{name, ""}] = debt{d: time.Hour, at: time.Now()}
	}
	quick, slow = b.turns(ids)
	if got := fmt.Sprint(quick, slow); got != "[e1 f1 g1] [[a1 a2 a3] [d1 d2 d3 d4] [b1 b2] [c1]]" {
		t.Error(got)
	}
}
