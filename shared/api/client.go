package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/fxamacker/cbor/v2"
)

// A Client calls functions through the user gateway.
type Client struct {
	// URL is the gateway's: "https://castor.example".
	URL string

	// HTTP makes the calls; nil = http.DefaultClient.
	HTTP *http.Client

	// Header goes with every call, under what the call has itself; nil = nothing.
	Header http.Header

	// Authorize yields the Authorization header for calls of function; nil = none. It is asked before every call and
	// may keep what it has.
	Authorize func(ctx context.Context, function string) (string, error)

	// Renew says that a call of function with this header from Authorize was refused with 401: what Authorize keeps may be
	// good no longer. If Authorize yields another header then, the call is made once more with it. Nil = a refusal is final.
	// Whoever offers it bounds how often it leads to a new header: refused calls may be many.
	Renew func(function, header string)

	// Route names the function to call in place of the well-known one, as the service directory has it; nil = the
	// well-known one.
	Route func(function string) string

	// Retries makes a call again, a few times and soon, when it is not known what became of it: no connection, or 502, 503 or
	// 504. For parts of the platform, whose calls may all be made twice; a person decides that alone.
	Retries bool
}

// Page is one page of a list; Next is the cursor of the next one, "" at the end.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

type onBehalfKey struct{}

// OnBehalf makes calls with ctx be made for the user whose bearer token it is; "" changes nothing. Both the caller and the
// user need the right to what is called.
func OnBehalf(ctx context.Context, token string) context.Context {
	if token == "" {
		return ctx
	}
	return context.WithValue(ctx, onBehalfKey{}, token)
}

// HeaderFor carries the token of the user on whose behalf a part of the platform calls.
const HeaderFor = "X-Castor-For"

// maxAnswer bounds what the client reads of an answer.
const maxAnswer = 64 << 20

// Call sends in (nil = no body) as JSON to a function and fills out (nil = the answer's body is dropped). An error answer
// comes back as *Problem; a network failure wraps ErrUnavailable.
func (c *Client) Call(ctx context.Context, method, function, path string, in, out any) error {
	return c.call(ctx, method, function, path, nil, in, out)
}

// CBOR marks a value that Call sends as CBOR (RFC 8949) instead of JSON: batches between connectors and functions.
type CBOR struct{ Value any }

// Raw takes an answer's body as it is.
type Raw struct {
	ContentType string
	Body        []byte
}

func (c *Client) call(ctx context.Context, method, function, path string, header http.Header, in, out any) error {
	resp, err := c.Do(ctx, method, function, path, header, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w: %w", method, function+path, ErrUnavailable, err)
	case len(body) > maxAnswer:
		return fmt.Errorf("%s %s: %w: the answer has more than %d bytes", method, function+path, ErrTooLarge, maxAnswer)
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *Raw:
		out.ContentType, out.Body = resp.Header.Get("Content-Type"), body
		return nil
	}
	if len(body) == 0 {
		return nil
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/cbor") {
		err = cbor.Unmarshal(body, out)
	} else {
		err = json.Unmarshal(body, out)
	}
	if err != nil {
		return fmt.Errorf("%s %s: the answer could not be read: %w", method, function+path, err)
	}
	return nil
}

// tries is how often a call is made in all with Retries: a replica that has just ended is left out by then.
const tries = 4

// Do is Call for answers that are read as they come; the caller closes the body. Answers of 400 and above are errors.
func (c *Client) Do(ctx context.Context, method, function, path string, header http.Header, in any) (*http.Response, error) {
	for n := 1; ; n++ {
		resp, err := c.do(ctx, method, function, path, header, in)
		if err == nil || !c.Retries || n == tries || !errors.Is(err, ErrUnavailable) {
			return resp, err
		}
		wait := 50 * time.Millisecond << (n - 1)
		if !pause.For(ctx, wait/2+rand.N(wait)) {
			return nil, err
		}
	}
}

// do makes a call, and once more when its authorization was refused and there is another by now. What was refused has done
// nothing, so this is safe also for those whose calls must not be made twice.
func (c *Client) do(ctx context.Context, method, function, path string, header http.Header, in any) (*http.Response, error) {
	if c.Authorize == nil {
		return c.send(ctx, method, function, path, header, in, "")
	}
	authorization, err := c.Authorize(ctx, function)
	if err != nil {
		return nil, err
	}
	resp, err := c.send(ctx, method, function, path, header, in, authorization)
	var p *Problem
	if authorization == "" || c.Renew == nil || !errors.As(err, &p) || p.Status != http.StatusUnauthorized {
		return resp, err
	}
	c.Renew(function, authorization)
	another, failed := c.Authorize(ctx, function)
	switch {
	case failed != nil:
		return nil, failed
	case another == authorization:
		return nil, err
	}
	return c.send(ctx, method, function, path, header, in, another)
}

func (c *Client) send(ctx context.Context, method, function, path string, header http.Header, in any, authorization string) (*http.Response, error) {
	if c.Route != nil {
		function = c.Route(function)
	}
	body, contentType, err := encode(in)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, function+path, err)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+"/function/"+function+path, body)
	if err != nil {
		return nil, err
	}
	for _, h := range []http.Header{c.Header, header} {
		for k, v := range h {
			req.Header[k] = v
		}
	}
	if contentType != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", contentType)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	if token, ok := ctx.Value(onBehalfKey{}).(string); ok {
		req.Header.Set(HeaderFor, token)
	}
	trace.SetHeader(req.Header, trace.Of(ctx)) // so that one call can be followed through the functions
	h := c.HTTP
	if h == nil {
		h = http.DefaultClient
	}
	resp, err := h.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("%s %s at %s: %w: %w", method, function+path, c.URL, ErrUnavailable, err)
	}
	if resp.StatusCode >= 400 {
		defer resp.Body.Close()
		return nil, problem(resp)
	}
	return resp, nil
}

// cborOut writes times as text, which keeps their milliseconds.
var cborOut = func() cbor.EncMode {
	m, err := cbor.EncOptions{Time: cbor.TimeRFC3339NanoUTC}.EncMode()
	if err != nil {
		panic(err)
	}
	return m
}()

func encode(in any) (io.Reader, string, error) {
	switch in := in.(type) {
	case nil:
		return nil, "", nil
	case CBOR:
		b, err := cborOut.Marshal(in.Value)
		return bytes.NewReader(b), "application/cbor", err
	case Raw:
		return bytes.NewReader(in.Body), in.ContentType, nil
	default:
		b, err := json.Marshal(in)
		return bytes.NewReader(b), "application/json", err
	}
}

// problem reads an error answer, also one that no function wrote.
func problem(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	p := &Problem{}
	if json.Unmarshal(body, p) != nil || p.Status == 0 {
		p = &Problem{Title: http.StatusText(resp.StatusCode), Detail: strings.TrimSpace(string(body[:min(len(body), 200)]))}
	}
	p.Status = resp.StatusCode
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 {
		p.RetryAfter = n
	}
	return p
}

// IfMatch is the header for an edit that must not overwrite another: the version of the part that was read.
func IfMatch(version int64) http.Header {
	return http.Header{"If-Match": {fmt.Sprintf("%q", fmt.Sprint(version))}}
}

// query makes "?a=b" of pairs, leaving out empty values.
func query(pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Add(pairs[i], pairs[i+1])
		}
	}
	if len(v) == 0 {
		return ""
	}
	return "?" + v.Encode()
}

// positive is a number as a parameter; "" where it is none.
func positive(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}
