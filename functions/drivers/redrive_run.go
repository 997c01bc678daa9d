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
)

const (
	redrivesAtOnce = 4 // of a run

	chunkSize = 100 // messages between two writes of a redrive
	lookSize  = 50  // twins looked at for the next ones
)

// work goes on with the redrives that are due, and forgets old ones.
func (r *redriver) work(ctx context.Context) error {
	_, err := r.leases().Due(ctx, redrivesAtOnce, r.goOn)
	return errors.Join(err, r.forget(ctx))
}

// leases are those of redrives.
func (r *redriver) leases() platform.Leases[redrive] {
	return platform.Leases[redrive]{P: r.f.p, C: r.jobs, Kind: "redrive",
		Of: func(j *redrive) (string, *platform.Lease, *string) { return j.ID, &j.Lease, &j.Reason }}
}

// goOn goes on with a redrive.
func (r *redriver) goOn(ctx context.Context, id string) error {
	d := &decoder{f: r.f}
	_, err := r.leases().GoOn(ctx, id, platform.Work[redrive]{
		Begin: func(j *redrive, exists bool) error {
			if !exists {
				return store.ErrNotFound
			}
			j.State, d.again = api.JobRunning, j.Holder != "" || j.Tries > 0
			return nil
		},
		Step: func(ctx context.Context, h *platform.Held[redrive]) error { return r.step(ctx, h, d) },
	})
	return err
}

// step does one thing for a redrive: it reads the planned messages, and plans the next.
func (r *redriver) step(ctx context.Context, h *platform.Held[redrive], d *decoder) error {
	j := &h.Doc
	if j.Cancelling {
		return r.abandon(ctx, h, d)
	}
	asker, err := r.f.p.Asker(ctx, j.Kind, j.Account)
	if errors.Is(err, access.ErrUnauthenticated) {
		return h.Note(ctx, func(j *redrive, now time.Time) { j.end(api.JobFailed, j.By+" may not sign in any more", now) })
	}
	if err == nil && !asker.Is(redrivers...) {
		return h.Note(ctx, func(j *redrive, now time.Time) {
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
	d.again = false
	next := plan{twins: j.Twins, chunk: did.rest, cursor: j.Cursor}
	if did.stop == "" && (len(did.rest) == 0 || did.over) {
		if next, err = r.plan(ctx, j, did.over); err != nil {
			return err
		}
	}
	return h.Note(ctx, func(j *redrive, now time.Time) {
		j.Stored, j.Left, j.Gone, j.Grave = j.Stored+did.stored, j.Left+did.left, j.Gone+did.gone, j.Grave+did.grave
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

// abandon ends a redrive without reading on: whatever each step failed of, it can be cancelled. What was read before without a word
// of it still counts.
func (r *redriver) abandon(ctx context.Context, h *platform.Held[redrive], d *decoder) error {
	var stored int64
	if d.again && len(h.Doc.Chunk) > 0 {
		there, err := r.parked.GetMany(ctx, h.Doc.Chunk)
		if err != nil {
			return err
		}
		stored = int64(len(h.Doc.Chunk) - len(there))
	}
	return h.Note(ctx, func(j *redrive, now time.Time) {
		j.Stored += stored
		j.end(api.JobCancelled, "", now)
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
	known, err := r.f.typesOf(ctx, found)
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
