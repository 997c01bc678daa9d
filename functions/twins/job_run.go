package twins

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"golang.org/x/sync/errgroup"
)

const (
	chunkSize = 100   // twins between two writes of a job
	countSize = 5_000 // twins counted between two
	atOnce    = 8     // twins of a chunk, and jobs of a run

	tellFor = 3 * time.Second // how long others are told of a chunk, before that is left for the sweep

	maxTries = 30 // of twins that an outage keeps from being changed
)

// leases are those of jobs.
func (f *function) leases() platform.Leases[job] {
	return platform.Leases[job]{P: f.p, C: f.jobs, Kind: "job", Of: func(j *job) (string, *platform.Lease, *string) { return j.ID, &j.Lease, &j.Reason }}
}

// workJob goes on with a job.
func (f *function) workJob(ctx context.Context, id string) error {
	_, err := f.leases().GoOn(ctx, id, platform.Work[job]{Step: f.step, Begin: func(j *job, exists bool) error {
		if !exists {
			return store.ErrNotFound
		}
		if j.State = api.JobRunning; j.Started.IsZero() {
			j.Started = f.p.Time()
		}
		return nil
	}})
	return err
}

// step does one thing for a job: it counts, or does the planned chunk and plans the next.
func (f *function) step(ctx context.Context, h *platform.Held[job]) error {
	j := &h.Doc
	if err := f.results.PutMany(ctx, j.Told); err != nil {
		return err
	}
	caller, err := f.p.Asker(ctx, j.Kind, j.Account)
	if errors.Is(err, access.ErrUnauthenticated) {
		return h.Note(ctx, func(j *job, now time.Time) { j.end(api.JobFailed, j.By+" may not sign in any more", now) })
	}
	if err == nil && j.Action == api.JobDelete && !caller.Is(deleters...) {
		return h.Note(ctx, func(j *job, now time.Time) { j.end(api.JobFailed, j.By+" may not delete twins any more", now) })
	}
	if err != nil {
		return err
	}
	scope, err := f.p.Visible(ctx, caller)
	if err != nil {
		return err
	}
	if !j.Counted {
		return f.countJob(ctx, h, scope)
	}
	done, failed, left, told, err := f.work(ctx, j, caller)
	if len(left) > 0 && len(left) == len(j.Chunk) {
		return err
	}
	p := plan{ids: left}
	if len(left) == 0 && !j.Cancelling {
		if p, err = f.plan(ctx, j, scope, chunkSize); err != nil {
			return err
		}
	}
	return h.Note(ctx, func(j *job, now time.Time) {
		j.Narrowed = j.Narrowed || j.Sight != sight(scope)
		j.Done += done
		j.Failed += failed + len(p.unseen)
		j.Told = told
		for _, id := range p.unseen {
			j.Told = append(j.Told, resultOf(j.ID, id, f.p.Problem(platform.NotFound("twin", string(id))), now))
		}
		if j.Failed > maxResults {
			j.Told = nil
		}
		j.Chunk, j.Reason = p.ids, ""
		if p.last != "" {
			j.After = p.last
		}
		switch {
		case j.Cancelling && len(j.Chunk) == 0:
			j.end(api.JobCancelled, "", now)
		case p.end && len(j.Chunk) == 0:
			j.finish(now)
		}
	})
}

// countJob counts on, and begins at the first twin when all are counted.
func (f *function) countJob(ctx context.Context, h *platform.Held[job], scope access.Scope) error {
	p, err := f.plan(ctx, &h.Doc, scope, countSize)
	if err != nil {
		return err
	}
	return h.Note(ctx, func(j *job, now time.Time) {
		if j.Sight == "" {
			j.Sight = sight(scope)
		}
		j.Narrowed = j.Narrowed || j.Sight != sight(scope)
		j.Total += len(p.ids) + len(p.unseen)
		j.After, j.Counted = p.last, p.end
		if p.end {
			j.After = ""
		}
		if j.Cancelling {
			j.end(api.JobCancelled, "", now)
		}
	})
}

// A plan is what comes after the last twin of a job.
type plan struct {
	ids    []string
	unseen []twin.ID // named by the filter, and not there for whoever asked
	last   string    // the last twin that was decided about; "" if none was
	end    bool
}

// plan finds the next twins of a job, at most n.
func (f *function) plan(ctx context.Context, j *job, scope access.Scope, n int) (p plan, err error) {
	q := filterOf(&j.Filter)
	if len(j.Filter.IDs) > 0 {
		return f.planNamed(ctx, j, q, scope, n)
	}
	walk, err := f.walk(ctx, scope, *q, j.After, 500)
	if err != nil {
		return p, err
	}
	for examined := 0; len(p.ids) < n && examined < maxExamined; examined++ {
		t, err := walk.next(ctx)
		if t == nil || err != nil {
			p.end = true
			return p, err
		}
		p.last = string(t.ID)
		if q.matches(t) && scope.Allows(access.Twin(t)) {
			p.ids = append(p.ids, p.last)
		}
	}
	return p, nil
}

func (f *function) planNamed(ctx context.Context, j *job, q *query, scope access.Scope, n int) (p plan, err error) {
	ids := j.Filter.IDs
	from, _ := slices.BinarySearch(ids, twin.ID(j.After+"\x00"))
	next := ids[from:min(from+n, len(ids))]
	p.end = from+n >= len(ids)
	if len(next) == 0 {
		return p, nil
	}
	p.last = string(next[len(next)-1])
	page, err := f.twins.Find(ctx, store.Query{Filter: store.In("_id", next...), Limit: len(next), Fields: q.looks()})
	seen := map[twin.ID]bool{}
	for i := range page.Items {
		t := &page.Items[i]
		if !t.Deleted.IsZero() || !scope.Allows(access.Twin(t)) {
			continue
		}
		if seen[t.ID] = true; q.matches(t) {
			p.ids = append(p.ids, string(t.ID))
		}
	}
	for _, id := range next {
		if !seen[id] {
			p.unseen = append(p.unseen, id)
		}
	}
	return p, err
}

