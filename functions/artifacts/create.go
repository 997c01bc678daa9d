package artifacts

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// create announces a file. Content is uploaded even if it is stored already, unless the caller may read an artifact that has
// it: who only knows a hash must not get at the content by it, nor learn that it is there.
//
// The document is written first. Whatever comes after it and is not finished, the sweep finds by it.
func (f *function) create(ctx context.Context, c *faas.Call, in api.NewArtifact) (faas.Reply, error) {
	err := check(&in)
	if err == nil {
		err = f.p.Owner(ctx, c.Caller, &in.Owner)
	}
	if err != nil {
		return faas.Reply{}, err
	}
	v, err := f.same(ctx, c.Caller, in)
	if err != nil {
		return faas.Reply{}, err
	}
	status := http.StatusOK
	if v.ID == "" {
		status = http.StatusCreated
		if v, err = f.reserve(ctx, c.Caller, in); err != nil {
			return faas.Reply{}, err
		}
	}
	out, err := f.announce(ctx, v)
	if err != nil {
		return faas.Reply{}, err
	}
	return faas.Reply{Status: status, Header: http.Header{"Location": {"/artifacts/" + v.ID}}, Value: out}, nil
}

// same is the artifact that the caller announced in the same words before; one without an id if there is none. So a call that
// is repeated, and an upload that was broken off, go on with what there is.
func (f *function) same(ctx context.Context, c access.Caller, in api.NewArtifact) (artifact, error) {
	page, err := f.artifacts.Find(ctx, store.Query{Index: "by-content", Limit: 100, Partial: true, Filter: store.And(store.Eq("sha256", in.SHA256),
		store.In("state", api.ArtifactUploading, api.ArtifactVerifying, api.ArtifactReady), store.Eq("owner", in.Owner),
		store.Eq("name", in.Name), store.Eq("by", c.String()))})
	var ready artifact
	for _, v := range page.Items {
		if v.MediaType != in.MediaType || v.Size != in.Size || !slices.Equal(v.Tags, in.Tags) {
			continue
		}
		if v.State != api.ArtifactReady {
			return v, nil
		}
		ready = v
	}
	if err == nil && ready.ID != "" { // one whose content was damaged is mended by a new upload
		var damaged bool
		if damaged, err = f.damaged(ctx, ready); damaged {
			ready = artifact{}
		}
	}
	return ready, err
}

// reserve makes the artifact within the group's quota: ready at once if the caller can read the content anyway, else to be
// uploaded.
func (f *function) reserve(ctx context.Context, c access.Caller, in api.NewArtifact) (artifact, error) {
	now := f.p.Time()
	v := artifact{Artifact: api.Artifact{ID: platform.NewID("artifact"), Name: in.Name, Owner: in.Owner, MediaType: in.MediaType, Size: in.Size,
		SHA256: in.SHA256, Tags: in.Tags, State: reserving, By: c.String(), Created: now}, Since: now}
	v.Objects = []string{v.key()}
	has, err := f.readable(ctx, c, in.SHA256)
	if err != nil {
		return v, err
	}
	if has.ID != "" {
		if has.Size != in.Size {
			return v, api.Invalid("size %d is not that of the content with this sha256, %d", in.Size, has.Size)
		}
		v.Objects = slices.Clone(has.Objects)
	}
	if err := f.artifacts.Insert(ctx, v); err != nil {
		return v, err
	}
	q, err := f.take(ctx, v.Owner, v.Size)
	if err != nil {
		f.drop(ctx, v.ID)
		return v, err
	}
	// Now that this one names the object: if the other still does, the object stays (see adopt).
	ready := has.ID != ""
	if ready {
		if ready, err = f.still(ctx, has); err != nil {
			return v, err
		}
	}
	if ready {
		damaged, err := f.damaged(ctx, has)
		if err != nil {
			return v, err
		}
		ready = !damaged
	}
	v, err = f.update(ctx, v.ID, func(v *artifact) error {
		v.Since, v.State, v.Objects = f.p.Time(), api.ArtifactUploading, []string{v.key()}
		v.Due = v.Since.Add(uploadFor)
		if ready {
			v.State, v.Objects, v.Tidy = api.ArtifactReady, slices.Clone(has.Objects), v.Since.Add(adoptAgain)
			v.Due = time.Time{}
		}
		v.show()
		return nil
	})
	if errors.Is(err, api.ErrConflict) || errors.Is(err, api.ErrNotFound) { // the sweep was faster, and thinks that nothing was taken
		err = errors.Join(err, f.give(context.WithoutCancel(ctx), q, in.Size))
	}
	return v, err
}

// drop removes what was never shown to anybody.
func (f *function) drop(ctx context.Context, id string) {
	err := f.artifacts.DeleteIf(context.WithoutCancel(ctx), id, store.Eq("state", reserving))
	if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrConflict) {
		f.p.Log.WarnContext(ctx, "artifact that was refused is left to the sweep", "artifact", id, "error", err)
	}
}

// readable is a ready artifact of this content that the caller may read, and whose object is settled; one without an id if
// there is none.
func (f *function) readable(ctx context.Context, c access.Caller, sum string) (artifact, error) {
	s, err := f.scope(ctx, c)
	if err != nil {
		return artifact{}, err
	}
	filter := store.And(store.Eq("sha256", sum), store.Eq("state", api.ArtifactReady))
	if !s.all {
		filter = store.And(filter, store.Or(store.In("owner", s.groups...), store.In("_id", s.ids...)))
	}
	page, err := f.artifacts.Find(ctx, store.Query{Index: "by-content", Filter: filter, Limit: 10, Partial: true})
	for _, v := range page.Items {
		if len(v.Objects) == 1 {
			return v, nil
		}
	}
	return artifact{}, err
}

// How long an upload may take, and how long the URL of a part is good.
const (
	uploadFor = 24 * time.Hour
	partFor   = time.Hour
)

// announce tells how to go on with an artifact.
func (f *function) announce(ctx context.Context, v artifact) (api.Announced, error) {
	if v.State == api.ArtifactUploading && v.Upload == "" {
		upload, err := f.p.Objects.StartUpload(ctx, v.key())
		if err != nil {
			return api.Announced{}, fmt.Errorf("%w: %w", api.ErrUnavailable, err)
		}
		if v, err = f.update(ctx, v.ID, func(v *artifact) error {
			if v.Upload != "" { // somebody was faster; this one ends with the artifact
				return store.Unchanged
			}
			v.Upload = upload
			return nil
		}); err != nil {
			return api.Announced{}, err
		}
	}
	out := api.Announced{Artifact: v.Artifact}
	if v.State != api.ArtifactUploading {
		return out, nil
	}
	urls, _, err := f.parts(ctx, v, 0, faas.DefaultLimit)
	out.Upload = &api.ArtifactUpload{PartSize: partSize(v.Size), Parts: partsOf(v.Size), Until: v.Created.Add(uploadFor), URLs: urls}
	return out, err
}
