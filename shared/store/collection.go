package store

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// A Spec describes a collection as one version of the code wants it.
type Spec struct {
	// Name is the collection's: lower case letters, digits, "-" and "_", at most 64.
	Name string
	// Schema is the number of the layout in which this code writes documents, 1 or more; 0 counts as 1. Raise it when
	// older code must no longer write them.
	Schema int
	// Indexes are what queries may name. An index that is no longer declared stays where it was made.
	Indexes []Index
}

// An Index keeps documents in the order of some fields.
type Index struct {
	// Name is unique within the collection, such as "by-type".
	Name string
	// Fields are dotted paths, with "-" in front for descending order, such as "type", "-at". The _id is always the last
	// one. A field may be an array, or lie in an array of documents (one such field at most); then a query must fix it by
	// Eq or In. Fields must be fields of the collection's type; where that is open (an any), it counts as an array.
	Fields []string
	// Unique refuses a second document with the same values, among the documents that have all fields (null counts as
	// having it: use omitempty). A unique index holds, and its queries find, only those documents.
	Unique bool
}

// A Field is one component of an index's order.
type Field struct {
	Path       string
	Descending bool
}

// Order returns the fields of the index in turn. The _id, which ends it where the index is not unique, is among them.
func (x Index) Order() []Field {
	fields := make([]Field, 0, len(x.Fields)+1)
	for _, f := range x.Fields {
		path, descending := strings.CutPrefix(f, "-")
		fields = append(fields, Field{path, descending})
	}
	if !x.Unique {
		fields = append(fields, Field{Path: keyID})
	}
	return fields
}

// A Collection holds documents of one type. It may be used by many goroutines.
type Collection[T any] struct {
	core
}

// core is what of a collection does not depend on its type.
type core struct {
	name    string
	schema  int
	shape   *shape
	indexes map[string]Index
	table   Table
}

const (
	maxIndexes     = 32
	maxIndexFields = 8
)

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// Open returns the collection, made with its indexes if need be. T must be a struct with a field of a string kind tagged
// `bson:"_id"`, and may not have "revision", "schema" or "writes", which are the store's. Open may be called often.
func Open[T any](ctx context.Context, db *DB, spec Spec) (*Collection[T], error) {
	c := &Collection[T]{core{name: spec.Name, schema: max(spec.Schema, 1), shape: shapeOf(reflect.TypeFor[T]()), indexes: map[string]Index{}}}
	if err := c.check(spec); err != nil {
		return nil, fmt.Errorf("collection %q: %w", spec.Name, err)
	}
	table, err := db.driver.Table(ctx, spec.Name, spec.Indexes)
	if err != nil {
		return nil, fmt.Errorf("collection %q: %w", spec.Name, err)
	}
	c.table = measure(spec.Name, table)
	return c, nil
}

func (c *core) check(spec Spec) error {
	if !validName.MatchString(spec.Name) {
		return fmt.Errorf("%w: a name is 1 to 64 of a-z, 0-9, - and _", ErrInvalid)
	}
	id, ok := c.shape.fields[keyID]
	if c.shape.kind != structShape || !ok || id.Kind() != reflect.String {
		return fmt.Errorf("%w: its type must be a struct with a string field tagged bson:\"_id\"", ErrInvalid)
	}
	for _, own := range []string{keyRevision, keySchema, KeyWrites} {
		if _, ok := c.shape.fields[own]; ok {
			return fmt.Errorf("%w: its type has a field %q, which is the store's", ErrInvalid, own)
		}
	}
	if len(spec.Indexes) > maxIndexes {
		return fmt.Errorf("%w: it has more than %d indexes", ErrInvalid, maxIndexes)
	}
	for _, x := range spec.Indexes {
		if _, ok := c.indexes[x.Name]; ok || !validName.MatchString(x.Name) {
			return fmt.Errorf("%w: index name %q is used twice or is not 1 to 64 of a-z, 0-9, - and _", ErrInvalid, x.Name)
		}
		if err := c.checkIndex(x); err != nil {
			return fmt.Errorf("index %q: %w", x.Name, err)
		}
		c.indexes[x.Name] = x
	}
	return nil
}

func (c *core) checkIndex(x Index) error {
	if len(x.Fields) == 0 || len(x.Fields) > maxIndexFields {
		return fmt.Errorf("%w: it must have 1 to %d fields", ErrInvalid, maxIndexFields)
	}
	arrays := 0
	var seen []string
	for _, f := range x.Fields {
		path := strings.TrimPrefix(f, "-")
		if err := checkPath(path); err != nil {
			return err
		}
		if path == keyID || slices.Contains(seen, path) {
			return fmt.Errorf("%w: field %q is there twice", ErrInvalid, path)
		}
		seen = append(seen, path)
		n, err := c.shape.at(path)
		if err != nil {
			return err
		}
		if n > 1 {
			return fmt.Errorf("%w: field %q lies in arrays of arrays", ErrInvalid, path)
		}
		arrays += n
	}
	if arrays > 1 {
		return fmt.Errorf("%w: more than one field is an array", ErrInvalid)
	}
	return nil
}

// isArray tells whether a path of an index meets an array.
func (c *core) isArray(path string) bool {
	n, err := c.shape.at(path)
	return err == nil && n > 0
}

// wrap says what an error was about.
func (c *core) wrap(id string, err error) error {
	switch {
	case err == nil:
		return nil
	case id == "":
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return fmt.Errorf("%s %q: %w", c.name, id, err)
}
