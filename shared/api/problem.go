package api

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// Errors that answers stand for, beside those of packages access, twin and device. errors.Is finds them in what Client returns.
var (
	ErrNotFound    = errors.New("not found")
	ErrExists      = errors.New("exists already")
	ErrConflict    = errors.New("conflicts with the present state")
	ErrStale       = errors.New("changed by somebody else meanwhile") // If-Match named an older version
	ErrTooLarge    = errors.New("too large")
	ErrTooMany     = errors.New("too many calls")
	ErrUnavailable = errors.New("unavailable for now") // try again later
)

// A Problem is an error answer in the form of RFC 9457, application/problem+json.
type Problem struct {
	Type   string `json:"type,omitempty"` // "" = about:blank
	Title  string `json:"title"`
	Status int    `json:"status"`

	// Detail says what was wrong in this call: the field, and what would be right.
	Detail string `json:"detail,omitempty"`

	// CallID finds the call in the logs.
	CallID string `json:"callId,omitempty"`

	// Faults are what is wrong with a text that was sent, by line; nil where Detail says it all.
	Faults []provision.Fault `json:"faults,omitempty"`

	// Errors are all that was wrong where that is more than one thing, like the tests that a driver fails: one line each.
	Errors []string `json:"errors,omitempty"`

	// RetryAfter is the header of that name, in seconds; 0 where it says nothing more than soon.
	RetryAfter int `json:"-"`
}

// Error is the detail, or the title where there is none.
func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return p.Title
}

// Is tells whether p stands for target, by the one table of errors.
func (p *Problem) Is(target error) bool {
	if target == ErrUnavailable && (p.Status == http.StatusBadGateway || p.Status == http.StatusGatewayTimeout) {
		return true // a gateway's words for it
	}
	for _, e := range table {
		if e.err == target {
			return e.status == p.Status
		}
	}
	return false
}

// table is the one place where errors and statuses meet, in both directions. The first match counts.
var table = []struct {
	err    error
	status int
	title  string
}{
	{access.ErrUnauthenticated, http.StatusUnauthorized, "Not signed in"},
	{access.ErrDenied, http.StatusForbidden, "Not allowed"},
	{ErrNotFound, http.StatusNotFound, "Not found"},
	{ErrExists, http.StatusConflict, "Conflict"},
	{ErrConflict, http.StatusConflict, "Conflict"},
	{device.ErrClaim, http.StatusForbidden, "Claim refused"},
	{ErrStale, http.StatusPreconditionFailed, "Changed meanwhile"},
	{ErrTooLarge, http.StatusRequestEntityTooLarge, "Too large"},
	{twin.ErrInvalid, http.StatusBadRequest, "Invalid request"},
	{ErrTooMany, http.StatusTooManyRequests, "Too many calls"},
	{ErrUnavailable, http.StatusServiceUnavailable, "Unavailable for now"},
}

// ProblemOf turns err into the answer it stands for; one that is not in the table is a 500 that tells no detail.
func ProblemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		// Its own words, not those of who passed it on: they must not tell what is hidden from what is missing.
		return &Problem{Title: p.Title, Status: p.Status, Detail: p.Detail, Faults: p.Faults, Errors: p.Errors, RetryAfter: p.RetryAfter}
	}
	for _, e := range table {
		if errors.Is(err, e.err) {
			p := &Problem{Title: e.title, Status: e.status, Detail: err.Error()}
			if faulty := new(provision.FaultyError); errors.As(err, &faulty) {
				p.Faults = faulty.Faults
			}
			return p
		}
	}
	return &Problem{Title: "Internal error", Status: http.StatusInternalServerError, Detail: "the platform could not do this; its log says why"}
}

// Invalid is a twin.ErrInvalid with a text that names the field and what would be right.
func Invalid(format string, a ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{twin.ErrInvalid}, a...)...)
}
