package mongo

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/castor-iot/castor/shared/store"
)

const (
	// lastWrites is how many write ids a document keeps. A write whose answer was lost is found again unless so many
	// others came after it.
	lastWrites = 8
	attempts   = 5 // to get an answer
	firstPause = 50 * time.Millisecond
)

// newWriteID makes the id by which a write is recognized in the documents it has written.
func newWriteID() int64 { return rand.Int64N(1 << 62) }

// Apply uses one command, so that writers do not get in each other's way.
func (t *table) Apply(ctx context.Context, id string, guard store.Filter, add []store.Increment) (bson.Raw, error) {
	write := newWriteID()
	inc := bson.D{{Key: "revision", Value: int64(1)}}
	for _, a := range add {
		inc = append(inc, bson.E{Key: a.Path, Value: a.By})
	}
	filter := all([]bson.D{{{Key: "_id", Value: id}}, on(store.KeyWrites, "$ne", write), translate(guard)})
	update := bson.D{
		{Key: "$inc", Value: inc},
		{Key: "$push", Value: bson.D{{Key: store.KeyWrites, Value: bson.D{
			{Key: "$each", Value: bson.A{write}}, {Key: "$slice", Value: -lastWrites},
		}}}},
	}
	var doc bson.Raw
	err := retry(ctx, func() (err error) {
		doc, err = t.c.FindOneAndUpdate(ctx, filter, update, options.FindOneAndUpdate().SetReturnDocument(options.After)).Raw()
		if errors.Is(err, mongo.ErrNoDocuments) {
			doc, err = t.applied(ctx, id, write)
		}
		return err
	})
	return doc, storeError(err)
}

// applied tells why nothing matched: an earlier attempt has done it, the guard does not match, or there is no document.
func (t *table) applied(ctx context.Context, id string, write int64) (bson.Raw, error) {
	doc, err := t.one(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case doc == nil:
		return nil, store.ErrNotFound
	case hasWrite(doc, write):
		return doc, nil
	}
	return nil, store.ErrConflict
}

// stamp returns doc with a write id after those of the writes before.
func stamp(doc bson.Raw, id int64) (bson.Raw, error) {
	elements, err := doc.Elements()
	if err != nil {
		return nil, err
	}
	out := append(make(bson.Raw, 0, len(doc)+128), 0, 0, 0, 0)
	var writes bson.A
	for _, e := range elements {
		if e.Key() != store.KeyWrites {
			out = append(out, e...)
			continue
		}
		store.Values(doc, store.KeyWrites, func(v bson.RawValue) bool {
			if v.Type == bson.TypeInt64 {
				writes = append(writes, v)
			}
			return true
		})
	}
	writes = append(writes, id)
	t, b, err := bson.MarshalValue(writes[max(0, len(writes)-lastWrites):])
	if err != nil {
		return nil, err
	}
	out = append(append(append(out, byte(t)), store.KeyWrites...), 0)
	out = append(append(out, b...), 0)
	binary.LittleEndian.PutUint32(out, uint32(len(out)))
	return out, nil
}

func hasWrite(doc bson.Raw, id int64) bool {
	through := store.Values(doc, store.KeyWrites, func(v bson.RawValue) bool {
		n, ok := v.Int64OK()
		return !ok || n != id
	})
	return !through
}

// retry repeats do, after a random pause, while it returns errors that leave open what the server has done.
func retry(ctx context.Context, do func() error) error {
	for pause, attempt := firstPause, 1; ; pause, attempt = 2*pause, attempt+1 {
		err := do()
		if err == nil || !ambiguous(err) || ctx.Err() != nil || attempt == attempts {
			return err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}
