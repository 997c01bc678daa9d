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
// stored once. It names that object first and then makes sure that the other one still reads it. Whoever removes an object
// looks for such names after the last reader has ended. One of the two sees the other, whatever their order, and there is no
// lock and no count of readers to get wrong.
func (f *function) adopt(ctx context.Context, v artifact) (artifact, error) {
	page, err := f.artifacts.Find(ctx, store.Query{Index: "by-content", Limit: 100,
		Filter: store.And(store.Eq("sha256", v.SHA256), store.Eq("state", api.ArtifactReady))})
	if err != nil {
		return v, err
	}
	other, found := v.model(page.Items)
	if !found && len(v.Objects) > 1 { // a crash came between naming and going over
		return f.update(ctx, v.ID, func(v *artifact) error {
			v.Objects = v.Objects[:1]
			return nil
		})
	}
	if !found {
		return v, nil
	}
	if v, err = f.update(ctx, v.ID, func(v *artifact) error {
		v.Objects = append(v.Objects[:1:1], other.Objects[0])
		return nil
	}); err != nil {
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
		if v.Objects = v.Objects[:1]; reads {
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
