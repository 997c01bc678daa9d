package embedded

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/castor-iot/castor/shared/store"
)

// The keyspace. Numbers are big endian, so that what belongs together lies together.
//
//	0 "format"                         the version of this layout
//	0 "next"                           the next number for a table or index
//	0 "table/" name                    JSON of a record
//	1 table id                         a document
//	2 index values… id                 an entry; its value says where the id begins
//	2 index values…                    an entry of a unique index; its value is the id
const (
	metaSpace  = 0
	docSpace   = 1
	indexSpace = 2
	format     = "1"
)

// A record describes a table.
type record struct {
	Number  uint32        `json:"number"`
	Indexes []indexRecord `json:"indexes"`
}

type indexRecord struct {
	Number uint32   `json:"number"`
	Name   string   `json:"name"`
	Fields []string `json:"fields"`
	Unique bool     `json:"unique,omitempty"`
}

// table implements store.Table.
type table struct {
	d      *driver
	prefix []byte // of the documents' keys

	mu      sync.RWMutex // held for writing while an index is made
	indexes []*index

	stripes [stripes]sync.Mutex // see lock
	seed    maphash.Seed
}

func metaKey(name string) []byte { return append([]byte{metaSpace}, name...) }

func (d *driver) checkFormat() error {
	found, err := d.get(d.db, metaKey("format"))
	switch {
	case err != nil:
		return err
	case found == nil:
		return storeError(d.db.Set(metaKey("format"), []byte(format), pebble.Sync))
	case string(found) != format:
		return fmt.Errorf("%w: its format is %q, this version reads %q", store.ErrDamaged, found, format)
	}
	return nil
}

// get returns a copy of the value at key, nil if there is none.
func (d *driver) get(r pebble.Reader, key []byte) ([]byte, error) {
	v, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, storeError(err)
	}
	defer closer.Close()
	return slices.Clone(v), nil
}

func (d *driver) Table(ctx context.Context, name string, indexes []store.Index) (store.Table, error) {
	if err := d.begin(ctx); err != nil {
		return nil, err
	}
	defer d.open.RUnlock()
	d.mu.Lock()
	defer d.mu.Unlock()

	rec, err := d.record(name)
	if err != nil {
		return nil, err
	}
	t := d.tables[name]
	if t == nil {
		t = &table{d: d, prefix: spaceKey(docSpace, rec.Number), seed: maphash.MakeSeed()}
		for _, x := range rec.Indexes {
			t.indexes = append(t.indexes, newIndex(x))
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range indexes {
		if err := d.addIndex(ctx, name, &rec, t, x); err != nil {
			return nil, fmt.Errorf("index %q: %w", x.Name, err)
		}
	}
	d.tables[name] = t
	return t, nil
}

func (d *driver) record(name string) (rec record, err error) {
	b, err := d.get(d.db, metaKey("table/"+name))
	if err != nil {
		return rec, err
	}
	if b != nil {
		if err := json.Unmarshal(b, &rec); err != nil {
			return rec, fmt.Errorf("%w: %w", store.ErrDamaged, err)
		}
		return rec, nil
	}
	if rec.Number, err = d.nextNumber(); err != nil {
		return rec, err
	}
	return rec, d.saveRecord(name, rec)
}

func (d *driver) saveRecord(name string, rec record) error {
	b, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	return storeError(d.db.Set(metaKey("table/"+name), b, pebble.Sync))
}

// nextNumber returns a number never given before.
func (d *driver) nextNumber() (uint32, error) {
	b, err := d.get(d.db, metaKey("next"))
	if err != nil {
		return 0, err
	}
	n := uint32(1)
	if len(b) == 4 {
		n = binary.BigEndian.Uint32(b)
	}
	return n, storeError(d.db.Set(metaKey("next"), binary.BigEndian.AppendUint32(nil, n+1), pebble.Sync))
}

// addIndex makes an index that is not there, or is there with another definition. Its entries come first and its record
// last, so that a crash leaves no index with entries missing.
func (d *driver) addIndex(ctx context.Context, name string, rec *record, t *table, want store.Index) error {
	at := slices.IndexFunc(rec.Indexes, func(x indexRecord) bool { return x.Name == want.Name })
	if at >= 0 && slices.Equal(rec.Indexes[at].Fields, want.Fields) && rec.Indexes[at].Unique == want.Unique {
		return nil
	}
	number, err := d.nextNumber()
	if err != nil {
		return err
	}
	x := newIndex(indexRecord{Number: number, Name: want.Name, Fields: want.Fields, Unique: want.Unique})
	if err := t.build(ctx, x); err != nil {
		return errors.Join(err, d.dropEntries(number))
	}
	next := record{Number: rec.Number, Indexes: slices.Clone(rec.Indexes)}
	indexes := slices.Clone(t.indexes)
	old := uint32(0)
	if at >= 0 {
		old = next.Indexes[at].Number
		next.Indexes[at], indexes[at] = x.record, x
	} else {
		next.Indexes, indexes = append(next.Indexes, x.record), append(indexes, x)
	}
	if err := d.saveRecord(name, next); err != nil {
		return err
	}
	*rec, t.indexes = next, indexes
	if old != 0 {
		return d.dropEntries(old)
	}
	return nil
}

func (d *driver) dropEntries(index uint32) error {
	lo := spaceKey(indexSpace, index)
	return storeError(d.db.DeleteRange(lo, successor(lo), pebble.Sync))
}

// build writes the entries of a new index for the documents that are there already.
func (t *table) build(ctx context.Context, x *index) error {
	iter, err := t.d.db.NewIter(&pebble.IterOptions{LowerBound: t.prefix, UpperBound: successor(t.prefix)})
	if err != nil {
		return storeError(err)
	}
	defer iter.Close()
	batch := t.d.db.NewIndexedBatch()
	defer func() { batch.Close() }()
	var e entries
	for iter.First(); iter.Valid(); iter.Next() {
		id := string(iter.Key()[len(t.prefix):])
		e.reset()
		if err := e.add(x, bson.Raw(iter.Value()), id); err != nil {
			return err
		}
		for i := range e.len() {
			if x.record.Unique {
				if owner, err := t.d.get(batch, e.key(i)); err != nil {
					return err
				} else if owner != nil && string(owner) != id {
					return fmt.Errorf("%w: %q and %q have the same values", store.ErrExists, owner, id)
				}
			}
			if err := batch.Set(e.key(i), e.value(i), nil); err != nil {
				return storeError(err)
			}
		}
		if batch.Len() > 8<<20 {
			if err := errors.Join(ctx.Err(), storeError(batch.Commit(pebble.NoSync))); err != nil {
				return err
			}
			batch.Close()
			batch = t.d.db.NewIndexedBatch()
		}
	}
	if err := iter.Error(); err != nil {
		return storeError(err)
	}
	return storeError(batch.Commit(pebble.Sync))
}

// index returns the index of a walk, nil for the one by _id.
func (t *table) index(x store.Index) (*index, error) {
	if x.Name == "" {
		return nil, nil
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, have := range t.indexes {
		if have.record.Name == x.Name && slices.Equal(have.record.Fields, x.Fields) && have.record.Unique == x.Unique {
			return have, nil
		}
	}
	return nil, fmt.Errorf("%w: %q has another definition now", store.ErrNoIndex, x.Name)
}

func (t *table) docKey(id string) []byte {
	return append(append(make([]byte, 0, len(t.prefix)+len(id)), t.prefix...), id...)
}
