package store

import (
	"context"
	"errors"
	"fmt"
)

// A Query asks for documents in the order of an index.
type Query struct {
	// Index is the name of a declared index, or "" for the order of _id. Conditions of the filter on the index's leading
	// fields bound the walk; the others are tested document by document.
	Index  string
	Filter Filter
	// Reverse walks the index backwards. Results come in the index's order, ties by _id.
	Reverse bool
	// Limit is the most documents wanted, at most MaxLimit; 0 means DefaultLimit (Scan: all, DeleteRange: 1,000).
	Limit int
	// Cursor is the Next of the page before, or "" for the first page. One of another query is refused with ErrInvalid.
	Cursor string
	// Fields are the dotted paths to fill in, beside _id; none means all.
	Fields []string
	// Partial answers, instead of ErrTooBroad, with what was found among the MaxMisses examined, and Next set to go on.
	Partial bool
}

// A Page is a part of a query's result.
type Page[T any] struct {
	Items []T
	Next  string // the Cursor for the page after; "" at the end
}

// Get returns the document with this id, or ErrNotFound.
func (c *Collection[T]) Get(ctx context.Context, id string) (v T, err error) {
	doc, err := c.get(ctx, id)
	if err == nil {
		err = decode(doc, &v)
	}
	return v, c.wrap(id, err)
}

// GetMany returns the documents with these ids, at most MaxLimit, in their order. Missing ones are left out.
func (c *Collection[T]) GetMany(ctx context.Context, ids []string) ([]T, error) {
	docs, err := c.getMany(ctx, ids)
	if err != nil {
		return nil, c.wrap("", err)
	}
	found := make([]T, 0, len(ids))
	for i, doc := range docs {
		if doc == nil {
			continue
		}
		var v T
		if err := decode(doc, &v); err != nil {
			return nil, c.wrap(ids[i], err)
		}
		found = append(found, v)
	}
	return found, nil
}

// Find returns the page of q. It returns ErrTooBroad when it met more than MaxMisses documents that do not match before
// the page was full (but see Query.Partial), ErrNoIndex and ErrInvalid for a query that cannot be answered.
func (c *Collection[T]) Find(ctx context.Context, q Query) (page Page[T], err error) {
	p, err := c.planQuery(q, MaxMisses)
	if err != nil {
		return page, c.wrap("", err)
	}
	limit := p.walk.Limit
	p.walk.Limit++ // one more tells whether there is a next page
	var last Hit
	keep := newProjection(q.Fields)
	mark, err := c.table.Walk(ctx, p.walk, func(h Hit) error {
		if len(page.Items) == limit {
			page.Next = encodeCursor(p.id, p.position(last))
			return nil
		}
		last = h
		var v T
		if err := decode(keep.apply(h.Doc), &v); err != nil {
			return c.wrap(IDOf(h.Doc), err)
		}
		page.Items = append(page.Items, v)
		return nil
	})
	if err != nil {
		return Page[T]{}, c.wrap("", err)
	}
	if mark != nil && page.Next == "" {
		if !q.Partial {
			return Page[T]{}, c.wrap("", fmt.Errorf("%w: index %q leaves more than %d documents that the filter does not match", ErrTooBroad, q.Index, MaxMisses))
		}
		page.Next = encodeCursor(p.id, p.position(Hit(*mark)))
	}
	return page, nil
}

// FindOne returns the first document of q, or ErrNotFound.
func (c *Collection[T]) FindOne(ctx context.Context, q Query) (v T, err error) {
	q.Limit, q.Partial = 1, false
	page, err := c.Find(ctx, q)
	if err == nil && len(page.Items) == 0 {
		err = c.wrap("", ErrNotFound)
	}
	if err != nil {
		return v, err
	}
	return page.Items[0], nil
}

// scanChunk is how many documents Scan reads at once. Nothing stays open between, so each may take its time.
const scanChunk = 500

