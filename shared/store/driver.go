package store

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A Driver keeps documents somewhere. Drivers are dumb: this package has validated what they are given, has encoded the
// documents and planned the walks. Their errors wrap this package's sentinels. All methods may be called concurrently.
type Driver interface {
	// Name tells what the driver runs on, such as "embedded" or "mongodb 8.0.1".
	Name() string
	// Ping returns nil when the database answers.
	Ping(ctx context.Context) error
	// Table returns the table for a collection, made with its indexes if need be. An index with another definition than
	// the stored one of that name replaces it.
	Table(ctx context.Context, name string, indexes []Index) (Table, error)
	// Close ends all work and frees the database.
	Close() error
}

// A Table is a collection as a Driver sees it: documents by _id, with indexes.
type Table interface {
	// Get returns the documents with these ids, aligned with them, nil where there is none.
	Get(ctx context.Context, ids []string) ([]bson.Raw, error)
	// Write carries out the writes, each atomic by itself, in one round trip or commit. The errors are aligned with
	// writes; the second result tells of a failure of the whole.
	Write(ctx context.Context, writes []Write) ([]error, error)
	// Apply adds to numbers of one document at once with checking that guard matches it, and returns the document after.
	// It returns ErrNotFound, or ErrConflict when guard does not match.
	Apply(ctx context.Context, id string, guard Filter, add []Increment) (bson.Raw, error)
	// Walk calls each with the documents of w in order. It ends without error when w is exhausted, at w.Limit, or at
	// w.Misses; then the mark tells where it ended.
	Walk(ctx context.Context, w Walk, each func(Hit) error) (*Mark, error)
	// Count tells how many documents w has, regardless of its limits; by the text of the value at field, if that is
	// not "".
	Count(ctx context.Context, w Walk, field string) (map[string]int, error)
	// Explain carries w out and tells what it took.
	Explain(ctx context.Context, w Walk) (Plan, error)
}

// A WriteOp is what a Write does.
type WriteOp byte

// The ways to write one document.
const (
	// InsertDoc writes a document that is not there yet, else ErrExists.
	InsertDoc WriteOp = iota + 1
	// PutDoc inserts or overwrites; ErrSchema if what is there matches not Guard.
	PutDoc
	// ReplaceDoc overwrites the document at Revision; ErrNotFound, ErrConflict.
	ReplaceDoc
	// DeleteDoc deletes the document if Guard matches it; ErrNotFound, ErrConflict.
	DeleteDoc
)

// A Write is a change of one document.
type Write struct {
	Op       WriteOp
	ID       string
	Doc      bson.Raw // whole, with _id, revision and schema; nil to delete
	Revision int64    // what a ReplaceDoc expects to find
	Guard    Filter
}

// An Increment adds By to the number at a dotted path, which is made where it is missing.
type Increment struct {
	Path string
	By   int64
}

// A Walk is a planned query: an index, and the parts of it to go through, one after the other.
type Walk struct {
	Index    Index     // the zero Index is the one by _id
	Segments []Segment // in the order of the walk
	Rest     Filter    // what the segments do not ensure
	Reverse  bool
	Limit    int      // ends the walk after that many hits; 0 = never
	Misses   int      // ends the walk when more documents than that did not match Rest; 0 = never
	Fields   []string // the paths that are needed of each document; none means all of it
}

// A Segment is a contiguous part of an index: the leading fields equal Eq, and the field after them is in Range.
type Segment struct {
	Eq    []bson.RawValue
	Range Range
	Rest  Filter // what else the documents of this segment must match
}

// A Range bounds one field of an index. The zero Range is all of it. From and To are classes, both included; Lo and Hi,
// where they are not the zero value, bound the values within the one class From = To.
type Range struct {
	From, To       Class // To 0 means ClassMax
	Lo, Hi         bson.RawValue
	LoOpen, HiOpen bool   // whether Lo, Hi themselves are left out
	Prefix         string // strings must begin with it
}

// A Hit is a document found by a Walk.
type Hit struct {
	Segment int // its number in Walk.Segments
	Doc     bson.Raw
}

// A Mark is the last document that a walk examined before it ended at Walk.Misses; of the document at least the index's
// fields and _id are there.
type Mark Hit

// A Plan tells how a query is carried out.
type Plan struct {
	Index    string // the index that was walked, "" for the one by _id
	Examined int    // documents looked at to answer it
	Bounded  bool   // whether conditions of the filter bound the walk, so that it is not over the whole index
}
