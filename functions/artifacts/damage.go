package artifacts

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/castor-iot/castor/shared/api"
	objects "github.com/castor-iot/castor/shared/artifact"
)

// A reading is how far an object was read once more, before another artifact relies on it.
type reading struct {
	Object string `bson:"object"` // key
	At     int64  `bson:"at"`     // bytes
	Hash   []byte `bson:"hash"`   // state of SHA-256 after them
}

// readAgain reads an object on for a while. At the end, whole tells whether it is the content of this size and SHA-256; else
// again is true, and the next call goes on with r.
func (f *function) readAgain(ctx context.Context, r *reading, size int64, want string) (whole, again bool, err error) {
	o, err := f.p.Objects.Stat(ctx, r.Object)
	if err != nil && !errors.Is(err, objects.ErrNotFound) {
		return false, false, fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	}
	got := ""
	if err == nil && o.Size == size {
		sum := sha256.New()
		if r.At > 0 {
			if err := sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(r.Hash); err != nil {
				return false, false, fmt.Errorf("state of the SHA-256 of object %s: %w", r.Object, err)
			}
		}
		if r.At, err = f.read(ctx, r.Object, r.At, size, sum); err != nil {
			return false, false, err
		}
		if r.At < size {
			r.Hash, err = sum.(encoding.BinaryMarshaler).MarshalBinary()
			return false, true, err
		}
		got = hex.EncodeToString(sum.Sum(nil))
	}
	if got != want {
		f.p.Log.ErrorContext(ctx, "content is damaged; upload it again", "object", r.Object)
	}
	return got == want, false, nil
}

// checkOther reads an object again that an artifact may go over to, and keeps in the artifact how far it came.
func (f *function) checkOther(ctx context.Context, v *artifact, object string) (whole, again bool, err error) {
	r := reading{Object: object}
	if v.Other != nil && v.Other.Object == object {
		r = *v.Other
	}
	if whole, again, err = f.readAgain(ctx, &r, v.Size, v.SHA256); err != nil || !again {
		return whole, again, err
	}
	*v, err = f.update(ctx, v.ID, func(v *artifact) error {
		v.Other = &r
		return nil
	})
	return false, err == nil, err
}

// damaged tells whether a ready artifact's content is known not to be what it was. What takes long to read counts as good.
func (f *function) damaged(ctx context.Context, v artifact) (bool, error) {
	whole, again, err := f.readAgain(ctx, &reading{Object: v.Objects[0]}, v.Size, v.SHA256)
	return !whole && !again && err == nil, err
}

// mend has all readers of a damaged object read that of an artifact that was verified since.
func (f *function) mend(ctx context.Context, good artifact, damaged string, all []artifact) error {
	for _, v := range all {
		if len(v.Objects) != 1 || v.Objects[0] != damaged {
			continue
		}
		v, err := f.goOver(ctx, v, good)
		if errors.Is(err, api.ErrConflict) || errors.Is(err, api.ErrNotFound) { // it has ended
			continue
		}
		if err != nil {
			return err
		}
		f.p.Log.WarnContext(ctx, "damaged content was replaced", "artifact", v.ID, "object", v.Objects[0])
	}
	return f.remove(ctx, damaged)
}
