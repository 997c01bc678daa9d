package mongo

import (
	"context"
	"errors"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/castor-iot/castor/shared/store"
)

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
