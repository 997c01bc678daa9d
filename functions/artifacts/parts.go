package artifacts

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	objects "github.com/castor-iot/castor/shared/artifact"
	"github.com/castor-iot/castor/shared/faas"
)

// Sizes of parts, in bytes. A small file is one part: for who sends it, one PUT. All uploads are uploads in parts, because
// no URL can change an object any more once it was made of its parts; so what was verified stays what it is.
const (
	onePart  = 64 << 20
	somePart = 16 << 20
)

func partSize(size int64) int64 {
	if size <= onePart {
		return size
	}
	return somePart
}

func partsOf(size int64) int {
	p := partSize(size)
	return int((size + p - 1) / p)
}

// sizeOf is the size of one part.
func sizeOf(size int64, number int) int64 {
	p := partSize(size)
	return min(p, size-int64(number-1)*p)
}

// listParts pages through the parts of an upload: which are there, and URLs for all.
func (f *function) listParts(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[api.ArtifactPart], error) {
	out := api.Page[api.ArtifactPart]{Items: []api.ArtifactPart{}}
	limit, err := c.Limit()
	if err != nil {
		return out, err
	}
	after := 0
	if s := c.Query.Get("cursor"); s != "" {
		if after, err = strconv.Atoi(s); err != nil || after < 1 || after > objects.MaxParts {
			return out, api.Invalid("cursor %.40q is not one that a page named as next", s)
		}
	}
	v, err := f.find(ctx, c, access.Write)
	if err != nil {
		return out, err
	}
	if v.State != api.ArtifactUploading || v.Upload == "" {
		return out, fmt.Errorf("%w: artifact %s is %s; it has no parts to be sent", api.ErrConflict, v.ID, v.State)
	}
	var more bool
	if out.Items, more, err = f.parts(ctx, v, after, limit); more && err == nil {
		out.Next = strconv.Itoa(after + limit)
	}
	return out, err
}

// parts are the parts after a number, at most limit, and whether there are more.
func (f *function) parts(ctx context.Context, v artifact, after, limit int) (out []api.ArtifactPart, more bool, err error) {
	out = []api.ArtifactPart{}
	there, err := f.p.Objects.Parts(ctx, v.key(), v.Upload)
	if errors.Is(err, objects.ErrNotFound) { // complete by now
		return out, false, nil
	}
	if err != nil {
		return out, false, fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	}
	done := map[int]objects.Part{}
	for _, p := range there {
		done[p.Number] = p
	}
	last := partsOf(v.Size)
	expires := f.p.Time().Add(partFor)
	for n := after + 1; n <= last && n <= after+limit; n++ {
		p := api.ArtifactPart{Number: n, Size: sizeOf(v.Size, n), Expires: expires}
		if p.Done = done[n].Size == p.Size; p.Done {
			p.MD5 = done[n].MD5
		}
		if p.URL, err = f.p.Objects.PartURL(ctx, v.key(), v.Upload, n, p.Size, partFor); err != nil {
			return out, false, err
		}
		out = append(out, p)
	}
	return out, after+limit < last, nil
}

// join makes the object of the parts that were sent. It may be called again: then the object is there already.
func (f *function) join(ctx context.Context, v artifact) error {
	there, err := f.p.Objects.Parts(ctx, v.key(), v.Upload)
	if errors.Is(err, objects.ErrNotFound) {
		return f.joined(ctx, v)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	}
	if err := missing(v, there); err != nil {
		return err
	}
	err = f.p.Objects.CompleteUpload(ctx, v.key(), v.Upload, there)
	switch {
	case errors.Is(err, objects.ErrNotFound): // somebody was faster
		return f.joined(ctx, v)
	case errors.Is(err, objects.ErrParts):
		return fmt.Errorf("%w: a part of artifact %s was changed while it was completed; complete it again", api.ErrConflict, v.ID)
	case err != nil:
		return fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	}
	return nil
}

// joined tells whether the object is there though its upload is not.
func (f *function) joined(ctx context.Context, v artifact) error {
	_, err := f.p.Objects.Stat(ctx, v.key())
	if errors.Is(err, objects.ErrNotFound) {
		return fmt.Errorf("%w: the upload of artifact %s is lost; delete it and begin again", api.ErrConflict, v.ID)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	}
	return nil
}

// missing names the parts that are not there as they must be.
func missing(v artifact, there []objects.Part) error {
	size := map[int]int64{}
	for _, p := range there {
		size[p.Number] = p.Size
	}
	var names []int
	last := partsOf(v.Size)
	for n := 1; n <= last; n++ {
		if size[n] != sizeOf(v.Size, n) {
			names = append(names, n)
		}
		delete(size, n)
	}
	if len(names) > 0 {
		return fmt.Errorf("%w: %d of %d parts of artifact %s are missing or not of their size, among them %v; send them and complete it again",
			api.ErrConflict, len(names), last, v.ID, names[:min(len(names), 10)])
	}
	if len(size) > 0 {
		return fmt.Errorf("%w: artifact %s has parts beyond its %d", api.ErrConflict, v.ID, last)
	}
	return nil
}
