package faas

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/fxamacker/cbor/v2"
)

// None is the input of an operation that takes no body, and the output of one that answers 204.
type None struct{}

// MaxBody bounds a JSON body; batches and imports, which are CBOR or text, may have MaxBulk.
const (
	MaxBody = 1 << 20
	MaxBulk = 16 << 20
)

// Op makes an operation of do: In is read from the body (JSON without unknown fields, or CBOR; None = no body; []byte = the
// body as it is), Out becomes the answer (see Reply). allow is the first door; decisions on single objects are do's.
func Op[In, Out any](g Guard, allow access.Allow, do func(ctx context.Context, c *Call, in In) (Out, error)) Handler {
	return Handler{guard: g, allow: allow, do: func(ctx context.Context, c *Call) (Reply, error) {
		var in In
		if err := decode(c, &in); err != nil {
			return Reply{}, err
		}
		out, err := do(ctx, c, in)
		if err != nil {
			return Reply{}, err
		}
		return replyOf(out), nil
	}}
}

// Events makes the operation "POST /events" that takes the events of the function's topics. An error has them delivered again.
func Events(g Guard, do func(ctx context.Context, events []event.Event) error) Handler {
	return Op(g, access.Parts("events"), func(ctx context.Context, _ *Call, in []event.Event) (None, error) {
		return None{}, do(ctx, in)
	}).Quiet()
}

// HeaderPlanned carries the time a scheduled run was planned for, RFC 3339.
const HeaderPlanned = "X-Castor-Planned"

// Schedule makes the operation "POST /schedule" that the function's schedule calls. Effects are keyed by planned, so that a
// run that is fired twice acts once.
func Schedule(g Guard, do func(ctx context.Context, planned time.Time) error) Handler {
	return Op(g, access.Parts("events"), func(ctx context.Context, c *Call, _ None) (None, error) {
		planned, err := time.Parse(time.RFC3339Nano, c.Header.Get(HeaderPlanned))
		if err != nil {
			return None{}, api.Invalid("header %s must be the planned time, like 2026-03-21T10:00:00Z", HeaderPlanned)
		}
		return None{}, do(ctx, planned.UTC())
	}).Quiet()
}

func decode(c *Call, in any) error {
	switch in := in.(type) {
	case *None:
		return nil
	case *[]byte: // which types it takes is the operation's to say
		if len(c.Body) > MaxBulk {
			return tooLarge(MaxBulk)
		}
		*in = c.Body
		return nil
	}
	kind, err := contentType(c)
	if err != nil {
		return err
	}
	if kind == "application/cbor" {
		if len(c.Body) > MaxBulk {
			return tooLarge(MaxBulk)
		}
		return cborFault(cborIn.Unmarshal(c.Body, in))
	}
	if len(c.Body) > MaxBody {
		return tooLarge(MaxBody)
	}
	return JSON(c.Body, in)
}

// contentType is the media type of a body of values: JSON where none is named.
func contentType(c *Call) (string, error) {
	given := cmp.Or(c.Header.Get("Content-Type"), "application/json")
	kind, _, err := mime.ParseMediaType(given)
	taken := kind == "application/cbor" || kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
	if err == nil && taken || len(c.Body) == 0 {
		return kind, nil
	}
	return "", &api.Problem{Title: http.StatusText(http.StatusUnsupportedMediaType), Status: http.StatusUnsupportedMediaType,
		Detail: fmt.Sprintf("Content-Type %.80q is not taken here; send application/json or application/cbor", given)}
}

// cborIn bounds what hostile CBOR can make of memory and of the processor's time. Tags have no place in what parts tell each
// other, and a tagged number may have a million digits.
var cborIn = func() cbor.DecMode {
	m, err := cbor.DecOptions{MaxNestedLevels: 16, MaxArrayElements: 131072, MaxMapPairs: 4096, UTF8: cbor.UTF8RejectInvalid, TagsMd: cbor.TagsForbidden}.DecMode()
	if err != nil {
		panic(err)
	}
	return m
}()

// JSON reads one JSON value strictly: no unknown fields, nothing behind it. Its errors name the field.
func JSON(body []byte, in any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return api.Invalid("the body is empty; a JSON value is expected")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		return jsonFault(err, body, in)
	}
	if _, err := d.Token(); err != io.EOF {
		return api.Invalid("there is something behind the JSON value")
	}
	return nil
}

func tooLarge(limit int) error {
	return errors.Join(api.ErrTooLarge, api.Invalid("the body may have %d bytes", limit))
}
