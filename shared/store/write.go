package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/pause"
	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	maxAttempts   = 100                    // of one Update
	firstPause    = 500 * time.Microsecond // between two attempts; doubled each time
	longestPause  = 50 * time.Millisecond
	maxIncrements = 100
)

// Insert writes a new document. It returns ErrExists if its _id or a unique key is taken.
func (c *Collection[T]) Insert(ctx context.Context, v T) error {
	id, doc, err := encode(v, 1, c.schema, c.shape, nil)
	if err == nil {
		err = c.write(ctx, Write{Op: InsertDoc, ID: id, Doc: doc})
	}
	return c.wrap(id, err)
}

// Update reads the document, lets change alter it and writes it if it is still as it was read; otherwise it begins again,
// after a random pause, so change may run several times. What change returns as an error ends the update and is returned;
// Unchanged leaves the document as it is, without an error. Update returns the document as stored, ErrNotFound, ErrSchema,
// ErrExists (a unique key is taken), or ErrConflict after a hundred attempts.
func (c *Collection[T]) Update(ctx context.Context, id string, change func(*T) error) (T, error) {
	return c.change(ctx, id, false, func(v *T, _ bool) error { return change(v) })
}

// Upsert is Update where the document exists; otherwise change gets a zero T with its _id set, and exists is false, and the
// result is inserted.
func (c *Collection[T]) Upsert(ctx context.Context, id string, change func(v *T, exists bool) error) (T, error) {
	return c.change(ctx, id, true, change)
}

func (c *Collection[T]) change(ctx context.Context, id string, insert bool, change func(*T, bool) error) (T, error) {
	var zero T
	wait := firstPause
	for range maxAttempts {
		v, err := c.try(ctx, id, insert, change)
		if err == nil {
			return v, nil
		}
		if !errors.Is(err, errRace) {
			return zero, c.wrap(id, err)
		}
		if !pause.For(ctx, wait/2+rand.N(wait)) {
			return zero, c.wrap(id, ctx.Err())
		}
		wait = min(2*wait, longestPause)
	}
	return zero, c.wrap(id, fmt.Errorf("%w: %d attempts met other writers", ErrConflict, maxAttempts))
}

// errRace: another writer came first, so the change has to be tried again.
var errRace = errors.New("another writer came first")

func (c *Collection[T]) try(ctx context.Context, id string, insert bool, change func(*T, bool) error) (v T, err error) {
	old, err := c.get(ctx, id)
	exists := err == nil
	switch {
	case exists && schemaOf(old) > c.schema:
		return v, fmt.Errorf("%w: schema %d, this code writes %d", ErrSchema, schemaOf(old), c.schema)
	case exists:
		err = decode(old, &v)
	case errors.Is(err, ErrNotFound) && insert:
		err = setID(&v, id)
	}
	if err != nil {
		return v, err
	}
	if err := change(&v, exists); errors.Is(err, Unchanged) {
		return v, nil
	} else if err != nil {
		return v, err
	}
	w := Write{Op: InsertDoc, ID: id}
	if exists {
		w.Op, w.Revision = ReplaceDoc, RevisionOf(old)
	}
	newID, doc, err := encode(v, w.Revision+1, c.schema, c.shape, old)
	if err != nil {
		return v, err
	}
	if newID != id {
		return v, fmt.Errorf("%w: the change set _id to %q", ErrInvalid, newID)
	}
	w.Doc = doc
	err = c.write(ctx, w)
	switch {
	case errors.Is(err, ErrConflict) || exists && insert && errors.Is(err, ErrNotFound):
		return v, errRace
	case !exists && errors.Is(err, ErrExists): // this _id, or a unique key?
		if there, _ := c.get(ctx, id); there != nil {
			return v, errRace
		}
		return v, err
	case err != nil:
		return v, err
	}
	var stored T
	return stored, decode(doc, &stored)
}

// Apply adds to the int fields at the dotted paths of inc, if guard matches the document, and returns the document as it
// is then. Many writers may do so at once without having to retry. Missing fields are made. It returns ErrNotFound,
// ErrSchema, ErrConflict when guard does not match, and ErrInvalid when a field is not a number.
func (c *Collection[T]) Apply(ctx context.Context, id string, guard Filter, inc map[string]int64) (v T, err error) {
	add, err := increments(inc)
	if err == nil {
		err = errors.Join(checkID(id), guard.Err())
	}
	if err != nil {
		return v, c.wrap(id, err)
	}
	doc, err := c.table.Apply(ctx, id, And(guard, c.notNewer()), add)
	if errors.Is(err, ErrConflict) {
		if old, _ := c.get(ctx, id); schemaOf(old) > c.schema {
			err = ErrSchema
		}
	}
	if err == nil {
		err = decode(doc, &v)
	}
	return v, c.wrap(id, err)
}

// Delete removes the document, or returns ErrNotFound.
func (c *Collection[T]) Delete(ctx context.Context, id string) error {
	return c.DeleteIf(ctx, id, Filter{})
}

// DeleteIf removes the document if guard matches it. It returns ErrNotFound, or ErrConflict when guard does not match.
func (c *Collection[T]) DeleteIf(ctx context.Context, id string, guard Filter) error {
	err := errors.Join(checkID(id), guard.Err())
	if err == nil {
		err = c.write(ctx, Write{Op: DeleteDoc, ID: id, Guard: guard})
	}
	return c.wrap(id, err)
}

// notNewer matches documents that this code may overwrite.
func (c *core) notNewer() Filter { return Not(Gt(keySchema, c.schema)) }

func (c *core) write(ctx context.Context, w Write) error {
	errs, err := c.table.Write(ctx, []Write{w})
	if err != nil {
		return err
	}
	return errs[0]
}

func increments(inc map[string]int64) ([]Increment, error) {
	if len(inc) == 0 || len(inc) > maxIncrements {
		return nil, fmt.Errorf("%w: 1 to %d fields can be added to", ErrInvalid, maxIncrements)
	}
	add := make([]Increment, 0, len(inc))
	for path, by := range inc {
		top, _, _ := strings.Cut(path, ".")
		if err := checkPath(path); err != nil {
			return nil, err
		}
		if top == keyID || top == keyRevision || top == keySchema || top == KeyWrites {
			return nil, fmt.Errorf("%w: %q is the store's", ErrInvalid, top)
		}
		add = append(add, Increment{path, by})
	}
	sort.Slice(add, func(i, j int) bool { return add[i].Path < add[j].Path })
	for i := range add {
		for _, other := range add[i+1:] {
			if strings.HasPrefix(other.Path, add[i].Path+".") {
				return nil, fmt.Errorf("%w: %q lies in %q", ErrInvalid, other.Path, add[i].Path)
			}
		}
	}
	return add, nil
}

// setID sets the field tagged _id of the struct that v points to.
func setID(v any, id string) error {
	s := reflect.ValueOf(v).Elem()
	for i := range s.NumField() {
		if name, _, _ := strings.Cut(s.Type().Field(i).Tag.Get("bson"), ","); name == keyID {
			s.Field(i).SetString(id)
			return nil
		}
	}
	// the _id lies in an inlined struct: let the decoder find it
	return decode(finish(appendElement(make([]byte, 4), keyID, stringValue(id)), 0), v)
}

func stringValue(s string) bson.RawValue {
	t, b, _ := bson.MarshalValue(s)
	return bson.RawValue{Type: t, Value: b}
}
