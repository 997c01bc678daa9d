package artifacts

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
)

// adoptAgain is how long after an artifact became ready it is looked once more whether its content is stored twice: two that
// were verified at the same moment did not see each other.
const adoptAgain = time.Minute

// adopt has an artifact go over to the object that another ready artifact of the same content reads, so that equal content is
// stored once. That object is read first: disks damage what lies on them. What was damaged is read by nobody any longer once
// this artifact is ready and has settled. again tells that there is more to read, in the next call.
func (f *function) adopt(ctx context.Context, v artifact) (_ artifact, again bool, err error) {
	page, err := f.artifacts.Find(ctx, store.Query{Index: "by-content", Limit: 100,
		Filter: store.And(store.Eq("sha256", v.SHA256), store.Eq("state", api.ArtifactReady))})
	if err != nil {
		return v, false, err
	}
	other, found := v.model(page.Items)
	damaged := false
	if found {
		var whole bool
		whole, again, err = f.checkOther(ctx, &v, other.Objects[0])
		switch {
		case ctx.Err() != nil || again:
			return v, again, err
		case err != nil: // its own object is good, so it needs no other
			f.p.Log.WarnContext(ctx, "equal content cannot be read", "artifact", other.ID, "object", other.Objects[0], "error", err)
		}
		found, damaged = whole && err == nil, !whole && err == nil
	}
	if found {
		v, err = f.goOver(ctx, v, other)
		return v, false, err
	}
	if len(v.Objects) > 1 { // a crash came between naming and going over
		if v, err = f.update(ctx, v.ID, func(v *artifact) error {
			v.Objects = v.Objects[:1]
			return nil
		}); err != nil {
			return v, false, err
		}
	}
	if damaged && v.State == api.ArtifactReady {
		return v, false, f.mend(ctx, v, other.Objects[0], page.Items)
	}
	return v, false, nil
}

// goOver has an artifact read the object of another. It names that object first and then makes sure that the other one still
// reads it. Whoever removes an object looks for such names after the last reader has ended. One of the two sees the other,
// whatever their order, and there is no lock and no count of readers to get wrong.
func (f *function) goOver(ctx context.Context, v, other artifact) (artifact, error) {
	v, err := f.update(ctx, v.ID, func(v *artifact) error {
		v.Objects = append(v.Objects[:1:1], other.Objects[0])
		return nil
	})
	if err != nil {
		return v, err
	}
	reads, err := f.still(ctx, other)
	if err != nil {
		return v, err
	}
	return f.update(ctx, v.ID, func(v *artifact) error {
		if len(v.Objects) != 2 || v.Objects[1] != other.Objects[0] { // another call works at the same artifact
			return store.Unchanged
		}
		if v.Objects, v.Other = v.Objects[:1], nil; reads {
			v.Objects = other.Objects
		}
		return nil
	})
}

// model is the artifact among those of equal content whose object this one is to go over to: one that has settled before one
// that may go over itself, and of those the one with the smallest key, so that several do not go round in circles.
func (v *artifact) model(all []artifact) (best artifact, found bool) {
	for _, o := range all {
		settled := o.Tidy.IsZero()
		if o.ID == v.ID || len(o.Objects) != 1 || o.Objects[0] == v.Objects[0] ||
			v.State == api.ArtifactReady && !settled && o.Objects[0] > v.Objects[0] {
			continue
		}
		if !found || settled && !best.Tidy.IsZero() || settled == best.Tidy.IsZero() && o.Objects[0] < best.Objects[0] {
			best, found = o, true
		}
	}
	return best, found
}

// still tells whether an artifact reads the same object as when it was read.
func (f *function) still(ctx context.Context, v artifact) (bool, error) {
	now, err := f.artifacts.Get(ctx, v.ID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return now.State == api.ArtifactReady && slices.Equal(now.Objects, v.Objects), err
}

// remove removes an object if no artifact needs it.
func (f *function) remove(ctx context.Context, key string) error {
	page, err := f.artifacts.Find(ctx, store.Query{Index: "by-object", Limit: 1,
		Filter: store.And(store.Eq("objects", key), store.In("state", living...))})
	if err != nil || len(page.Items) > 0 {
		return err
	}
	return errors.Join(f.p.Objects.AbortUploads(ctx, key), f.p.Objects.Delete(ctx, key))
}