// Scan calls each with every document of q in order, however many it has to examine. An error of each ends it and is
// returned, except Stop. A document that is changed meanwhile so that it moves in the index may be met twice or not at
// all.
func (c *Collection[T]) Scan(ctx context.Context, q Query, each func(T) error) error {
	all := q.Limit == 0
	left := q.Limit
	q.Limit = scanChunk
	p, err := c.planQuery(q, 0)
	if err != nil {
		return c.wrap("", err)
	}
	keep := newProjection(q.Fields)
	for all || left > 0 {
		var hits []Hit
		if !all {
			p.walk.Limit = min(left, scanChunk)
		}
		_, err := c.table.Walk(ctx, p.walk, func(h Hit) error { hits = append(hits, h); return nil })
		if err != nil {
			return c.wrap("", err)
		}
		for _, h := range hits {
			var v T
			if err := decode(keep.apply(h.Doc), &v); err != nil {
				return c.wrap(IDOf(h.Doc), err)
			}
			if err := each(v); errors.Is(err, Stop) {
				return nil
			} else if err != nil {
				return err
			}
		}
		if len(hits) < p.walk.Limit {
			return nil
		}
		left -= len(hits)
		p.resume(p.position(hits[len(hits)-1]))
	}
	return nil
}

// Count tells how many documents match f. It may examine all that the index leaves.
func (c *Collection[T]) Count(ctx context.Context, f Filter, index string) (int, error) {
	groups, err := c.count(ctx, f, index, "")
	return groups[""], err
}

// GroupCount tells for each value at field how many documents match f and have it. Text stands for itself, numbers, bools
// and times for their text, "" for a missing or null value. It returns ErrInvalid when it meets an array or a document there,
// and ErrTooBroad when there are more than MaxLimit different values.
func (c *Collection[T]) GroupCount(ctx context.Context, f Filter, index, field string) (map[string]int, error) {
	if err := checkPath(field); err != nil {
		return nil, c.wrap("", err)
	}
	return c.count(ctx, f, index, field)
}

func (c *core) count(ctx context.Context, f Filter, index, field string) (map[string]int, error) {
	p, err := c.plan(index, f, false)
	if err != nil {
		return nil, c.wrap("", err)
	}
	groups, err := c.table.Count(ctx, p.walk, field)
	return groups, c.wrap("", err)
}

// Explain carries q out and tells what it took.
func (c *Collection[T]) Explain(ctx context.Context, q Query) (Plan, error) {
	p, err := c.planQuery(q, MaxMisses)
	if err != nil {
		return Plan{}, c.wrap("", err)
	}
	result, err := c.table.Explain(ctx, p.walk)
	result.Bounded = p.bounded()
	return result, c.wrap("", err)
}

// planQuery makes the plan of q with its limit and cursor.
func (c *core) planQuery(q Query, misses int) (*plan, error) {
	if q.Limit < 0 || q.Limit > MaxLimit {
		return nil, fmt.Errorf("%w: limit must be 0 to %d", ErrInvalid, MaxLimit)
	}
	for _, path := range q.Fields {
		if err := checkPath(path); err != nil {
			return nil, err
		}
	}
	p, err := c.plan(q.Index, q.Filter, q.Reverse)
	if err != nil {
		return nil, err
	}
	p.walk.Misses = misses
	if p.walk.Limit = q.Limit; q.Limit == 0 {
		p.walk.Limit = DefaultLimit
	}
	if len(q.Fields) > 0 {
		p.walk.Fields = append(p.walk.Fields, q.Fields...)
		for _, f := range p.fields {
			p.walk.Fields = append(p.walk.Fields, f.Path)
		}
	}
	if q.Cursor != "" {
		at, err := decodeCursor(q.Cursor, p.id, p.fields)
		if err != nil {
			return nil, err
		}
		p.resume(at)
	}
	return p, nil
}

func (c *core) get(ctx context.Context, id string) (doc []byte, err error) {
	docs, err := c.getMany(ctx, []string{id})
	if err != nil {
		return nil, err
	}
	if docs[0] == nil {
		return nil, ErrNotFound
	}
	return docs[0], nil
}
