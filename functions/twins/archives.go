package twins

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// An archive is what was kept of a deleted twin, and while it is written, how far that is: any instance goes on with it. The
// tombstone holds the twin's document meanwhile.
type archive struct {
	api.Archive `bson:",inline"`

	platform.Lease `bson:",inline"`

	// Upload is the object store's; Parts how many parts it has, After where the next one begins, Sum the
	// state of the hash over them. Whole is set when all parts are there.
	Upload string `bson:"upload,omitempty"`
	Parts  int    `bson:"parts,omitempty"`
	After  string `bson:"after,omitempty"`
	Sum    []byte `bson:"sum,omitempty"`
	Whole  bool   `bson:"whole,omitempty"`
}

func openArchives(ctx context.Context, p *platform.Platform) (*store.Collection[archive], error) {
	return store.Open[archive](ctx, p.DB, store.Spec{Name: "archives", Schema: 1, Indexes: []store.Index{
		{Name: "by-age", Fields: []string{"-deleted"}},
		{Name: "by-owner", Fields: []string{"owner", "-deleted"}},
		{Name: "by-worked", Fields: []string{"worked"}},
		{Name: "by-state", Fields: []string{"state", "due"}},
	}})
}

// archiveID names the archive of a deleted twin: a twin's id may be used again.
func archiveID(t *twin.Twin) string {
	return string(t.ID) + "@" + t.Deleted.Format("20060102T150405.000Z")
}

// listArchives pages through what the caller's groups have left.
func (f *function) listArchives(ctx context.Context, c *faas.Call, _ faas.None) (out api.Page[api.Archive], err error) {
	out.Items = []api.Archive{}
	limit, err := c.Limit()
	if err != nil {
		return out, err
	}
	q := store.Query{Index: "by-owner", Limit: limit, Cursor: c.Query.Get("cursor"), Partial: true,
		Filter: store.And(store.In("owner", c.Caller.Groups...), store.Ne("state", api.ArchiveErased))}
	if c.Caller.Is(access.Maintainer) {
		q.Index, q.Filter = "by-age", store.Ne("state", api.ArchiveErased)
	} else if len(c.Caller.Groups) == 0 {
		return out, nil
	}
	page, err := f.kept.Find(ctx, q)
	for _, a := range page.Items {
		out.Items = append(out.Items, a.Archive)
	}
	out.Next = page.Next
	return out, err
}

// left is an archive that the caller may use right on: maintainers, and the group that owned the twin.
func (f *function) left(ctx context.Context, c access.Caller, right access.Right, id string) (archive, error) {
	a, err := f.kept.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) || err == nil && a.State == api.ArchiveErased {
		return archive{}, platform.NotFound("archive", id)
	}
	if err != nil {
		return a, err
	}
	return a, f.p.May(ctx, c, right, access.Object{Name: "archive:" + id, Owner: a.Owner}, "archive")
}

func (f *function) getArchive(ctx context.Context, c *faas.Call, _ faas.None) (api.Archive, error) {
	a, err := f.left(ctx, c.Caller, access.Read, c.Var("id"))
	return a.Archive, err
}

// urlFor is how long a download may begin.
const urlFor = 15 * time.Minute

func (f *function) archiveURL(ctx context.Context, c *faas.Call, _ faas.None) (out api.ArchiveURL, err error) {
	a, err := f.left(ctx, c.Caller, access.Read, c.Var("id"))
	if err != nil {
		return out, err
	}
	if a.State != api.ArchiveReady {
		return out, fmt.Errorf("%w: the archive is %s; ask again when it is ready", api.ErrConflict, a.State)
	}
	if f.p.Objects == nil {
		return out, errNoObjects
	}
	out.Expires = f.p.Time().Add(urlFor)
	out.URL, err = f.p.Objects.DownloadURL(ctx, a.Key, a.ID+".ndjson.gz", "application/gzip", urlFor)
	return out, err
}

// errNoObjects is what this platform says of archives that another configuration of it has written.
var errNoObjects = fmt.Errorf("%w: this platform has no object store at present", api.ErrUnavailable)

// eraseArchive removes an archive for ever; of one that is not ready, the twin's data go too. Who erases again goes on
// where a crash ended it.
func (f *function) eraseArchive(ctx context.Context, c *faas.Call, _ faas.None) (faas.None, error) {
	a, err := f.left(ctx, c.Caller, access.Write, c.Var("id"))
	if err != nil {
		return faas.None{}, err
	}
	a, err = f.kept.Update(ctx, a.ID, func(a *archive) error {
		a.State, a.Due, a.Holder = api.ArchiveErased, f.p.Time(), "" // whoever writes it is stopped
		return nil
	})
	if err == nil {
		err = f.forgetArchive(ctx, &a)
	}
	if err != nil {
		f.p.Log.InfoContext(ctx, "archive left for the sweep", "function", f.p.Part, "archive", a.ID, "error", err)
	}
	return faas.None{}, nil
}

// forgetArchive removes what is left of an erased archive: the file, then the twin's data, if they are still there, then itself.
func (f *function) forgetArchive(ctx context.Context, a *archive) error {
	if f.p.Objects != nil {
		if err := errors.Join(f.p.Objects.AbortUploads(ctx, a.Key), f.p.Objects.Delete(ctx, a.Key)); err != nil {
			return err
		}
	} else if a.Upload != "" {
		return errNoObjects
	}
	t, err := f.twins.Update(ctx, string(a.Twin), func(t *twin.Twin) error {
		if t.Deleted.IsZero() || archiveID(t) != a.ID || !archives(t) {
			return store.Unchanged
		}
		t.Remains.Data, t.Remains.Document = twin.Erase, nil
		return nil
	})
	if err == nil && !t.Deleted.IsZero() && archiveID(&t) == a.ID {
		err = f.purge(ctx, t)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err = f.kept.Delete(ctx, a.ID); errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return err
}

// forgetArchives goes on with what was erased and could not be removed at once.
func (f *function) forgetArchives(ctx context.Context) error {
	page, err := f.kept.Find(ctx, store.Query{Index: "by-state", Filter: store.Eq("state", api.ArchiveErased), Limit: 100})
	faults := []error{err}
	for i := range page.Items {
		faults = append(faults, f.forgetArchive(ctx, &page.Items[i]))
	}
	return errors.Join(slices.DeleteFunc(faults, func(err error) bool { return err == nil })...)
}
