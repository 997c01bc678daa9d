package store

import "errors"

// What can go wrong, whatever the driver. Errors of this package wrap one of these with the collection and document
// concerned; test with errors.Is.
var (
	// ErrNotFound: no document has this _id, or none matches.
	ErrNotFound = errors.New("not found")
	// ErrExists: another document has this _id or the same key in a unique index.
	ErrExists = errors.New("exists already")
	// ErrConflict: the document was changed by somebody else meanwhile (more often than Update retries), or a guard
	// does not match. Read it again and decide anew.
	ErrConflict = errors.New("changed meanwhile")
	// ErrTooBroad: answering would examine more than MaxMisses documents that do not match. Use a better index, or Scan.
	ErrTooBroad = errors.New("query is too broad")
	// ErrNoIndex: the query names an index that the collection does not declare, or cannot be answered by it.
	ErrNoIndex = errors.New("no such index")
	// ErrSchema: the document was written by newer code than this one, which therefore must not overwrite it.
	ErrSchema = errors.New("written by newer code")
	// ErrInvalid: a bad id, cursor, filter, query or document. Trying again does not help.
	ErrInvalid = errors.New("invalid")
	// ErrTooLarge: the document is larger than MaxDocument.
	ErrTooLarge = errors.New("document is too large")
	// ErrUnavailable: the database cannot be reached, or did not say in time whether a write took place. Try again later.
	ErrUnavailable = errors.New("store is unavailable")
	// ErrInUse: another process has the embedded database's directory open.
	ErrInUse = errors.New("data directory is in use by another process")
	// ErrDamaged: the embedded database's files are not what was written, or were written by a newer version.
	ErrDamaged = errors.New("data directory is damaged")
)

// A signal is returned by a caller's function to say something that is not a failure.
type signal string

func (s signal) Error() string { return string(s) }

const (
	// Unchanged is returned by the function given to Update or Upsert to write nothing.
	Unchanged = signal("unchanged")
	// Stop is returned by the function given to Scan to end it without an error.
	Stop = signal("stop")
)

// Limits of the store, the same for every driver.
const (
	MaxDocument  = 16 << 20 // bytes of an encoded document (MongoDB's limit)
	MaxID        = 1024     // bytes of an _id
	MaxLimit     = 10_000   // documents of one page, and of one call of a bulk operation
	DefaultLimit = 100      // documents of a page whose query has no Limit
	MaxMisses    = 1000     // documents a Find may examine that do not match
)
