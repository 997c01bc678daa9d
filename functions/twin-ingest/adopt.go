package twiningest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
)

// adoptSize is how many messages a call adopts, which may be long.
const adoptSize = 100

// adopters are those who may have a twin adopt messages, of the twins that they may write: who may have them read again, too.
var adopters = []access.Role{access.Configurator, access.Developer, access.Owner, access.Maintainer}

// adopt makes messages the twin's that its device sent before it had the twin: they are parked of it then, and a redrive reads them.
// Which device that is the mapper says and not the caller, and a message counts only if it came by a gateway where the device has its
// place, as when it comes at once; so nobody feeds a twin with what others have said. Whatever crashes in it, the same call can be made
// again: a message has the same id whenever it is adopted, and stops being of no twin last.
func (f *function) adopt(ctx context.Context, c *faas.Call, _ faas.None) (out api.AdoptedParked, err error) {
	id := twin.ID(c.Var("twin"))
	t, err := f.p.Twin(ctx, f.twins, c.Caller, access.Write, id)
	switch {
	case err != nil:
		return out, err
	case t.Kind != twin.Instance:
		return out, api.Invalid("twin: %s is of kind %s; only a device's twin adopts messages", id, t.Kind)
	case t.Definition.Phase == twin.Retired:
		return out, retired(id)
	case t.Definition.Out():
		return out, fmt.Errorf("%w: twin %s is suspended, so nothing counts that its device says; resume it first (castor twin resume %s), then adopt what came", api.ErrConflict, id, id)
	}
	if out.Ref, err = f.places.Ref(ctx, id); err != nil {
		return out, err
	}
	if out.Ref == "" {
		return out, fmt.Errorf("%w: twin %s has no device; bring it in first (castor device add), then adopt what it has sent", api.ErrConflict, id)
	}
	page, err := f.parked.Find(ctx, store.Query{Index: "by-ref", Reverse: true, Limit: adoptSize, Cursor: c.Query.Get("cursor"), Filter: store.Eq("ref", out.Ref)})
	if err != nil {
		return out, err
	}
	adopted, was, err := f.adoptable(ctx, &t, page.Items)
	if err != nil {
		return out, err
	}
	out.Left, out.Next = len(page.Items)-len(adopted), page.Next
	if adopted, was, err = f.stillStray(ctx, adopted, was); err != nil || len(adopted) == 0 {
		return out, err
	}
	out.Adopted = len(adopted)
	fresh, err := f.insertAdopted(ctx, adopted)
	if err == nil {
		err = f.countParked(ctx, id, fresh)
	}
	if errors.Is(err, api.ErrNotFound) {
		return out, errors.Join(err, f.takeBack(ctx, adopted))
	}
	if err == nil {
		_, err = f.parked.DeleteRange(ctx, store.Query{Filter: store.In("_id", was...), Limit: len(was)})
	}
	return out, err
}

// adoptable are those of messages that the twin adopts, as they are kept of it, and their ids until now.
func (f *function) adoptable(ctx context.Context, t *twin.Twin, messages []api.ParkedMessage) (adopted []api.ParkedMessage, was []string, err error) {
	id := t.ID
	here := map[string]bool{} // by gateway
	for _, m := range messages {
		may, asked := here[m.Gateway]
		if !asked {
			at, err := f.places.At(ctx, m.Gateway, map[twin.ID]int64{id: 0})
			if err != nil {
				return nil, nil, err
			}
			_, may = at[id]
			here[m.Gateway] = may
		}
		if !may || !readable(m.Was) {
			continue
		}
		was = append(was, m.ID)
		_, rest, _ := strings.Cut(m.ID, "|")
		m.ID, m.Twin, m.Type, m.Ref, m.Via, m.Reason = string(id)+"|"+rest, id, t.Definition.Type, "", "", "its device had no twin when it came; a redrive reads it"
		m.Generation = 0 // it came by no mapping, whatever the connector has said
		adopted = append(adopted, m)
	}
	return adopted, was, nil
}

// stillStray are those of the messages that are of no twin yet. Another call may have adopted the others since the page was read, and a
// redrive may have read them: they would be parked once more.
func (f *function) stillStray(ctx context.Context, adopted []api.ParkedMessage, was []string) (still []api.ParkedMessage, ids []string, err error) {
	there, err := f.parked.Load(ctx, was)
	for i, stray := range there {
		if stray != nil {
			still, ids = append(still, adopted[i]), append(ids, was[i])
		}
	}
	return still, ids, err
}

// takeBack has messages be of no twin only, as they are still: the twin was deleted, and perhaps all that was parked of it before they were.
func (f *function) takeBack(ctx context.Context, adopted []api.ParkedMessage) error {
	ids := make([]string, len(adopted))
	for i := range adopted {
		ids[i] = adopted[i].ID
	}
	_, err := f.parked.DeleteRange(ctx, store.Query{Filter: store.In("_id", ids...), Limit: len(ids)})
	return err
}

// insertAdopted parks messages of their twin, and tells how many were not there yet.
func (f *function) insertAdopted(ctx context.Context, messages []api.ParkedMessage) (fresh int, err error) {
	errs, err := f.parked.InsertMany(ctx, messages)
	if err != nil {
		return 0, err
	}
	for _, err := range errs {
		switch {
		case err == nil:
			fresh++
		case !errors.Is(err, store.ErrExists):
			return 0, err
		}
	}
	return fresh, nil
}

// countParked puts the twin's own count of parked messages right, of which so many are new. Where there are few they are counted: a
// crash may have come before. A twin that went meanwhile, or was retired, is an error.
func (f *function) countParked(ctx context.Context, id twin.ID, fresh int) error {
	docs, err := f.twins.Load(ctx, []string{string(id)})
	if err == nil {
		err = adopts(id, docs[0])
	}
	if err != nil {
		return err
	}
	s := &subject{id: id, doc: docs[0], left: func(held int64) int64 { return held + int64(fresh) }}
	if docs[0].Value.Live.Parked <= maxCounted {
		n, err := f.parked.Count(ctx, store.Eq("twin", id), "by-twin")
		if err != nil {
			return err
		}
		s.left = func(int64) int64 { return int64(n) }
	}
	b := &batch{f: f, now: f.p.Time(), trace: trace.Of(ctx), subjects: []*subject{s}}
	if err := b.learn(ctx); err != nil {
		return err
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	return adopts(id, s.doc) // it may have been read anew
}

// adopts tells whether there is a twin that may have messages.
func adopts(id twin.ID, d *store.Doc[twin.Twin]) error {
	switch {
	case d == nil || !d.Value.Deleted.IsZero():
		return platform.NotFound("twin", string(id))
	case d.Value.Definition.Phase == twin.Retired:
		return retired(id)
	}
	return nil
}

func retired(id twin.ID) error {
	return fmt.Errorf("%w: twin %s is retired; it adopts no messages", api.ErrConflict, id)
}
