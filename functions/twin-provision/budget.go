package twinprovision

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/provision"
)

// judgeFor is how long one call judges the conditions of a run. It ends between two steps; the schedule takes the run on.
const judgeFor = 2 * time.Second

type meterKey struct{}

// A meteredJudge counts what judging takes, and goes on: a condition that is not judged would refuse the device.
type meteredJudge struct {
	provision.Guard
	spent time.Duration
}

func (m *meteredJudge) Holds(expr string, facts map[string]any) (bool, error) {
	begun := time.Now()
	defer func() { m.spent += time.Since(begun) }()
	return m.Guard.Holds(expr, facts)
}

// metered has the changes that are made under ctx count what judging takes.
func (f *function) metered(ctx context.Context) (context.Context, *meteredJudge) {
	m := &meteredJudge{Guard: f.guard}
	return context.WithValue(ctx, meterKey{}, m), m
}

// guardOf is who judges in a call.
func (f *function) guardOf(ctx context.Context) provision.Guard {
	if m, ok := ctx.Value(meterKey{}).(*meteredJudge); ok {
		return m
	}
	return f.guard
}
