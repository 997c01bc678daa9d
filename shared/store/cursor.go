package store

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	cursorVersion = 1
	maxCursor     = 128 << 10 // characters
)

// encodeCursor says, in text that is safe in a URL, where a page of a query ended.
func encodeCursor(query uint64, at []bson.RawValue) string {
	b := binary.BigEndian.AppendUint64([]byte{cursorVersion}, query)
	from := len(b)
	b = append(b, 0, 0, 0, 0)
	for i, v := range at {
		b = appendElement(b, strconv.Itoa(i), v)
	}
	return base64.RawURLEncoding.EncodeToString(finish(b, from))
}

// decodeCursor returns the position that a cursor of query holds. Cursors come from outside, so everything is checked; a
// forged one can at most begin the page elsewhere, because the filter still holds.
func decodeCursor(cursor string, query uint64, fields []Field) ([]bson.RawValue, error) {
	if len(cursor) > maxCursor {
		return nil, fmt.Errorf("%w: cursor is too long", ErrInvalid)
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) < 9 || b[0] != cursorVersion {
		return nil, fmt.Errorf("%w: this is not a cursor", ErrInvalid)
	}
	if binary.BigEndian.Uint64(b[1:]) != query {
		return nil, fmt.Errorf("%w: cursor belongs to another query", ErrInvalid)
	}
	doc := bson.Raw(b[9:])
	if err := doc.Validate(); err != nil {
		return nil, fmt.Errorf("%w: cursor is damaged", ErrInvalid)
	}
	var at []bson.RawValue
	eachElement(doc, func(_ []byte, v bson.RawValue) bool {
		at = append(at, v)
		return true
	})
	if len(at) != len(fields) {
		return nil, fmt.Errorf("%w: cursor is damaged", ErrInvalid)
	}
	for i, f := range fields {
		class := ClassOf(at[i].Type)
		if f.Path == keyID && class != ClassString || class == ClassOther || class == ClassMin || class == ClassMax {
			return nil, fmt.Errorf("%w: cursor is damaged", ErrInvalid)
		}
	}
	return at, nil
}