// work does the chunk. Twins that an outage kept from being changed are left, and err says what it was; after maxTries they
// have failed. A chunk that was done before, without a word of it having been kept, may be done again.
func (f *function) work(ctx context.Context, j *job, c access.Caller) (done, failed int, left []string, told []api.JobResult, err error) {
	errs := make([]error, len(j.Chunk))
	changed := make([]twin.Twin, len(j.Chunk))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i, id := range j.Chunk {
		h := hand{caller: c, dry: j.DryRun, tell: func(t twin.Twin) { changed[i] = t }}
		g.Go(func() error { errs[i] = f.do(ctx, j, h, twin.ID(id)); return nil })
	}
	_ = g.Wait()
	f.tellAll(ctx, changed)
	for i, id := range j.Chunk {
		if errs[i] == nil {
			done++
			continue
		}
		switch problem := f.p.Problem(errs[i]); {
		case problem.Status == http.StatusServiceUnavailable && j.Tries < maxTries:
			left, err = append(left, id), errs[i]
		default:
			failed++
			told = append(told, resultOf(j.ID, twin.ID(id), problem, f.p.Time()))
			if problem.Status >= 500 {
				f.p.Log.ErrorContext(ctx, "job cannot change twin", "function", f.p.Part, "job", j.ID, "twin", id, "error", errs[i])
			}
		}
	}
	return done, failed, left, told, err
}

// tellAll publishes what a chunk has changed, in few round trips. What cannot be published soon is the sweep's.
func (f *function) tellAll(ctx context.Context, changed []twin.Twin) {
	ctx, cancel := context.WithTimeout(ctx, tellFor)
	defer cancel()
	var g errgroup.Group
	for part := range slices.Chunk(changed, (len(changed)+atOnce-1)/atOnce+1) {
		g.Go(func() error { return f.outbox.Flush(ctx, part...) })
	}
	if err := g.Wait(); err != nil {
		f.p.Log.WarnContext(ctx, "events left for the sweep", "function", f.p.Part, "error", err)
	}
}

// do changes one twin.
func (f *function) do(ctx context.Context, j *job, h hand, id twin.ID) error {
	switch j.Action {
	case api.JobPhase:
		return f.move(ctx, h, id, j.Phase)
	case api.JobDelete:
		err := f.bury(ctx, h, id, j.Data)
		if errors.Is(err, api.ErrNotFound) {
			t, there := f.twins.Get(ctx, string(id))
			if errors.Is(there, store.ErrNotFound) || there == nil && !t.Deleted.IsZero() {
				return nil // it is gone, which is what was asked
			}
		}
		return err
	}
	patch, err := readPatch(j.Patch)
	if err == nil {
		_, err = f.merge(ctx, h, id, patch)
	}
	return err
}

// schedule goes on with what takes longer than a call.
func (f *function) schedule(ctx context.Context, _ time.Time) error {
	var cleared, ended error
	var beside sync.WaitGroup
	beside.Go(func() { cleared = f.clear(ctx) })
	beside.Go(func() { ended = f.workEndings(ctx) })
	_, err := f.leases().Due(ctx, atOnce, f.workJob)
	beside.Wait()
	if err := f.advertise(ctx); err != nil {
		f.p.Log.WarnContext(ctx, "types not advertised", "function", f.p.Part, "error", err) // the next ones come soon
	}
	return errors.Join(err, cleared, ended, f.forgetJobs(ctx))
}

// overdueAfter is how long a job or an archive may be without going on: schedule and sweep have had their turns by then.
const overdueAfter = 2 * platform.LeaseFor

// operations are those that function twin-watchdog watches.
func (f *function) operations() []platform.Operation {
	return []platform.Operation{
		platform.Operations[job]{Kind: "job", C: f.jobs, Index: "by-worked", Field: "worked", Grace: overdueAfter,
			Of: func(j *job) api.Overdue {
				return api.Overdue{ID: j.ID, Since: j.Worked, Attempts: j.Tries, Reason: j.Reason}
			}, Retry: f.workJob},
		platform.Operations[archive]{Kind: "archive", C: f.kept, Index: "by-worked", Field: "worked", Grace: overdueAfter,
			Of: func(a *archive) api.Overdue {
				return api.Overdue{ID: a.ID, Twin: a.Twin, Type: a.Type, Owner: a.Owner, Since: a.Worked, Attempts: a.Tries, Reason: a.Reason}
			}, Retry: f.goOnWith},
	}
}

// goOnWith goes on with one archive.
func (f *function) goOnWith(ctx context.Context, id string) error {
	a, err := f.kept.Get(ctx, id)
	if err != nil {
		return err
	}
	if a.State == api.ArchiveErased {
		return f.forgetArchive(ctx, &a)
	}
	t, err := f.twins.Get(ctx, string(a.Twin))
	if err != nil || t.Deleted.IsZero() || archiveID(&t) != id || !archives(&t) {
		return err
	}
	done, err := f.archive(ctx, &t)
	if err == nil && done {
		err = f.purge(ctx, t)
	}
	return err
}
