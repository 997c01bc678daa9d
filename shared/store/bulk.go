package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A Doc is a document together with what is needed to write it back.
type Doc[T any] struct {
	Value T
	// Revision is that of the stored document; every write changes it.
	Revision int64

	raw []byte // as stored, so that fields that T does not know go on
}

// Load returns the documents with these ids, at most MaxLimit, aligned with them, nil where there is none, to be changed
// and given to ReplaceMany.
func (c *Collection[T]) Load(ctx context.Context, ids []string) ([]*Doc[T], error) {
	raws, err := c.getMany(ctx, ids)
	if err != nil {
		return nil, c.wrap("", err)
	}
	docs := make([]*Doc[T], len(ids))
	for i, raw := range raws {
		if raw == nil {
			continue
		}
		docs[i] = &Doc[T]{Revision: RevisionOf(raw), raw: raw}
		if err := decode(raw, &docs[i].Value); err != nil {
			return nil, c.wrap(ids[i], err)
		}
	}
	return docs, nil
}

// ReplaceMany writes back documents that Load returned, each if it is still at its Revision, all in one round trip. The
// errors are aligned with docs: nil, ErrConflict, ErrNotFound, ErrExists, ErrSchema, ErrTooLarge or ErrInvalid. Where it is
// nil, Revision is that of the document as stored now, so that it can be changed and written again. When the second
// result is not nil, it is unknown which documents were written.
func (c *Collection[T]) ReplaceMany(ctx context.Context, docs []*Doc[T]) ([]error, error) {
	return c.writeMany(ctx, len(docs), func(i int) (Write, error) {
		d := docs[i]
		if d == nil || d.raw == nil {
			return Write{}, fmt.Errorf("%w: the document does not come from Load", ErrInvalid)
		}
		if schemaOf(d.raw) > c.schema {
			return Write{}, fmt.Errorf("%w: schema %d, this code writes %d", ErrSchema, schemaOf(d.raw), c.schema)
		}
		id, doc, err := encode(d.Value, d.Revision+1, c.schema, c.shape, d.raw)
		if err == nil && id != IDOf(d.raw) {
			err = fmt.Errorf("%w: _id was changed", ErrInvalid)
		}
		return Write{Op: ReplaceDoc, ID: id, Doc: doc, Revision: d.Revision}, err
	}, func(i int, w Write) {
		docs[i].Revision, docs[i].raw = docs[i].Revision+1, w.Doc
	})
}

// InsertMany writes new documents, at most MaxLimit, in one round trip. The errors are aligned with vs: nil, ErrExists,
// ErrTooLarge or ErrInvalid. When the second result is not nil, it is unknown which documents were written; the call can
// be repeated.
func (c *Collection[T]) InsertMany(ctx context.Context, vs []T) ([]error, error) {
	return c.writeMany(ctx, len(vs), func(i int) (Write, error) {
		id, doc, err := encode(vs[i], 1, c.schema, c.shape, nil)
		return Write{Op: InsertDoc, ID: id, Doc: doc}, err
	}, func(int, Write) {})
}

// PutMany writes documents, at most MaxLimit, whether they exist or not, in one round trip. Fields that T does not know are
// lost. It returns the first error met, ErrSchema among them, after having written all that could be; the call can be
// repeated.
func (c *Collection[T]) PutMany(ctx context.Context, vs []T) error {
	// What is overwritten is not read, so its revision is not known; this one nobody holds.
	revision := rand.Int64N(1 << 62)
	errs, err := c.writeMany(ctx, len(vs), func(i int) (Write, error) {
		id, doc, err := encode(vs[i], revision, c.schema, c.shape, nil)
		return Write{Op: PutDoc, ID: id, Doc: doc, Guard: c.notNewer()}, err
	}, func(int, Write) {})
	for _, e := range errs {
		if err == nil && e != nil {
			err = e
		}
	}
	return err
}

// DeleteRange deletes the first documents of q, at most q.Limit (1,000 if 0), and returns how many it deleted. Less than
// the limit means that there are no more. Like Scan it may examine any number of documents.
func (c *Collection[T]) DeleteRange(ctx context.Context, q Query) (int, error) {
	if q.Limit == 0 {
		q.Limit = 1000
	}
	q.Fields = []string{keyID}
	p, err := c.planQuery(q, 0)
	if err != nil {
		return 0, c.wrap("", err)
	}
	var writes []Write
	_, err = c.table.Walk(ctx, p.walk, func(h Hit) error {
		writes = append(writes, Write{Op: DeleteDoc, ID: IDOf(h.Doc), Guard: q.Filter})
		return nil
	})
	if err != nil || len(writes) == 0 {
		return 0, c.wrap("", err)
	}
	errs, err := c.table.Write(ctx, writes)
	if err != nil {
		return 0, c.wrap("", err)
	}
	for i, e := range errs {
		if e != nil && !errors.Is(e, ErrNotFound) && !errors.Is(e, ErrConflict) {
			return 0, c.wrap(writes[i].ID, e)
		}
	}
	deleted := 0
	for _, e := range errs {
		if e == nil {
			deleted++
		}
	}
	return deleted, nil
}

// writeMany makes n writes and carries them out together; done is called for each that succeeded.
func (c *core) writeMany(ctx context.Context, n int, make1 func(int) (Write, error), done func(int, Write)) ([]error, error) {
	if n > MaxLimit {
		return nil, c.wrap("", fmt.Errorf("%w: %d documents at once, at most %d are allowed", ErrInvalid, n, MaxLimit))
	}
	errs := make([]error, n)
	writes := make([]Write, 0, n)
	at := make([]int, 0, n) // where in errs a write belongs
	for i := range n {
		w, err := make1(i)
		if err != nil {
			errs[i] = c.wrap(w.ID, err)
			continue
		}
		writes, at = append(writes, w), append(at, i)
	}
	if len(writes) == 0 {
		return errs, nil
	}
	results, err := c.table.Write(ctx, writes)
	if err != nil {
		return nil, c.wrap("", err)
	}
	for k, err := range results {
		if errs[at[k]] = c.wrap(writes[k].ID, err); err == nil {
			done(at[k], writes[k])
		}
	}
	return errs, nil
}

func (c *core) getMany(ctx context.Context, ids []string) ([]bson.Raw, error) {
	if len(ids) > MaxLimit {
		return nil, fmt.Errorf("%w: %d ids at once, at most %d are allowed", ErrInvalid, len(ids), MaxLimit)
	}
	for _, id := range ids {
		if err := checkID(id); err != nil {
			return nil, err
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return c.table.Get(ctx, ids)
}
