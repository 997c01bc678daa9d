package twins

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// A job is a change of many twins, under way or ended. It is one document, so that any instance goes on with it: who has its
// lease plans a chunk, does it, and tells of it, each by a compare-and-swap.
type job struct {
	api.Job `bson:",inline"`

	// Kind and Account say who asked, without what that is allowed: this is asked for anew whenever somebody takes the job on.
	Kind    access.CallerKind `bson:"kind"`
	Account string            `bson:"account"`

	platform.Lease `bson:",inline"`

	// Counted is set when Total is known. After is the last twin that was counted, or then planned.
	Counted bool   `bson:"counted,omitempty"`
	After   string `bson:"after,omitempty"`

	// Sight is what whoever asked could see when the twins were first counted, as a hash; Narrowed is set when it was seen to
	// be something else later.
	Sight    string `bson:"sight,omitempty"`
	Narrowed bool   `bson:"narrowed,omitempty"`

	// Chunk are the twins that are planned and not yet told of in Done and Failed.
	Chunk []string `bson:"chunk,omitempty"`

	// Told are failures that are counted, and may not be among the results yet.
	Told []api.JobResult `bson:"told,omitempty"`
}

// Bounds of jobs.
const (
	maxOpen    = 20 // jobs of one caller that have not ended
	maxIDs     = 1000
	maxResults = 10_000
	maxReason  = 300 // bytes
	jobsKept   = 30 * 24 * time.Hour
)

func openJobs(ctx context.Context, p *platform.Platform) (*store.Collection[job], *store.Collection[api.JobResult], error) {
	jobs, err := store.Open[job](ctx, p.DB, store.Spec{Name: "jobs", Schema: 1, Indexes: []store.Index{
		{Name: "by-due", Fields: []string{"due"}},
		{Name: "by-worked", Fields: []string{"worked"}},
		{Name: "by-who", Fields: []string{"by", "-created"}},
		{Name: "by-age", Fields: []string{"-created"}},
		{Name: "by-end", Fields: []string{"finished"}},
	}})
	if err != nil {
		return nil, nil, err
	}
	results, err := store.Open[api.JobResult](ctx, p.DB, store.Spec{Name: "jobresults", Schema: 1})
	return jobs, results, err
}

var jobPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// createJob keeps a job for the schedule to begin. Asking again with the same id is the same job.
func (f *function) createJob(ctx context.Context, c *faas.Call, in api.NewJob) (faas.Reply, error) {
	if err := checkJob(&in); err != nil {
		return faas.Reply{}, err
	}
	if in.Action == api.JobDelete && !c.Caller.Is(deleters...) {
		return faas.Reply{}, fmt.Errorf("%w: twins are deleted by maintainers, configurators and owners", access.ErrDenied)
	}
	now := f.p.Time()
	j := job{Kind: c.Caller.Kind, Account: c.Caller.ID, Lease: platform.NewLease(now), Job: api.Job{ID: in.ID, Action: in.Action, Filter: in.Filter, Patch: in.Patch,
		Phase: in.Phase, Data: in.Data, DryRun: in.DryRun, By: c.Caller.String(), State: api.JobQueued, Created: now}}
	if j.ID == "" {
		j.ID = platform.NewID("job")
	}
	open, err := f.jobs.Count(ctx, store.And(store.Eq("by", j.By), store.Gt("due", time.UnixMilli(0))), "by-who")
	if err != nil {
		return faas.Reply{}, err
	}
	err = fmt.Errorf("%w: %d of your jobs have not ended yet; wait for one, or cancel it", api.ErrTooMany, open)
	if open < maxOpen {
		err = f.jobs.Insert(ctx, j)
	}
	if errors.Is(err, store.ErrExists) || errors.Is(err, api.ErrTooMany) {
		old, gone := f.jobs.Get(ctx, j.ID)
		switch {
		case gone == nil && old.By == j.By && alike(old, j):
			j, err = old, nil
		case gone == nil:
			err = fmt.Errorf("%w: job id %s is taken by another request", api.ErrExists, j.ID)
		}
	}
	if err != nil {
		return faas.Reply{}, err
	}
	return faas.Reply{Status: http.StatusAccepted, Header: http.Header{"Location": {"/jobs/" + j.ID}}, Value: j.told()}, nil
}

// deleters are those who may delete twins at all.
var deleters = []access.Role{access.Configurator, access.Owner, access.Maintainer}

