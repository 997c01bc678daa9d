package embedded

import (
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/castor-iot/castor/shared/store"
)

// A commit gathers the writes that go to disk together.
type commit struct {
	t      *table
	batch  *pebble.Batch
	docs   map[string]bson.Raw // documents as this commit leaves them, nil for none; itself nil for a single write
	owners map[string]string   // unique keys as this commit leaves them, "" for free
	iter   *pebble.Iterator    // over what was there before, once it is needed
	was    entries
	is     entries
}

// read looks up the documents of many writes in the order of their keys, which is the fastest.
func (c *commit) read(writes []store.Write) error {
	if c.docs == nil {
		return nil
	}
	ids := make([]string, len(writes))
	for i, w := range writes {
		ids[i] = w.ID
	}
	slices.Sort(ids)
	key := slices.Clone(c.t.prefix)
	for _, id := range ids {
		key = append(key[:len(c.t.prefix)], id...)
		doc, err := c.get(key)
		if err != nil {
			return err
		}
		c.docs[id] = doc
	}
	return nil
}

// add adds one write, or says why it cannot be.
func (c *commit) add(w store.Write) error {
	old, err := c.doc(w.ID)
	if err != nil {
		return err
	}
	switch {
	case w.Op == store.InsertDoc && old != nil:
		return store.ErrExists
	case w.Op == store.PutDoc && old != nil && !w.Guard.Match(old):
		return store.ErrSchema
	case (w.Op == store.ReplaceDoc || w.Op == store.DeleteDoc) && old == nil:
		return store.ErrNotFound
	case w.Op == store.ReplaceDoc && store.RevisionOf(old) != w.Revision:
		return store.ErrConflict
	case w.Op == store.DeleteDoc && !w.Guard.Match(old):
		return store.ErrConflict
	}
	c.was.reset()
	c.is.reset()
	for _, x := range c.t.indexes {
		if old != nil {
			if err := c.was.add(x, old, w.ID); err != nil {
				return err
			}
		}
		if w.Doc != nil {
			if err := c.is.add(x, w.Doc, w.ID); err != nil {
				return err
			}
		}
	}
	if err := c.checkUnique(w.ID); err != nil {
		return err
	}
	for i := range c.was.len() {
		if x := c.was.index[i]; !c.is.has(x, c.was.key(i)) {
			if err := c.batch.Delete(c.was.key(i), nil); err != nil {
				return storeError(err)
			}
			c.own(x, c.was.key(i), "")
		}
	}
	for i := range c.is.len() {
		if x := c.is.index[i]; !c.was.has(x, c.is.key(i)) {
			if err := c.batch.Set(c.is.key(i), c.is.value(i), nil); err != nil {
				return storeError(err)
			}
			c.own(x, c.is.key(i), w.ID)
		}
	}
	if c.docs != nil {
		c.docs[w.ID] = w.Doc
	}
	if w.Doc == nil {
		return storeError(c.batch.Delete(c.t.docKey(w.ID), nil))
	}
	return c.setDoc(w.ID, w.Doc)
}

// setDoc writes the key into the batch directly, without a copy of it.
func (c *commit) setDoc(id string, doc bson.Raw) error {
	op := c.batch.SetDeferred(len(c.t.prefix)+len(id), len(doc))
	copy(op.Key[copy(op.Key, c.t.prefix):], id)
	copy(op.Value, doc)
	return storeError(op.Finish())
}

// doc returns the document as it is, with what the commit has done to it so far.
func (c *commit) doc(id string) (bson.Raw, error) {
	if doc, ok := c.docs[id]; ok {
		return doc, nil
	}
	return c.get(c.t.docKey(id))
}

// get returns a copy of the value at key as it was before the commit, nil if there was none. Many keys are looked up with
// one iterator, which unlike Get asks the Bloom filters of the lowest level: most keys of an insert are in no file.
func (c *commit) get(key []byte) ([]byte, error) {
	if c.docs == nil {
		return c.t.d.get(c.t.d.db, key)
	}
	if c.iter == nil {
		iter, err := c.t.d.db.NewIter(&pebble.IterOptions{UseL6Filters: true})
		if err != nil {
			return nil, storeError(err)
		}
		c.iter = iter
	}
	if c.iter.SeekPrefixGE(key) && string(c.iter.Key()) == string(key) {
		v, err := c.iter.ValueAndErr()
		return slices.Clone(v), storeError(err)
	}
	return nil, storeError(c.iter.Error())
}

func (c *commit) close() {
	if c.iter != nil {
		c.iter.Close()
	}
	c.batch.Close()
}

func (c *commit) own(x *index, key []byte, id string) {
	if x.record.Unique && c.owners != nil {
		c.owners[string(key)] = id
	}
}

func (c *commit) checkUnique(id string) error {
	for i := range c.is.len() {
		x := c.is.index[i]
		if !x.record.Unique {
			continue
		}
		owner, ok := c.owners[string(c.is.key(i))]
		if !ok {
			b, err := c.get(c.is.key(i))
			if err != nil {
				return err
			}
			owner = string(b)
		}
		if owner != "" && owner != id {
			return fmt.Errorf("%w: %q has the same values in index %q", store.ErrExists, owner, x.record.Name)
		}
	}
	return nil
}
