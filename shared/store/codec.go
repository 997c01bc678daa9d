package store

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"sync"
	"time"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// The store's own keys in a document. They come first, so that they are found fast.
const (
	keyID       = "_id"
	keyRevision = "revision"
	keySchema   = "schema"
	// KeyWrites is where the mongo driver keeps the ids of a document's last writes.
	KeyWrites = "writes"
)

// registry decodes what a T leaves open (an any) to plain Go values, so that packages that know no BSON can use them.
var registry = func() *bson.Registry {
	r := bson.NewRegistry()
	r.RegisterTypeMapEntry(bson.TypeEmbeddedDocument, reflect.TypeFor[map[string]any]())
	r.RegisterTypeMapEntry(bson.TypeArray, reflect.TypeFor[[]any]())
	r.RegisterTypeMapEntry(bson.TypeDateTime, reflect.TypeFor[time.Time]())
	r.RegisterTypeMapEntry(bson.TypeBinary, reflect.TypeFor[[]byte]())
	return r
}()

// plains are buffers for documents on their way to be stored, of no more than keptPlain bytes.
var plains = sync.Pool{New: func() any { return new([]byte) }}

const keptPlain = 64 << 10

// encode makes the stored document of v at a revision and returns its id with it. Keys of old that T does not know go
// on as they are.
func encode(v any, revision int64, schema int, s *shape, old bson.Raw) (id string, doc bson.Raw, err error) {
	buf := plains.Get().(*[]byte)
	defer plains.Put(buf)
	plain, err := appendDocument((*buf)[:0], v)
	if cap(plain) <= keptPlain {
		*buf = plain
	}
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	idValue, _ := lookup(plain, keyID)
	id, ok := idValue.StringValueOK()
	if !ok {
		return "", nil, fmt.Errorf("%w: _id is not a string", ErrInvalid)
	}
	if err := checkID(id); err != nil {
		return "", nil, err
	}
	doc = make(bson.Raw, 4, len(plain)+len(old)/4+48)
	doc = appendElement(doc, keyID, idValue)
	doc = appendElement(doc, keyRevision, int64Value(revision))
	doc = appendElement(doc, keySchema, int64Value(int64(schema)))
	doc = merge(doc, old, plain, s, true)
	doc = finish(doc, 0)
	if len(doc) > MaxDocument {
		return id, nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLarge, len(doc), MaxDocument)
	}
	return id, doc, nil
}

// merge appends to dst the elements of new, and those of old that s does not know, at any depth of documents that s knows.
func merge(dst []byte, old, new []byte, s *shape, top bool) []byte {
	eachElement(new, func(key []byte, v bson.RawValue) bool {
		if top && string(key) == keyID {
			return true
		}
		if old != nil && v.Type == bson.TypeEmbeddedDocument {
			inner := s.field(string(key))
			was, ok := lookup(old, string(key))
			if ok && was.Type == bson.TypeEmbeddedDocument && inner != nil && inner.kind == structShape {
				dst = append(append(append(dst, byte(v.Type)), key...), 0)
				from := len(dst)
				dst = merge(append(dst, 0, 0, 0, 0), was.Value, v.Value, inner, false)
				dst = finish(dst, from)
				return true
			}
		}
		dst = append(append(append(dst, byte(v.Type)), key...), 0)
		dst = append(dst, v.Value...)
		return true
	})
	eachElement(old, func(key []byte, v bson.RawValue) bool {
		own := top && (string(key) == keyID || string(key) == keyRevision || string(key) == keySchema)
		if !own && s.field(string(key)) == nil {
			dst = append(append(append(dst, byte(v.Type)), key...), 0)
			dst = append(dst, v.Value...)
		}
		return true
	})
	return dst
}

// finish ends the document that begins at from in b.
func finish(b []byte, from int) []byte {
	b = append(b, 0)
	binary.LittleEndian.PutUint32(b[from:], uint32(len(b)-from))
	return b
}

func appendElement(dst []byte, key string, v bson.RawValue) []byte {
	dst = append(dst, byte(v.Type))
	dst = append(dst, key...)
	dst = append(dst, 0)
	return append(dst, v.Value...)
}

func int64Value(n int64) bson.RawValue {
	return bson.RawValue{Type: bson.TypeInt64, Value: binary.LittleEndian.AppendUint64(nil, uint64(n))}
}

func decode(doc bson.Raw, v any) error {
	if err := (bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: doc}).UnmarshalWithRegistry(registry, v); err != nil {
		return fmt.Errorf("%w: stored document does not fit %T: %w", ErrInvalid, v, err)
	}
	return nil
}

// RevisionOf is the revision of a stored document.
func RevisionOf(doc bson.Raw) int64 { n, _ := Lookup(doc, keyRevision).AsInt64OK(); return n }

// IDOf is the _id of a stored document.
func IDOf(doc bson.Raw) string { id, _ := Lookup(doc, keyID).StringValueOK(); return id }

func schemaOf(doc bson.Raw) int { n, _ := Lookup(doc, keySchema).AsInt64OK(); return int(n) }

func checkID(id string) error {
	if id == "" || len(id) > MaxID || !utf8.ValidString(id) {
		return fmt.Errorf("%w: _id must be 1 to %d bytes of UTF-8 text", ErrInvalid, MaxID)
	}
	return nil
}
