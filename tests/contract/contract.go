// Package contract checks real traffic against functions/openapi.yaml, or another such document: what a test sends and gets must
// be what the document says. It is a check on the document as much as on the functions; it makes no calls itself.
package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// A Contract is the document, ready to check with.
type Contract struct {
	Doc    *openapi3.T
	router routers.Router
	prefix string // of all paths: "/function/"

	mu   sync.Mutex
	seen map[string]bool // operation ids that were called with success
}

// Load reads and validates functions/openapi.yaml, once per process.
var Load = sync.OnceValues(func() (*Contract, error) { return read("functions", "openapi.yaml") })

var opened sync.Map // path → func() (*Contract, error)

// Open is Load for another document of the repository, by the parts of its path.
func Open(path ...string) (*Contract, error) {
	f, _ := opened.LoadOrStore(filepath.Join(path...), sync.OnceValues(func() (*Contract, error) { return read(path...) }))
	return f.(func() (*Contract, error))()
}

func read(path ...string) (*Contract, error) {
	_, here, _, _ := runtime.Caller(0)
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(filepath.Dir(here), "..", "..", filepath.Join(path...)))
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	doc.Servers = nil
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, err
	}
	prefix := "/"
	for path := range doc.Paths.Map() {
		prefix = path[:strings.IndexByte(path[1:], '/')+2] // the same of all
	}
	return &Contract{Doc: doc, router: router, prefix: prefix, seen: map[string]bool{}}, nil
}

// An Exchange is one request and its answer.
type Exchange struct {
	Method string
	Path   string // with its query
	Header http.Header
	Body   []byte

	Status       int
	AnswerHeader http.Header
	Answer       []byte
}

// Check returns what is wrong with an exchange: a call that succeeded though the document does not allow it, or an answer
// that is not as described. Bad requests that were refused are fine; tests make them.
func (c *Contract) Check(e Exchange) error {
	u, err := url.ParseRequestURI(e.Path)
	if err != nil {
		return nil // never reached a function
	}
	req := &http.Request{Method: e.Method, URL: u, Header: e.Header.Clone(), Body: io.NopCloser(bytes.NewReader(e.Body)), ContentLength: int64(len(e.Body))}
	route, vars, err := c.router.FindRoute(req)
	if errors.Is(err, routers.ErrPathNotFound) || errors.Is(err, routers.ErrMethodNotAllowed) {
		if e.Status < 300 {
			return fmt.Errorf("%s %s answers %d and is not in openapi.yaml", e.Method, u.Path, e.Status)
		}
		return nil
	}
	if err != nil {
		return err
	}
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: vars, Route: route, Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, ExcludeRequestBody: !isJSON(e.Header.Get("Content-Type")), MultiError: true}}
	if e.Status < 300 {
		if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
			return fmt.Errorf("%s succeeded with a request that openapi.yaml does not allow: %w", route.Operation.OperationID, err)
		}
		c.mu.Lock()
		c.seen[route.Operation.OperationID] = true
		c.mu.Unlock()
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: e.Status, Header: e.AnswerHeader,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true, ExcludeResponseBody: !isJSON(e.AnswerHeader.Get("Content-Type"))}}
	out.SetBodyBytes(e.Answer)
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		return fmt.Errorf("%s answers %d not as openapi.yaml says: %w\n%.600s", route.Operation.OperationID, e.Status, err, e.Answer)
	}
	return nil
}

// CheckFrame returns what is wrong with a frame of GET /stream: each kind has a schema, Stream with its name.
func (c *Contract) CheckFrame(event string, data []byte) error {
	if event == "beat" {
		return nil // says nothing but that the stream is alive
	}
	schema := c.Doc.Components.Schemas["Stream"+strings.ToUpper(event[:min(1, len(event))])+event[min(1, len(event)):]]
	if schema == nil {
		return fmt.Errorf("frame %q is not in openapi.yaml", event)
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return fmt.Errorf("frame %s: %w", event, err)
	}
	if err := schema.Value.VisitJSON(v, openapi3.EnableJSONSchema2020(), openapi3.EnableFormatValidation(), openapi3.MultiErrors()); err != nil {
		return fmt.Errorf("frame %s is not as openapi.yaml says: %w\n%.600s", event, err, data)
	}
	return nil
}

func isJSON(contentType string) bool {
	t, _, _ := strings.Cut(contentType, ";")
	return t == "application/json" || strings.HasSuffix(t, "+json")
}

// Unseen lists the operations that no checked call has succeeded at yet.
func (c *Contract) Unseen() (ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, item := range c.Doc.Paths.Map() {
		for _, op := range item.Operations() {
			if !c.seen[op.OperationID] {
				ids = append(ids, op.OperationID)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// Transport checks every exchange that goes through next and reports faults to t.
func (c *Contract) Transport(t testing.TB, next http.RoundTripper) http.RoundTripper {
	return transport{c, t, next}
}

type transport struct {
	c    *Contract
	t    testing.TB
	next http.RoundTripper
}

func (tr transport) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		req.Body.Close()
		req = req.Clone(req.Context())
		if req.Body = io.NopCloser(bytes.NewReader(body)); len(body) == 0 {
			req.Body = http.NoBody // else it would be one of unknown length
		}
	}
	resp, err := tr.next.RoundTrip(req)
	if err != nil || !strings.HasPrefix(req.URL.Path, tr.c.prefix) {
		return resp, err
	}
	answer, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	if err := tr.c.Check(Exchange{req.Method, req.URL.RequestURI(), req.Header, body, resp.StatusCode, resp.Header, answer}); err != nil {
		tr.t.Error(err)
	}
	return resp, nil
}
