package artifacts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

const (
	grace      = time.Hour      // from deletion to removal of content: downloads under way end well
	refusedFor = 24 * time.Hour // how long it can be read why an artifact was refused
)

// delete ends an artifact that nobody refers to, or an upload.
func (f *function) delete(ctx context.Context, c *faas.Call, _ faas.None) (faas.None, error) {
	v, err := f.find(ctx, c, access.Write)
	if err != nil {
		return faas.None{}, err
	}
	if v, err = f.end(ctx, v.ID, deleted, "", func(*artifact) bool { return true }); err != nil {
		return faas.None{}, err
	}
	f.tidyNow(ctx, v)
	return faas.None{}, nil
}

// end ends an artifact if it is still one to be ended.
func (f *function) end(ctx context.Context, id string, state api.ArtifactState, why string, still func(*artifact) bool) (artifact, error) {
	v, err := f.artifacts.Update(ctx, id, func(v *artifact) error {
		if v.State == deleted || v.State == state || !still(v) {
			return store.Unchanged
		}
		if n := len(v.References); n > 0 {
			return fmt.Errorf("%w: artifact %s is needed by %s; end that first", api.ErrConflict, id, named(v.References))
		}
		now := f.p.Time()
		v.Owed = v.Owed || v.State != reserving && v.lives()
		v.Tidy = now
		if v.State == api.ArtifactReady {
			v.Tidy = now.Add(grace)
		}
		v.State, v.Reason, v.Since, v.Due, v.Hash, v.Verified = state, why, now, time.Time{}, nil, 0
		if state == deleted {
			v.Scopes = nil
		}
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		err = platform.NotFound("artifact", id)
	}
	return v, err
}

func named(references []string) string {
	const most = 5
	if n := len(references); n > most {
		return fmt.Sprintf("%s and %d more", strings.Join(references[:most], ", "), n-most)
	}
	return strings.Join(references, ", ")
}

// tidyNow does at once what the sweep would do; what fails is left to it.
func (f *function) tidyNow(ctx context.Context, v artifact) {
	if err := f.tidy(context.WithoutCancel(ctx), v); err != nil {
		f.p.Log.WarnContext(ctx, "artifact is left to the sweep", "artifact", v.ID, "state", string(v.State), "error", err)
	}
}

// tidy gives back what an artifact does not need any more: room, and objects when it is time.
func (f *function) tidy(ctx context.Context, v artifact) error {
	now := f.p.Time()
	if v.Tidy.IsZero() {
		return nil
	}
	if v.Owed {
		if err := f.pay(ctx, v); err != nil {
			return err
		}
	}
	switch {
	case v.State == api.ArtifactReady:
		return f.tidyReady(ctx, v)
	case v.lives() || v.Tidy.After(now):
		return nil
	}
	for _, key := range append(slices.Clone(v.Objects), v.key()) {
		if err := f.remove(ctx, key); err != nil {
			return err
		}
	}
	if v.State == api.ArtifactRefused && now.Sub(v.Since) < refusedFor {
		_, err := f.artifacts.Update(ctx, v.ID, func(v *artifact) error {
			if v.State != api.ArtifactRefused {
				return store.Unchanged
			}
			v.Tidy = v.Since.Add(refusedFor)
			return nil
		})
		return err
	}
	err := f.artifacts.DeleteIf(ctx, v.ID, store.And(store.In("state", deleted, api.ArtifactRefused), store.Exists("owed", false)))
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// tidyReady looks for equal content, and removes the artifact's own object if it reads another's.
func (f *function) tidyReady(ctx context.Context, v artifact) error {
	before := v.Objects[0]
	v, again, err := f.adopt(ctx, v)
	if err != nil || again { // the next sweep goes on
		return err
	}
	for _, key := range []string{before, v.key()} {
		if !slices.Contains(v.Objects, key) {
			err = f.remove(ctx, key)
		} else if key == v.key() { // a second upload of two calls at once
			err = f.p.Objects.AbortUploads(ctx, key)
		}
		if err != nil {
			return err
		}
	}
	_, err = f.update(ctx, v.ID, func(now *artifact) error {
		if now.State != api.ArtifactReady || !now.Tidy.Equal(v.Tidy) || len(now.Objects) != 1 {
			return store.Unchanged
		}
		now.Tidy = time.Time{}
		return nil
	})
	return err
}

// refer keeps an artifact for the calling function.
func (f *function) refer(ctx context.Context, c *faas.Call, _ faas.None) (api.Artifact, error) {
	name, err := referrer(c)
	if err != nil {
		return api.Artifact{}, err
	}
	v, err := f.find(ctx, c, access.Read)
	if err != nil {
		return api.Artifact{}, err
	}
	v, err = f.update(ctx, v.ID, func(v *artifact) error {
		switch {
		case v.State != api.ArtifactReady:
			return fmt.Errorf("%w: artifact %s is %s, not ready", api.ErrConflict, v.ID, v.State)
		case slices.Contains(v.References, name):
			return store.Unchanged
		case len(v.References) >= maxRefs:
			return fmt.Errorf("%w: artifact %s is needed by %d already", api.ErrConflict, v.ID, maxRefs)
		}
		v.References = append(v.References, name)
		slices.Sort(v.References)
		return nil
	})
	return v.Artifact, err
}

// release ends a reference of the calling function.
func (f *function) release(ctx context.Context, c *faas.Call, _ faas.None) (faas.None, error) {
	name, err := referrer(c)
	if err != nil {
		return faas.None{}, err
	}
	_, err = f.artifacts.Update(ctx, c.Var("id"), func(v *artifact) error {
		i := slices.Index(v.References, name)
		if i < 0 {
			return store.Unchanged
		}
		v.References = slices.Delete(v.References, i, i+1)
		return nil
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		err = nil
	}
	return faas.None{}, err
}

// referrer is who needs the artifact. It begins with the calling function: none ends another's references. Connectors stand
// where devices are and need none.
func referrer(c *faas.Call) (string, error) {
	if c.Caller.Gateway != "" || c.Caller.ID == "connector" || c.Caller.ID == "events" {
		return "", fmt.Errorf("%w: artifacts are kept for functions, not for connectors", access.ErrDenied)
	}
	name := c.Var("referrer")
	if !referrerPattern.MatchString(name) {
		return "", api.Invalid("referrer %.80q must be 1 to 128 letters, digits or any of \"._:@+-\", beginning with a letter or digit", name)
	}
	return c.Caller.ID + ":" + name, nil
}
