package embedded

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/castor-iot/castor/shared/store"
)

func (t *table) Get(ctx context.Context, ids []string) ([]bson.Raw, error) {
	if err := t.d.begin(ctx); err != nil {
		return nil, err
	}
	defer t.d.open.RUnlock()
	docs := make([]bson.Raw, len(ids))
	for i, id := range ids {
		doc, err := t.d.get(t.d.db, t.docKey(id))
		if err != nil {
			return nil, err
		}
		docs[i] = doc
	}
	return docs, nil
}

func (t *table) Write(ctx context.Context, writes []store.Write) ([]error, error) {
	if err := t.d.begin(ctx); err != nil {
		return nil, err
	}
	defer t.d.open.RUnlock()
	t.mu.RLock()
	defer t.mu.RUnlock()

	size := 0
	for _, w := range writes {
		size += len(w.Doc) + 2*len(w.ID) + 64
	}
	c := commit{t: t, batch: t.d.db.NewBatchWithSize(size)}
	defer c.close()
	if len(writes) > 1 {
		c.docs, c.owners = make(map[string]bson.Raw, len(writes)), map[string]string{}
	}
	// All keys that are read before they are written are locked first: those of the documents, and of what must be unique.
	var locks lockSet
	var e entries
	for _, w := range writes {
		t.want(&locks, []byte(w.ID))
		for _, x := range t.indexes {
			if !x.record.Unique || w.Doc == nil {
				continue
			}
			e.reset()
			_ = e.add(x, w.Doc, w.ID) // its error is met again
			for i := range e.len() {
				t.want(&locks, e.key(i))
			}
		}
	}
	errs := make([]error, len(writes))
	t.lock(&locks)
	if err := c.read(writes); err != nil {
		t.unlock(&locks)
		return nil, err
	}
	for i, w := range writes {
		if errs[i] = c.add(w); errors.Is(errs[i], store.ErrDamaged) || errors.Is(errs[i], store.ErrUnavailable) {
			t.unlock(&locks)
			return nil, errs[i]
		}
	}
	if c.batch.Empty() {
		t.unlock(&locks)
		return errs, nil
	}
	err := t.d.db.ApplyNoSyncWait(c.batch, pebble.Sync)
	// Other writers see the documents from here on. They need not wait for the disk: theirs come after these in the log.
	t.unlock(&locks)
	if err == nil {
		err = c.batch.SyncWait()
	}
	return errs, storeError(err)
}

// Apply reads, adds and compares-and-swaps until no other writer comes between.
func (t *table) Apply(ctx context.Context, id string, guard store.Filter, add []store.Increment) (bson.Raw, error) {
	for {
		docs, err := t.Get(ctx, []string{id})
		if err != nil {
			return nil, err
		}
		old := docs[0]
		if old == nil {
			return nil, store.ErrNotFound
		}
		if !guard.Match(old) {
			return nil, store.ErrConflict
		}
		doc, err := store.Add(old, add)
		if err != nil {
			return nil, err
		}
		errs, err := t.Write(ctx, []store.Write{{Op: store.ReplaceDoc, ID: id, Doc: doc, Revision: store.RevisionOf(old)}})
		if err == nil {
			err = errs[0]
		}
		if !errors.Is(err, store.ErrConflict) {
			return doc, err
		}
	}
}