// alike tells whether two jobs were asked for in the same words.
func alike(a, b job) bool {
	return a.Action == b.Action && reflect.DeepEqual(a.Filter, b.Filter) && string(a.Patch) == string(b.Patch) &&
		a.Phase == b.Phase && a.Data == b.Data && a.DryRun == b.DryRun
}

// checkJob refuses what no job can do, and brings what it may into one form.
func checkJob(in *api.NewJob) error {
	if in.ID != "" && !jobPattern.MatchString(in.ID) {
		return api.Invalid("id %.80q must be 1 to 64 letters, digits, '.', '-' or '_', beginning with a letter or digit", in.ID)
	}
	l := &in.Filter
	if reflect.ValueOf(*l).IsZero() {
		return api.Invalid("filter must name at least one of kind, type, aggregate, owner, phase, tag, prefix, online, alarms, q and ids; kind \"instance\" stands for all devices")
	}
	if err := filterOf(l).check(); err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	if len(l.IDs) > maxIDs {
		return api.Invalid("filter.ids has %d entries, at most %d are taken", len(l.IDs), maxIDs)
	}
	for _, id := range l.IDs {
		if err := id.Valid(); err != nil {
			return fmt.Errorf("filter.ids: %w", err)
		}
	}
	slices.Sort(l.IDs)
	l.IDs = slices.Compact(l.IDs)
	for _, x := range []struct {
		field string
		given bool
		of    api.JobAction
	}{{"patch", len(in.Patch) > 0, api.JobMerge}, {"phase", in.Phase != "", api.JobPhase}, {"data", in.Data != "", api.JobDelete}} {
		if x.given && in.Action != x.of {
			return api.Invalid("%s goes with action %s only", x.field, x.of)
		}
	}
	switch in.Action {
	case api.JobMerge:
		return checkPatch(in)
	case api.JobPhase:
		if !slices.Contains([]twin.Phase{twin.Suspended, twin.Operational, twin.Retired}, in.Phase) {
			return api.Invalid("phase %.40q must be suspended, operational or retired", in.Phase)
		}
		return nil
	case api.JobDelete:
		return checkData("data", in.Data)
	}
	return api.Invalid("action %.40q must be merge, phase or delete", in.Action)
}

// maxPatch bounds what one job may write into each twin, in bytes.
const maxPatch = 64 << 10

func checkPatch(in *api.NewJob) error {
	if len(in.Patch) > maxPatch {
		return api.Invalid("patch has %d bytes, at most %d are taken", len(in.Patch), maxPatch)
	}
	patch, err := readPatch(in.Patch)
	if err != nil {
		return fmt.Errorf("patch: %w", err)
	}
	if len(patch) == 0 {
		return api.Invalid("patch must have the fields of the definition to change")
	}
	var into editable // types that do not fit are found now, not at each twin
	if err := mergePatch(editable{}, patch, &into); err != nil {
		return fmt.Errorf("patch: %w", err)
	}
	in.Patch, err = json.Marshal(patch)
	return err
}

// mine is one of the caller's jobs; of others' there is none, except for maintainers.
func (f *function) mine(ctx context.Context, c access.Caller, id string) (job, error) {
	j, err := f.jobs.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) || err == nil && j.By != c.String() && !c.Is(access.Maintainer) {
		return job{}, platform.NotFound("job", id)
	}
	return j, err
}

func (f *function) getJob(ctx context.Context, c *faas.Call, _ faas.None) (api.Job, error) {
	j, err := f.mine(ctx, c.Caller, c.Var("id"))
	return j.told(), err
}

func (f *function) listJobs(ctx context.Context, c *faas.Call, _ faas.None) (out api.Page[api.Job], err error) {
	out.Items = []api.Job{}
	limit, err := c.Limit()
	if err != nil {
		return out, err
	}
	q := store.Query{Index: "by-who", Filter: store.Eq("by", c.Caller.String()), Limit: limit, Cursor: c.Query.Get("cursor")}
	if c.Caller.Is(access.Maintainer) {
		q.Index, q.Filter = "by-age", store.Filter{}
	}
	page, err := f.jobs.Find(ctx, q)
	for _, j := range page.Items {
		out.Items = append(out.Items, j.told())
	}
	out.Next = page.Next
	return out, err
}

