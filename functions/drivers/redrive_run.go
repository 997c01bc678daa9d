package drivers

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"golang.org/x/sync/errgroup"
)

const (
	redrivesAtOnce = 4                // of a run
	redriveHeld    = time.Minute      // how long a redrive is believed to be worked on without a word
	redriveFor     = 10 * time.Second // how long one run stays at one; the next goes on
	redrivePause   = 30 * time.Second // at most, before what is away is asked for again

	chunkSize = 100 // messages between two writes of a redrive
	lookSize  = 50  // twins looked at for the next ones
)

// waits is how the reason of a redrive begins that cannot go on for now.
const waits = "waits: "

// errTaken: the redrive was believed to be left, and somebody else has taken it.
var errTaken = errors.New("somebody else works on the redrive now")

// work takes on the redrives that are due, those that have waited longest first.
func (r *redriver) work(ctx context.Context) error {
	page, err := r.jobs.Find(ctx, store.Query{Index: "by-due", Limit: redrivesAtOnce, Fields: []string{"due"},
		Filter: store.And(store.Gt("due", time.UnixMilli(0)), store.Lte("due", r.f.p.Time()))})
	if err != nil {
		return err
	}
	var g errgroup.Group
	errs := make([]error, len(page.Items))
	for i := range page.Items {
		g.Go(func() error { errs[i] = r.goOn(ctx, page.Items[i].ID); return nil })
	}
	_ = g.Wait()
	return errors.Join(append(errs, r.forget(ctx))...)
}

// goOn makes a redrive this run's, and goes on with it until it ends, must wait, or time is up.
func (r *redriver) goOn(ctx context.Context, id string) error {
	holder := platform.NewID("run")
	j, err := r.jobs.Update(ctx, id, func(j *redrive) error {
		now := r.f.p.Time()
		if j.Due.IsZero() || j.Due.After(now) {
			return store.Unchanged // somebody else was faster
		}
		j.Holder, j.Due, j.State = holder, now.Add(redriveHeld), api.JobRunning
		return nil
	})
	if err != nil || j.Holder != holder {
		return err
	}
	working, cancel := context.WithTimeout(ctx, redriveHeld/2)
	defer cancel()
	until := time.Now().Add(redriveFor)
	d := &decoder{f: r.f}
	for err == nil && !j.State.Ended() {
		if time.Now().After(until) {
			err = r.note(ctx, &j, func(j *redrive, now time.Time) { j.Due, j.Holder = now, "" })
			break
		}
		err = r.step(working, &j, d)
	}
	if err != nil && !errors.Is(err, errTaken) {
		r.f.p.Log.WarnContext(ctx, "redrive waits", "function", r.f.p.Part, "redrive", id, "error", err)
		err = r.pause(ctx, &j, err)
	}
	if errors.Is(err, errTaken) {
		return nil
	}
	return err
}

// note is a write of whoever holds the redrive.
func (r *redriver) note(ctx context.Context, j *redrive, change func(j *redrive, now time.Time)) error {
	holder := j.Holder
	now, err := r.jobs.Update(ctx, j.ID, func(j *redrive) error {
		if j.Holder != holder || j.State.Ended() {
			return errTaken
		}
		at := r.f.p.Time()
		j.Due, j.Worked, j.Tries = at.Add(redriveHeld), at, 0
		if strings.HasPrefix(j.Reason, waits) {
			j.Reason = ""
		}
		change(j, at)
		return nil
	})
	if err == nil {
		*j = now
	}
	return err
}

// pause leaves the redrive for a while, because something that it needs is away.
func (r *redriver) pause(ctx context.Context, j *redrive, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	tries, worked := j.Tries+1, j.Worked
	return r.note(ctx, j, func(j *redrive, now time.Time) {
		j.Tries, j.Worked, j.Holder = tries, worked, ""
		j.Reason, j.Due = clip(waits+r.f.p.Problem(why).Error()), now.Add(min(time.Duration(tries)*time.Second, redrivePause))
	})
}

