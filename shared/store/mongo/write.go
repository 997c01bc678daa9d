package mongo

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
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

// A bulk is a set of writes on their way. It is repeated after an error that leaves open what the server has done, which
// does no harm: no write takes place when the document has its id.
type bulk struct {
	t        *table
	id       int64
	writes   []store.Write
	errs     []error
	open     []int        // the writes that are not settled
	repeated bool         // whether an earlier attempt may have done some of them
	taken    map[int]bool // of open writes, by place, whether the _id is what was taken
}

func (t *table) Write(ctx context.Context, writes []store.Write) ([]error, error) {
	b := &bulk{t: t, id: newWriteID(), writes: writes, errs: make([]error, len(writes))}
	for i := range writes {
		b.open = append(b.open, i)
	}
	for range attempts { // until those are settled that others came in the way of
		err := retry(ctx, func() error {
			err := b.attempt(ctx)
			b.repeated = b.repeated || err != nil
			return err
		})
		if err != nil {
			return nil, storeError(err)
		}
		if len(b.open) == 0 {
			break
		}
	}
	return b.errs, nil
}

// attempt sends the writes that are not settled and settles those about which the answer, or the documents, tell.
func (b *bulk) attempt(ctx context.Context) error {
	models := make([]mongo.WriteModel, len(b.open))
	expected := 0
	for k, i := range b.open {
		m, err := b.model(b.writes[i], b.id+int64(i))
		if err != nil {
			return err
		}
		models[k] = m
		if op := b.writes[i].Op; op == store.ReplaceDoc || op == store.DeleteDoc {
			expected++
		}
	}
	result, err := b.t.c.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	var bad mongo.BulkWriteException
	if err != nil && (!errors.As(err, &bad) || bad.WriteConcernError != nil) {
		return err
	}
	failed := map[int]error{} // by place in writes
	b.taken = map[int]bool{}
	for _, e := range bad.WriteErrors {
		i := b.open[e.Index]
		b.taken[i] = strings.Contains(e.Message, "index: _id_ ")
		failed[i] = storeError(e.WriteError)
		if op := b.writes[i].Op; op == store.ReplaceDoc || op == store.DeleteDoc {
			expected--
		}
	}
	var unsure []int
	unmatched := result != nil && int(result.MatchedCount+result.DeletedCount) < expected
	for _, i := range b.open {
		w, err := b.writes[i], failed[i]
		taken := errors.Is(err, store.ErrExists)
		switch {
		case taken && (w.Op == store.PutDoc || b.repeated),
			err == nil && unmatched && (w.Op == store.ReplaceDoc || w.Op == store.DeleteDoc):
			unsure = append(unsure, i)
		}
		b.errs[i] = err
	}
	if len(unsure) == 0 {
		b.open = nil
		return nil
	}
	return b.settle(ctx, unsure)
}

// model is the command for one write.
func (b *bulk) model(w store.Write, id int64) (mongo.WriteModel, error) {
	byID := bson.D{{Key: "_id", Value: w.ID}}
	if w.Op == store.DeleteDoc {
		return mongo.NewDeleteOneModel().SetFilter(all([]bson.D{byID, translate(w.Guard)})), nil
	}
	doc, err := stamp(w.Doc, id)
	switch {
	case w.Op == store.InsertDoc:
		return mongo.NewInsertOneModel().SetDocument(doc), err
	case w.Op == store.PutDoc: // where the guard does not match, the server tries to insert, which fails
		return mongo.NewReplaceOneModel().SetFilter(all([]bson.D{byID, translate(w.Guard)})).SetReplacement(doc).SetUpsert(true), err
	}
	byID = append(byID, bson.E{Key: "revision", Value: w.Revision})
	return mongo.NewReplaceOneModel().SetFilter(byID).SetReplacement(doc), err
}

// settle looks at the documents to tell what became of writes.
func (b *bulk) settle(ctx context.Context, unsure []int) error {
	ids := make([]string, len(unsure))
	for k, i := range unsure {
		ids[k] = b.writes[i].ID
	}
	found, err := b.t.byID(ctx, ids, []string{"_id", "revision", "schema", store.KeyWrites})
	if err != nil {
		return err
	}
	b.open = nil
	for _, i := range unsure {
		w := b.writes[i]
		doc := found[w.ID]
		switch {
		case doc != nil && hasWrite(doc, b.id+int64(i)):
			b.errs[i] = nil
		case w.Op == store.DeleteDoc && doc == nil:
			// Of several deletions at once it is not known which of them found nothing. Gone is what was wanted.
			if len(b.writes) == 1 && !b.repeated {
				b.errs[i] = store.ErrNotFound
			}
		case w.Op == store.ReplaceDoc && doc == nil:
			b.errs[i] = store.ErrNotFound
		case (w.Op == store.ReplaceDoc || w.Op == store.DeleteDoc) && b.errs[i] == nil:
			b.errs[i] = store.ErrConflict
		case w.Op == store.PutDoc && doc != nil && !w.Guard.Match(doc):
			b.errs[i] = store.ErrSchema
		case w.Op == store.PutDoc && b.taken[i]: // somebody else has inserted it meanwhile, or deleted it since
			b.open = append(b.open, i)
		}
	}
	return nil
}

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
