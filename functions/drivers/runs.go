package drivers

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/faas"
)

const (
	maxCalls      = 100         // of one run
	maxBenchLimit = time.Second // that one of them may compute
)

// run makes calls of a driver, for whoever writes one: in a sandbox as devices' payloads are decoded in, but with a worker of the bench's
// own, so that nobody waits to publish because others try something.
func (f *function) run(ctx context.Context, c *faas.Call, in api.RunDriver) (out api.DriverRun, err error) {
	out.Results = []driver.Result{}
	if len(in.Calls) > maxCalls {
		return out, api.Invalid("calls: at most %d at once, not %d", maxCalls, len(in.Calls))
	}
	for i := range in.Calls {
		call := &in.Calls[i]
		if err := call.Check(); err != nil {
			return out, api.Invalid("calls[%d].%w", i, err)
		}
		if call.Data, err = driver.Plain(call.Data); err != nil {
			return out, api.Invalid("calls[%d].data: %w", i, err)
		}
		if call.Time.IsZero() {
			call.Time = f.p.Time()
		}
	}
	leave, err := f.runs.enter(c.Caller.String())
	if err != nil {
		return out, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, trialFor)
	defer cancel()
	d, err := f.bench(ctx, c.Caller, &in)
	if err != nil {
		return out, err
	}
	d.Limit = min(d.Limit, maxBenchLimit)
	codec, err := f.codecIn(ctx, f.p.Bench, d)
	if err != nil {
		return out, err
	}
	for _, call := range in.Calls {
		began := time.Now()
		results, err := codec.Run(ctx, []driver.Call{call})
		if err != nil {
			return out, late(ctx, err, len(in.Calls), d.Limit)
		}
		out.Took = append(out.Took, float64(time.Since(began).Microseconds())/1000)
		out.Results = append(out.Results, sayable(results[0]))
	}
	if in.Tests && len(d.Tests) > 0 {
		out.Tests, err = f.try(ctx, codec, d)
	}
	return out, err
}

// bench is the driver that is run: the one given, or a version that the caller may read.
func (f *function) bench(ctx context.Context, c access.Caller, in *api.RunDriver) (*driver.Driver, error) {
	switch {
	case in.Driver != nil && in.Name != "":
		return nil, api.Invalid("driver and name: one must be given, not both")
	case in.Driver != nil:
		err := wrong(driver.CheckRun(in.Driver))
		if err == nil {
			err = checked(in.Driver)
		}
		return in.Driver, err
	case in.Name == "":
		return nil, api.Invalid("driver or name must say what is run")
	}
	r, err := f.find(ctx, c, access.Read, in.Name)
	if err != nil {
		return nil, err
	}
	v := &r.All[0]
	if in.Version != "" {
		if _, v, err = f.findVersion(ctx, c, access.Read, in.Name, in.Version); err != nil {
			return nil, err
		}
	}
	d, err := f.whole(ctx, v)
	return &d, err
}
