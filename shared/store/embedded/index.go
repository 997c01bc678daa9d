package embedded

import (
	"encoding/binary"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/castor-iot/castor/shared/store"
)

// An index makes the keys under which documents are found.
type index struct {
	record indexRecord
	prefix []byte
	fields []store.Field // without the _id
}

func newIndex(r indexRecord) *index {
	fields := store.Index{Fields: r.Fields, Unique: true}.Order()
	return &index{record: r, prefix: spaceKey(indexSpace, r.Number), fields: fields}
}

func spaceKey(space byte, number uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{space}, number)
}

// entries are the index keys of a document, one after the other in one buffer.
type entries struct {
	buf   []byte
	ends  []int // where each key ends, then where its value ends
	index []*index
}

func (e *entries) reset()             { e.buf, e.ends, e.index = e.buf[:0], e.ends[:0], e.index[:0] }
func (e *entries) len() int           { return len(e.index) }
func (e *entries) key(i int) []byte   { return e.buf[e.start(i):e.ends[2*i]] }
func (e *entries) value(i int) []byte { return e.buf[e.ends[2*i]:e.ends[2*i+1]] }

func (e *entries) start(i int) int {
	if i == 0 {
		return 0
	}
	return e.ends[2*i-1]
}

// has tells whether key is one of index x among them.
func (e *entries) has(x *index, key []byte) bool {
	for i := range e.len() {
		if e.index[i] == x && string(e.key(i)) == string(key) {
			return true
		}
	}
	return false
}

// add appends the keys of a document in index x: one, or one for each element of an array. A unique index has none for a
// document that lacks a field.
func (e *entries) add(x *index, doc bson.Raw, id string) error {
	from := len(e.buf)
	e.buf = append(e.buf, x.prefix...)
	for i, f := range x.fields {
		v, single := store.Single(doc, f.Path)
		if !single {
			e.buf = e.buf[:from]
			return e.addEach(x, doc, id, i)
		}
		if v.Type == 0 && x.record.Unique {
			e.buf = e.buf[:from]
			return nil
		}
		e.buf = appendField(e.buf, f, v)
	}
	e.finish(x, from, id)
	return nil
}

// addEach is add for a document with an array at field number array.
func (e *entries) addEach(x *index, doc bson.Raw, id string, array int) error {
	var values []bson.RawValue
	store.Values(doc, x.fields[array].Path, func(v bson.RawValue) bool {
		if v.Type != bson.TypeArray {
			values = append(values, v)
		}
		return true
	})
	slices.SortFunc(values, store.Compare)
	values = slices.CompactFunc(values, func(a, b bson.RawValue) bool { return store.Compare(a, b) == 0 })
next:
	for _, element := range values {
		from := len(e.buf)
		e.buf = append(e.buf, x.prefix...)
		for i, f := range x.fields {
			v := element
			if i != array {
				var single bool
				if v, single = store.Single(doc, f.Path); !single {
					return fmt.Errorf("%w: index %q meets two arrays, at %q and %q", store.ErrInvalid, x.record.Name, x.fields[array].Path, f.Path)
				}
			}
			if v.Type == 0 && x.record.Unique {
				e.buf = e.buf[:from]
				continue next
			}
			e.buf = appendField(e.buf, f, v)
		}
		e.finish(x, from, id)
	}
	return nil
}

// finish ends the key that begins at from and adds its value.
func (e *entries) finish(x *index, from int, id string) {
	at := len(e.buf) - from
	if x.record.Unique {
		e.ends = append(e.ends, len(e.buf), len(e.buf)+len(id))
		e.buf = append(e.buf, id...)
	} else {
		e.buf = append(e.buf, id...)
		e.ends = append(e.ends, len(e.buf))
		e.buf = binary.AppendUvarint(e.buf, uint64(at))
		e.ends = append(e.ends, len(e.buf))
	}
	e.index = append(e.index, x)
}

// entryID returns the id of the document that an entry of the index leads to.
func (x *index) entryID(key, value []byte) ([]byte, error) {
	if x.record.Unique {
		return value, nil
	}
	if at, n := binary.Uvarint(value); n > 0 && at < uint64(len(key)) {
		return key[at:], nil
	}
	return nil, fmt.Errorf("%w: an entry of index %q is not readable", store.ErrDamaged, x.record.Name)
}

func appendField(dst []byte, f store.Field, v bson.RawValue) []byte {
	if f.Descending {
		return store.AppendKeyDescending(dst, v)
	}
	return store.AppendKey(dst, v)
}
