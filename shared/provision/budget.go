package provision

import (
	"context"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// A Meter is a Guard that counts what judging costs, and judges no more once that is spent: a model comes from outside, and while
// each of its conditions is bounded, there may be many. It is for one goroutine.
type Meter struct {
	ctx   context.Context
	guard Guard
	most  time.Duration
	spent time.Duration
}

// Metered has g judge until ctx ends, for most altogether.
func Metered(ctx context.Context, g Guard, most time.Duration) *Meter {
	return &Meter{ctx: ctx, guard: g, most: most}
}

// Holds is that of the guard within.
func (m *Meter) Holds(expr string, facts map[string]any) (bool, error) {
	if err := m.Err(); err != nil {
		return false, err
	}
	if m.guard == nil {
		return false, errNoGuard
	}
	begun := time.Now()
	defer func() { m.spent += time.Since(begun) }()
	return m.guard.Holds(expr, facts)
}

// Compile is that of the guard within.
func (m *Meter) Compile(expr string) error { return m.guard.Compile(expr) }

// Err is why no more is judged; nil if more is.
func (m *Meter) Err() error {
	if err := m.ctx.Err(); err != nil {
		return err
	}
	if m.spent >= m.most {
		return fmt.Errorf("%w: model: judging its conditions takes more than %s; make them simpler, or have fewer events", twin.ErrInvalid, m.most)
	}
	return nil
}