// step does one thing for a redrive: it reads the planned messages, and plans the next.
func (r *redriver) step(ctx context.Context, j *redrive, d *decoder) error {
	asker, err := r.f.p.Asker(ctx, j.Kind, j.Account)
	if errors.Is(err, access.ErrUnauthenticated) {
		return r.note(ctx, j, func(j *redrive, now time.Time) { j.end(api.JobFailed, j.By+" may not sign in any more", now) })
	}
	if err == nil && !asker.Is(redrivers...) {
		return r.note(ctx, j, func(j *redrive, now time.Time) {
			j.end(api.JobFailed, j.By+" may not have messages read again any more", now)
		})
	}
	if err != nil {
		return err
	}
	var did outcome
	if len(j.Chunk) > 0 {
		if did, err = r.read(ctx, j, asker, d); err != nil {
			return err
		}
	}
	next := plan{twins: j.Twins}
	if did.stop == "" && !j.Cancelling {
		if next, err = r.plan(ctx, j, did.over); err != nil {
			return err
		}
	}
	return r.note(ctx, j, func(j *redrive, now time.Time) {
		j.Stored, j.Left, j.Grave = j.Stored+did.stored, j.Left+did.left, j.Grave+did.grave
		if j.LeftHere += did.left; len(next.twins) == 0 || len(j.Twins) == 0 || next.twins[0] != j.Twins[0] {
			j.LeftHere = 0
		}
		if did.reason != "" {
			j.Reason = clip(did.reason)
		}
		j.Twins, j.Chunk, j.Cursor = next.twins, next.chunk, next.cursor
		if next.after != "" {
			j.After = next.after
		}
		switch {
		case did.stop != "":
			j.end(api.JobFailed, did.stop, now)
		case j.Cancelling:
			j.end(api.JobCancelled, "", now)
		case next.end:
			j.end(api.JobDone, "", now)
		}
	})
}

// A plan is what comes next.
type plan struct {
	twins  []twin.ID
	chunk  []string // of the first of twins
	cursor string
	after  twin.ID // the last twin that was looked at; "" if none was
	end    bool
}

// plan finds the messages that come after the redrive's chunk: of the twin it is at, unless that is over, else of the next. What is
// parked while it goes on is left out, else it might never end.
func (r *redriver) plan(ctx context.Context, j *redrive, over bool) (p plan, err error) {
	p.twins, p.cursor = j.Twins, j.Cursor
	if len(p.twins) > 0 && (over || len(j.Chunk) > 0 && j.Cursor == "") {
		p.twins, p.cursor = p.twins[1:], ""
	}
	if len(p.twins) == 0 {
		if j.Twin != "" {
			p.end = true
			return p, nil
		}
		if p.twins, p.after, err = r.nextTwins(ctx, j); err != nil || len(p.twins) == 0 {
			p.end = p.after == ""
			return p, err
		}
	}
	page, err := r.parked.Find(ctx, store.Query{Index: "by-twin", Reverse: true, Limit: chunkSize, Cursor: p.cursor, Fields: []string{"twin"},
		Filter: store.And(store.Eq("twin", p.twins[0]), store.Lte("received", j.Created))})
	for _, m := range page.Items {
		p.chunk = append(p.chunk, m.ID)
	}
	if p.cursor = page.Next; len(p.chunk) == 0 {
		p.twins = p.twins[1:]
		p.end = err == nil && len(p.twins) == 0 && j.Twin != ""
	}
	return p, err
}

// nextTwins are twins that have parked messages and are of the redrive's type or driver, behind the last one that was looked at; last
// is the last one that is looked at now, "" at the end.
func (r *redriver) nextTwins(ctx context.Context, j *redrive) (twins []twin.ID, last twin.ID, err error) {
	var ids []twin.ID
	after := j.After
	for len(ids) < lookSize {
		m, err := r.parked.FindOne(ctx, store.Query{Index: "by-twin", Filter: store.Gt("twin", after), Fields: []string{"twin"}})
		if errors.Is(err, store.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, "", err
		}
		after = m.Twin
		ids = append(ids, after)
	}
	if len(ids) == 0 {
		return nil, "", nil
	}
	found, err := r.f.read500(ctx, ids, "kind", "deleted", "definition.type")
	if err != nil {
		return nil, "", err
	}
	var types []string
	for i := range found {
		types = append(types, string(found[i].Definition.Type))
	}
	known, err := r.f.known.typesOf(ctx, unique(types))
	for i := range found {
		t := &found[i]
		of := known[t.Definition.Type]
		if t.Kind != twin.Instance || !t.Deleted.IsZero() || of.model == nil {
			continue
		}
		if j.Type == t.Definition.Type || j.Driver != "" && j.Driver == of.model.Driver {
			twins = append(twins, t.ID)
		}
	}
	return twins, after, err
}

// clip bounds a reason, which a driver may have given.
func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 500)], "") }
