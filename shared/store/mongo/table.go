package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/castor-iot/castor/shared/store"
)

// table implements store.Table.
type table struct{ c *mongo.Collection }

func (d *driver) Table(ctx context.Context, name string, indexes []store.Index) (store.Table, error) {
	t := &table{d.db.Collection(name)}
	for _, x := range indexes {
		if err := t.makeIndex(ctx, x); err != nil {
			return nil, fmt.Errorf("index %q: %w", x.Name, err)
		}
	}
	return t, nil
}

// makeIndex makes an index, in place of one with the same name or the same fields that is not the same. To ask for one
// that is there costs the server nothing.
func (t *table) makeIndex(ctx context.Context, x store.Index) error {
	_, err := t.c.Indexes().CreateOne(ctx, indexModel(x))
	var server mongo.ServerError
	if !errors.As(err, &server) || !server.HasErrorCode(85) && !server.HasErrorCode(86) { // options or keys in conflict
		return storeError(err)
	}
	there, err := t.c.Indexes().ListSpecifications(ctx)
	if err != nil {
		return storeError(err)
	}
	keys, err := bson.Marshal(indexKeys(x))
	if err != nil {
		return err
	}
	for _, have := range there {
		if have.Name != "_id_" && (have.Name == x.Name || sameKeys(have.KeysDocument, keys)) {
			if err := t.c.Indexes().DropOne(ctx, have.Name); err != nil {
				return storeError(err)
			}
		}
	}
	_, err = t.c.Indexes().CreateOne(ctx, indexModel(x))
	return storeError(err)
}

func sameKeys(a, b bson.Raw) bool {
	x, errA := a.Elements()
	y, errB := b.Elements()
	return errA == nil && errB == nil && slices.EqualFunc(x, y, func(p, q bson.RawElement) bool {
		return p.Key() == q.Key() && store.Compare(p.Value(), q.Value()) == 0
	})
}

func indexModel(x store.Index) mongo.IndexModel {
	o := options.Index().SetName(x.Name).SetUnique(x.Unique)
	switch {
	case x.Unique && len(x.Fields) == 1:
		o.SetSparse(true)
	case x.Unique: // a sparse index of several fields would hold documents that have one of them
		o.SetPartialFilterExpression(exist(x))
	}
	return mongo.IndexModel{Keys: indexKeys(x), Options: o}
}

func indexKeys(x store.Index) bson.D {
	var keys bson.D
	for _, f := range x.Order() {
		keys = append(keys, bson.E{Key: f.Path, Value: direction(f.Descending)})
	}
	return keys
}

// exist is the condition under which a document is in a unique index. MongoDB uses such an index only for queries that
// say it.
func exist(x store.Index) bson.D {
	var all bson.D
	for _, f := range x.Order() {
		all = append(all, bson.E{Key: f.Path, Value: bson.D{{Key: "$exists", Value: true}}})
	}
	return all
}

func direction(descending bool) int32 {
	if descending {
		return -1
	}
	return 1
}

func (t *table) Get(ctx context.Context, ids []string) ([]bson.Raw, error) {
	docs := make([]bson.Raw, len(ids))
	if len(ids) == 1 {
		doc, err := t.one(ctx, ids[0])
		docs[0] = doc
		return docs, storeError(err)
	}
	found, err := t.byID(ctx, ids, nil)
	if err != nil {
		return nil, storeError(err)
	}
	for i, id := range ids {
		docs[i] = found[id]
	}
	return docs, nil
}

// one reads the document with this id, nil if there is none.
func (t *table) one(ctx context.Context, id string) (doc bson.Raw, err error) {
	err = retry(ctx, func() error {
		doc, err = t.c.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Raw()
		if errors.Is(err, mongo.ErrNoDocuments) {
			return nil
		}
		return err
	})
	return doc, err
}

// byID reads the documents with these ids, or the fields of them.
func (t *table) byID(ctx context.Context, ids []string, fields []string, conditions ...bson.D) (map[string]bson.Raw, error) {
	filter := on("_id", "$in", ids)
	if more := all(conditions); len(more) > 0 {
		filter = append(filter, bson.E{Key: "$and", Value: bson.A{more}})
	}
	found := make(map[string]bson.Raw, len(ids))
	err := retry(ctx, func() error {
		cursor, err := t.c.Find(ctx, filter, options.Find().SetProjection(projection(fields)).SetBatchSize(int32(len(ids)+1)))
		if err != nil {
			return err
		}
		return each(ctx, cursor, func(doc bson.Raw) error {
			found[store.IDOf(doc)] = doc
			return nil
		})
	})
	return found, err
}

// each calls do with every document of the cursor, as a copy that may be kept, and closes it.
func each(ctx context.Context, cursor *mongo.Cursor, do func(bson.Raw) error) error {
	defer cursor.Close(context.WithoutCancel(ctx))
	for cursor.Next(ctx) {
		if err := do(slices.Clone(cursor.Current)); err != nil {
			return err
		}
	}
	return cursor.Err()
}
