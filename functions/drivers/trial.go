package drivers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/declarative"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/provision"
)

const (
	trialFor     = 20 * time.Second // all calls of one publication or run
	usualLimit   = 100 * time.Millisecond
	maxTold      = 50 // tests that failed
	maxToldPlace = 5  // differences of each
)

// codec makes a driver ready. An error names what of its code is wrong.
func (f *function) codec(ctx context.Context, d *driver.Driver) (driver.Codec, error) {
	return f.codecIn(ctx, f.p.Drivers, d)
}

// codecIn is codec with workers of a pool.
func (f *function) codecIn(ctx context.Context, workers func() (*sandbox.Pool, error), d *driver.Driver) (driver.Codec, error) {
	if d.Kind == driver.Declarative {
		p, err := declarative.Parse(d.Code)
		if err != nil {
			return nil, faulty(err)
		}
		return driver.Ported(p, d.Port), nil
	}
	pool, err := workers()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	}
	c := pool.Codec(d)
	patient := *d // the first call finds everything cold
	patient.Limit = max(d.Limit, time.Second)
	results, err := pool.Codec(&patient).Run(ctx, []driver.Call{{Op: driver.Load}})
	if err != nil {
		return nil, late(ctx, err, 1, patient.Limit)
	}
	if r := results[0]; r.Failure == driver.Invalid || r.Failure.Grave() {
		return nil, refused("code: "+r.Reason, nil, nil)
	}
	return driver.Ported(c, d.Port), nil
}

// checked refuses a document that could be run, but cannot mean what it says. What is published already is not asked: it is read as it is.
func checked(d *driver.Driver) error {
	if d.Kind != driver.Declarative {
		return nil
	}
	return faulty(declarative.Check(d.Code))
}

// faulty is what is wrong with a document, each thing at its place.
func faulty(err error) error {
	var faults declarative.Faults
	if !errors.As(err, &faults) {
		return err
	}
	lines, placed := make([]string, len(faults)), make([]provision.Fault, len(faults))
	for i, x := range faults {
		lines[i], placed[i] = "code: "+x.Error(), provision.Fault{Path: x.Field, Line: x.Line, Text: x.Reason}
	}
	return refused(counted(lines, "things are wrong"), lines, placed)
}

// late says in people's words that calls took too long together. Where the driver cannot have needed that long itself, it waited for
// others', which is not its fault.
func late(ctx context.Context, err error, calls int, limit time.Duration) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	}
	if time.Duration(calls)*cmp.Or(limit, usualLimit) < trialFor {
		return fmt.Errorf("%w: others' drivers keep all workers busy; try again in a moment", api.ErrUnavailable)
	}
	return api.Invalid("the calls took longer than %s in all: give fewer, or make the driver faster", trialFor)
}

// try runs a driver's own tests.
func (f *function) try(ctx context.Context, c driver.Codec, d *driver.Driver) ([]api.DriverTest, error) {
	tests := d.Tests
	calls := make([]driver.Call, len(tests))
	for i := range tests {
		calls[i] = tests[i].Call
	}
	results, err := c.Run(ctx, calls)
	if err != nil {
		return nil, late(ctx, err, len(calls), d.Limit)
	}
	out := make([]api.DriverTest, len(tests))
	for i := range tests {
		out[i] = api.DriverTest{Name: tests[i].Name, Differences: tests[i].Check(results[i])}
		if out[i].Differences == nil {
			out[i].Differences = []driver.Difference{}
		}
	}
	return out, nil
}

// passes refuses a driver that fails one of its tests, and says which and how.
func (f *function) passes(ctx context.Context, d *driver.Driver) error {
	ctx, cancel := context.WithTimeout(ctx, trialFor)
	defer cancel()
	if err := checked(d); err != nil {
		return err
	}
	c, err := f.codec(ctx, d)
	if err != nil {
		return err
	}
	tests, err := f.try(ctx, c, d)
	if err != nil {
		return err
	}
	var failed []string
	for i, t := range tests {
		if len(t.Differences) > 0 {
			failed = append(failed, told(i, t))
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return refused(counted(failed, fmt.Sprintf("of %d tests fail", len(tests))), failed[:min(len(failed), maxTold)], nil)
}

// counted is the first line, with how many there are if there are more.
func counted(lines []string, of string) string {
	if len(lines) == 1 {
		return lines[0]
	}
	return fmt.Sprintf("%d %s; the first: %s", len(lines), of, lines[0])
}

// told is a test that failed, for people: tests[3] "open door": data.temperature: want 21.5, got 215.
func told(i int, t api.DriverTest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "tests[%d]", i)
	if t.Name != "" {
		fmt.Fprintf(&b, " %q", t.Name)
	}
	b.WriteString(": ")
	for j, d := range t.Differences {
		if j == maxToldPlace {
			fmt.Fprintf(&b, "; and %d more", len(t.Differences)-j)
			break
		}
		if j > 0 {
			b.WriteString("; ")
		}
		b.WriteString(d.String())
	}
	return b.String()
}

// sayable makes of a result that JSON cannot say one that tells so.
func sayable(r driver.Result) driver.Result {
	if _, err := json.Marshal(r); err != nil {
		return driver.Result{Failure: driver.Invalid, Reason: "what it returned cannot be said in JSON"}
	}
	return r
}
