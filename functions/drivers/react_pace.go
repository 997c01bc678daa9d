package drivers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"golang.org/x/sync/errgroup"
)

// How much time a version may take that is slow. Events come in batches, one after the other, so what one version takes all others wait for.
const (
	maxDebt    = 3 * time.Second // of slow calls, after which a version's events come again later
	paidBy     = 3               // so many seconds make up for one of calls
	slowAtOnce = 4               // slow versions that are worked at beside the others
	maxPaced   = 1000            // versions
)

const slowCall = 100 * time.Millisecond // when a call counts as slow

// tookOf is how long a call has taken; a variable for tests.
var tookOf = func(_ versionKey, began time.Time) time.Duration { return time.Since(began) }

var errSlow = errors.New("the driver is slow, so what it has to react to waits")

// pace is what versions have taken lately of the time that all share. The zero value is ready.
type pace struct {
	mu    sync.Mutex
	debts map[versionKey]debt
}

// A debt is the time of slow calls as it was at a time; it shrinks with time. Calls that go on at once share what each takes.
type debt struct {
	d     time.Duration
	at    time.Time
	calls int
}

func (d debt) now() time.Duration { return max(0, d.d-time.Since(d.at)/paidBy) }

// call begins a call, and counts it when it is over.
func (p *pace) call(key versionKey) (counted func(counts bool)) {
	began := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.debts == nil || len(p.debts) >= maxPaced {
		p.debts = map[versionKey]debt{}
	}
	d := p.debts[key]
	d.calls++
	p.debts[key] = d
	return func(counts bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		d := p.debts[key]
		if took := tookOf(key, began); counts && took >= slowCall {
			d.d, d.at = d.now()+took/time.Duration(max(d.calls, 1)), time.Now()
		}
		d.calls = max(0, d.calls-1)
		p.debts[key] = d
	}
}

// owes is what a version has taken lately.
func (p *pace) owes(key versionKey) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.debts[key].now()
}

// late tells whether a version has to wait until others had their turn; the twin's log says so.
func (b *round) late(u *api.UsedDriver) bool {
	if b.r.pace.owes(versionKey{u.Name, u.Version}) <= maxDebt {
		return false
	}
	b.say(u.Twin, "slow", "warn", fmt.Sprintf("%s is slow: its reactions are late, because calls of on_event that take longer than %s may have a third of the time", versionOf(u), slowCall))
	return true
}

// all goes on with twins. Owners of drivers take turns, and one that is slow is worked at beside the
// others, one twin at a time as it has one worker only: so it holds up none but its own.
func (b *round) all(ctx context.Context, ids []twin.ID, said map[twin.ID]stretches) (faults []error) {
	var mu sync.Mutex
	one := func(id twin.ID) {
		if err := b.turn(ctx, id, said[id]); err != nil {
			mu.Lock()
			defer mu.Unlock()
			faults = append(faults, fmt.Errorf("twin %s: %w", id, err))
		}
	}
	quick, slow := b.turns(ids)
	var work sync.WaitGroup
	work.Go(func() { each(reactAtOnce, quick, one) })
	each(slowAtOnce, slow, func(its []twin.ID) {
		for _, id := range its {
			one(id)
		}
	})
	work.Wait()
	return faults
}

// each does something with all, so many at once.
func each[T any](n int, all []T, do func(T)) {
	var g errgroup.Group
	g.SetLimit(n)
	for _, v := range all {
		g.Go(func() error { do(v); return nil })
	}
	_ = g.Wait()
}

// turns orders twins: owners of drivers take turns, whose versions do, so that nobody gets more of the time by having many drivers. Versions
// that were slow lately are apart, each by itself. Who has a driver of the platform's, which is everybody's, shares its turns.
func (b *round) turns(ids []twin.ID) (quick []twin.ID, slow [][]twin.ID) {
	of, versions := map[versionKey][]twin.ID{}, map[string][]versionKey{}
	var owners []string
	slices.Sort(ids)
	for _, id := range ids {
		var key versionKey
		owner := "nobody" // is called
		if u := b.used[id]; u != nil && u.Reacts {
			if key, owner = (versionKey{u.Name, u.Version}), scopeOf(u.Owner); u.Owner == "" {
				owner = "driver:" + u.Name
			}
		}
		if versions[owner] == nil {
			owners = append(owners, owner)
		}
		if of[key] == nil {
			versions[owner] = append(versions[owner], key)
		}
		of[key] = append(of[key], id)
	}
	var quicks [][]twin.ID
	var slows [][][]twin.ID
	for _, owner := range owners {
		var its, late [][]twin.ID
		for _, key := range versions[owner] {
			if b.r.pace.owes(key) > 0 {
				late = append(late, of[key])
			} else {
				its = append(its, of[key])
			}
		}
		quicks, slows = append(quicks, inTurn(its)), append(slows, late)
	}
	return inTurn(quicks), inTurn(slows)
}

// inTurn has the first of each, then the second of each, and so on.
func inTurn[T any](lists [][]T) (all []T) {
	for n, left := 0, true; left; n++ {
		left = false
		for _, list := range lists {
			if n < len(list) {
				all, left = append(all, list[n]), true
			}
		}
	}
	return all
}