// jobResults lists the twins that failed. Those of the newest chunk may be in the job only.
func (f *function) jobResults(ctx context.Context, c *faas.Call, _ faas.None) (out api.Page[api.JobResult], err error) {
	out.Items = []api.JobResult{}
	limit, err := c.Limit()
	if err != nil {
		return out, err
	}
	j, err := f.mine(ctx, c.Caller, c.Var("id"))
	if err != nil {
		return out, err
	}
	if err := f.results.PutMany(ctx, j.Told); err != nil {
		return out, err
	}
	page, err := f.results.Find(ctx, store.Query{Filter: resultsOf(j.ID), Limit: limit, Cursor: c.Query.Get("cursor")})
	out.Items, out.Next = append(out.Items, page.Items...), page.Next
	return out, err
}

func resultsOf(job string) store.Filter {
	return store.And(store.Gte("_id", job+"|"), store.Lt("_id", job+"}")) // '}' comes after '|'
}

// cancelJob ends a job: one that nobody works on at once, another one when who works on it has done the twins it is at.
func (f *function) cancelJob(ctx context.Context, c *faas.Call, _ faas.None) (api.Job, error) {
	j, err := f.mine(ctx, c.Caller, c.Var("id"))
	if err != nil {
		return api.Job{}, err
	}
	j, err = f.jobs.Update(ctx, j.ID, func(j *job) error {
		if j.State.Ended() {
			return store.Unchanged
		}
		j.Cancelling = true
		if now := f.p.Time(); len(j.Chunk) == 0 && !j.Due.After(now) {
			j.end(api.JobCancelled, "", now)
		}
		return nil
	})
	return j.told(), err
}

// end notes that the job has ended.
func (j *job) end(s api.JobState, reason string, now time.Time) {
	j.State, j.Reason, j.Finished = s, clip(reason), now
	j.Lease.End()
	j.Cancelling = false
	if s == api.JobDone {
		j.Total = max(j.Total, j.Done+j.Failed) // twins came meanwhile
	}
}

// finish ends a job that has come to its last twin. Twins that were counted and not come to are told of: it has failed if
// whoever asked sees other twins than when they were counted, and else they are gone or not what the filter selects any more.
func (j *job) finish(now time.Time) {
	switch missed := j.Total - j.Done - j.Failed; {
	case missed <= 0:
		j.end(api.JobDone, "", now)
	case j.Narrowed:
		j.end(api.JobFailed, fmt.Sprintf("%d of %d twins were not in reach any more: what %s may see has changed meanwhile; they are not changed", missed, j.Total, j.By), now)
	default:
		j.end(api.JobDone, fmt.Sprintf("%d of %d twins were deleted meanwhile, or are not what the filter selects any more", missed, j.Total), now)
	}
}

// sight is what a scope allows to see, as a hash.
func sight(s access.Scope) string {
	groups := slices.Clone(s.Groups)
	slices.Sort(groups)
	sum := sha256.Sum256(fmt.Appendf(nil, "%t %q %q", s.All, groups, s.Twins))
	return hex.EncodeToString(sum[:])
}

// told is the job as people see it.
func (j *job) told() api.Job {
	out := j.Job
	switch decided := out.Done + out.Failed; {
	case out.State == api.JobDone:
		out.Progress = 1
	case out.Total > 0:
		out.Progress = min(1, float64(decided)/float64(out.Total))
	}
	return out
}

// forgetJobs removes jobs that ended long ago, with their results.
func (f *function) forgetJobs(ctx context.Context) error {
	page, err := f.jobs.Find(ctx, store.Query{Index: "by-end", Limit: 10, Fields: []string{"finished"},
		Filter: store.And(store.Gt("finished", time.UnixMilli(0)), store.Lt("finished", f.p.Time().Add(-jobsKept)))})
	if err != nil {
		return err
	}
	for _, j := range page.Items {
		for n := 1000; n == 1000; {
			if n, err = f.results.DeleteRange(ctx, store.Query{Filter: resultsOf(j.ID), Limit: 1000}); err != nil {
				return err
			}
		}
		if err := f.jobs.Delete(ctx, j.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

// filterOf is a job's filter as the query of a list.
func filterOf(l *api.JobFilter) *query {
	return &query{kind: l.Kind, of: l.Type, aggregate: l.Aggregate, owner: l.Owner, phase: l.Phase, tag: l.Tag, prefix: l.Prefix, online: l.Online,
		alarms: l.Alarms, search: l.Search, words: wordsIn(l.Search)}
}

func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxReason)], "") }

func resultOf(job string, id twin.ID, p *api.Problem, now time.Time) api.JobResult {
	return api.JobResult{ID: job + "|" + string(id), Twin: id, Status: p.Status, Reason: clip(p.Error()), At: now}
}
