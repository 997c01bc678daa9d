package artifacts

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	objects "github.com/castor-iot/castor/shared/artifact"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
)

// sliceFor is how long one call reads content. What takes longer goes on in the next call, or in the sweep.
var sliceFor = 8 * time.Second

// complete joins the parts and verifies the content: 200 when it is ready, 202 while there is more to read. It may be called
// again at any time, and by anybody who may write the artifact.
func (f *function) complete(ctx context.Context, c *faas.Call, _ faas.None) (faas.Reply, error) {
	v, err := f.find(ctx, c, access.Write)
	if err == nil && v.State == api.ArtifactUploading {
		v, err = f.joinUpload(ctx, v)
	}
	if err == nil && v.State == api.ArtifactVerifying {
		v, err = f.verify(ctx, v)
	}
	switch {
	case err != nil:
		return faas.Reply{}, err
	case v.State == api.ArtifactRefused:
		return faas.Reply{}, fmt.Errorf("%w: %s", api.ErrConflict, v.Reason)
	case v.State == api.ArtifactVerifying:
		return faas.Reply{Status: http.StatusAccepted, Value: v.Artifact}, nil
	}
	return faas.Reply{Value: v.Artifact}, nil
}

func (f *function) joinUpload(ctx context.Context, v artifact) (artifact, error) {
	if v.Upload == "" {
		return v, fmt.Errorf("%w: no part of artifact %s was sent yet", api.ErrConflict, v.ID)
	}
	if err := f.join(ctx, v); err != nil {
		return v, err
	}
	return f.update(ctx, v.ID, func(v *artifact) error {
		if v.State != api.ArtifactUploading {
			return store.Unchanged
		}
		v.State, v.Since = api.ArtifactVerifying, f.p.Time()
		v.Due = v.Since.Add(verifyAfter)
		return nil
	})
}

// verify reads on where somebody left off, for a while. At the end the artifact is ready, or refused.
func (f *function) verify(ctx context.Context, v artifact) (artifact, error) {
	sum := sha256.New()
	if v.Verified > 0 {
		if err := sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(v.Hash); err != nil {
			return v, fmt.Errorf("state of the SHA-256 of artifact %s: %w", v.ID, err)
		}
	}
	at, err := f.read(ctx, v.key(), v.Verified, v.Size, sum)
	if err != nil {
		if why, _ := f.lost(ctx, v); why != "" {
			return f.refuse(ctx, v, why)
		}
		return v, err
	}
	state, err := sum.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return v, err
	}
	if at == v.Size {
		return f.judge(ctx, v, state, hex.EncodeToString(sum.Sum(nil)))
	}
	return f.update(ctx, v.ID, func(v *artifact) error {
		if v.State != api.ArtifactVerifying || v.Verified >= at { // somebody else reads too, and is ahead
			return store.Unchanged
		}
		v.Verified, v.Hash, v.Since = at, state, f.p.Time()
		v.Due = v.Since.Add(verifyAfter)
		return nil
	})
}

// read hashes an object of some size from an offset on until it ends or the time is over, and returns how far it came.
func (f *function) read(ctx context.Context, key string, at, size int64, sum hash.Hash) (int64, error) {
	ctx, cancel := context.WithCancel(ctx) // a body that is not read to its end is dropped
	defer cancel()
	if at >= size {
		return at, nil
	}
	r, err := f.p.Objects.ReadAt(ctx, key, at, size-at)
	if err != nil {
		return at, fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	}
	defer r.Close()
	buf := make([]byte, 1<<20)
	for begin := time.Now(); at < size; {
		n, err := r.Read(buf)
		sum.Write(buf[:n])
		at += int64(n)
		if err != nil && (err != io.EOF || at < size) {
			return at, fmt.Errorf("%w: content %s: %w", api.ErrUnavailable, key, err)
		}
		if time.Since(begin) > sliceFor {
			break
		}
	}
	return at, nil
}

// lost says why the object cannot be what was announced: it is not there, or has another size; "" if it can. Whoever goes
// over to another's object removes the own one, but not before the artifact is ready.
func (f *function) lost(ctx context.Context, v artifact) (why string, err error) {
	o, err := f.p.Objects.Stat(ctx, v.key())
	switch {
	case errors.Is(err, objects.ErrNotFound):
		return "the content is not in the object store any more; announce and upload it again", nil
	case err != nil:
		return "", fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	case o.Size != v.Size:
		return fmt.Sprintf("the content has %d bytes, not %d as announced; it was removed, announce and upload it again", o.Size, v.Size), nil
	}
	return "", nil
}

// judge compares what was read with what was announced; state is that of the SHA-256 at the end.
func (f *function) judge(ctx context.Context, v artifact, state []byte, sum string) (artifact, error) {
	if why, err := f.lost(ctx, v); err != nil {
		return v, err
	} else if why != "" {
		return f.refuse(ctx, v, why)
	}
	if sum != v.SHA256 {
		return f.refuse(ctx, v, fmt.Sprintf("the content has SHA-256 %s, not %s as announced; it was removed, announce and upload it again", sum, v.SHA256))
	}
	v, again, err := f.adopt(ctx, v)
	if err != nil {
		return v, err
	}
	if again { // another's object is being read
		return f.update(ctx, v.ID, func(v *artifact) error {
			if v.State != api.ArtifactVerifying {
				return store.Unchanged
			}
			v.Verified, v.Hash, v.Since = v.Size, state, f.p.Time()
			v.Due = v.Since.Add(verifyAfter)
			return nil
		})
	}
	v, err = f.update(ctx, v.ID, func(v *artifact) error {
		if v.State != api.ArtifactVerifying {
			return store.Unchanged
		}
		now := f.p.Time()
		v.State, v.Since, v.Verified, v.Hash, v.Upload = api.ArtifactReady, now, 0, nil, ""
		v.Tidy, v.Due = now.Add(adoptAgain), time.Time{}
		return nil
	})
	if err == nil && v.Objects[0] != v.key() {
		f.tidyNow(ctx, v)
	}
	return v, err
}

func (f *function) refuse(ctx context.Context, v artifact, why string) (artifact, error) {
	v, err := f.end(ctx, v.ID, api.ArtifactRefused, why, func(v *artifact) bool { return v.State == api.ArtifactVerifying })
	if err == nil {
		f.tidyNow(ctx, v)
	}
	return v, err
}
