package faas

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/fxamacker/cbor/v2"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// A Reply is an answer. Operations return plain values, which become 200 with JSON; None becomes 204; a Reply stands for itself.
type Reply struct {
	Status int // 0 = 200
	Header http.Header

	// Value is written as JSON, or as CBOR where CBOR is set. Body is written as it is, with the Content-Type in Header.
	Value any
	CBOR  bool
	Body  []byte
}

// Created answers 201 with the new resource and where it is: a path below the function's URL.
func Created(location string, v any) Reply {
	return Reply{Status: http.StatusCreated, Header: http.Header{"Location": {location}}, Value: v}
}

// Versioned answers 200 with the ETag of the part that is edited.
func Versioned(version int64, v any) Reply {
	return Reply{Header: http.Header{"Etag": {etag(version)}}, Value: v}
}

// Bytes answers 200 with a body of another type than JSON.
func Bytes(contentType string, body []byte) Reply {
	return Reply{Header: http.Header{"Content-Type": {contentType}}, Body: body}
}

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// Match returns api.ErrStale if the call's If-Match names another version than the present one. No If-Match, or "*", matches all.
func (c *Call) Match(version int64) error {
	m := c.Header.Get("If-Match")
	if m == "" || m == "*" {
		return nil
	}
	for _, tag := range strings.Split(m, ",") {
		if strings.TrimSpace(tag) == etag(version) {
			return nil
		}
	}
	return fmt.Errorf("%w: version %d is current, you read %s; read it again and repeat your change", api.ErrStale, version, m)
}

func (r Reply) status() int {
	if r.Status == 0 {
		return http.StatusOK
	}
	return r.Status
}

func replyOf(out any) Reply {
	switch out := out.(type) {
	case Reply:
		return out
	case None:
		return Reply{Status: http.StatusNoContent}
	}
	return Reply{Value: out}
}

func (r Reply) response() handler.Response {
	h := r.Header
	if h == nil {
		h = http.Header{}
	}
	body := r.Body
	switch {
	case r.Value != nil && r.CBOR:
		body = mustMarshal(cbor.Marshal(r.Value))
		h.Set("Content-Type", "application/cbor")
	case r.Value != nil:
		body = mustMarshal(json.Marshal(r.Value))
		if h.Get("Content-Type") == "" {
			h.Set("Content-Type", "application/json")
		}
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set(api.HeaderVersion, api.Version)
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	return handler.Response{StatusCode: r.status(), Header: h, Body: body}
}

// mustMarshal panics on what cannot be encoded, which is a programmer's error; serve turns it into a 500.
func mustMarshal(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// maxDetail bounds what a problem says, in bytes.
const maxDetail = 1000

func problemReply(p *api.Problem, callID string) handler.Response {
	q := *p
	q.CallID = callID
	if len(q.Detail) > maxDetail { // it quotes what the caller sent
		q.Detail = strings.ToValidUTF8(q.Detail[:maxDetail], "") + " …"
	}
	return ProblemResponse(&q)
}

// ProblemResponse is the answer that tells a problem, for what answers before any operation does.
func ProblemResponse(q *api.Problem) handler.Response {
	r := Reply{Status: q.Status, Value: q, Header: http.Header{"Content-Type": {"application/problem+json"}}}
	if q.Status == http.StatusUnauthorized {
		r.Header.Set("Www-Authenticate", `Bearer realm="castor"`)
	}
	if q.Status == http.StatusServiceUnavailable || q.Status == http.StatusTooManyRequests {
		r.Header.Set("Retry-After", strconv.Itoa(max(1, q.RetryAfter)))
	}
	return r.response()
}
