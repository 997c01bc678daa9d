package platform

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	handler "github.com/openfaas/templates-sdk/go-http"
)

// What a function answers becomes an answer of HTTP, whatever it is.
func TestAnswers(t *testing.T) {
	for what, c := range map[string]struct {
		answer handler.Response
		err    error
		status int
		body   string
	}{
		"an answer":                  {handler.Response{StatusCode: 201, Body: []byte("made")}, nil, 201, "made"},
		"an answer without a status": {handler.Response{Body: []byte("yes")}, nil, 200, "yes"},
		"a status that is none":      {handler.Response{StatusCode: 999}, nil, 500, ""},
		"an interim status":          {handler.Response{StatusCode: 101}, nil, 500, ""},
		"an error":                   {handler.Response{}, errors.New("the inner working"), 500, "log says why"},
		"headers of the connection": {handler.Response{StatusCode: 200, Body: []byte("all of it"),
			Header: http.Header{"content-length": {"1"}, "Connection": {"upgrade"}, "Transfer-Encoding": {"x"}}}, nil, 200, "all of it"},
	} {
		s := httptest.NewServer(routes(func(handler.Request) (handler.Response, error) { return c.answer, c.err }, nil))
		resp, err := http.Get(s.URL + "/x")
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		s.Close()
		if err != nil || resp.StatusCode != c.status || !strings.Contains(string(b), c.body) || strings.Contains(string(b), "inner working") {
			t.Errorf("%s: %d %q, %v; want %d with %q", what, resp.StatusCode, b, err, c.status, c.body)
		}
	}
}

// The function gets the path as it came, escaped, and what a caller says of it is lost.
func TestRequests(t *testing.T) {
	var got handler.Request
	s := httptest.NewServer(routes(func(r handler.Request) (handler.Response, error) { got = r; return handler.Response{}, nil }, nil))
	defer s.Close()
	req, err := http.NewRequest("PUT", s.URL+"/twins/a%2Fb//c?x=1&x=2", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Castor-Path", "/forged")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got.Header.Get("X-Castor-Path") != "/twins/a%2Fb//c" || got.Method != "PUT" || got.QueryString != "x=1&x=2" || string(got.Body) != "body" {
		t.Errorf("%+v", got)
	}
	if d, ok := got.Context().Deadline(); !ok || d.IsZero() {
		t.Error("a call has no end")
	}
}

// Large calls are refused while others fill the memory, and their room is given back.
func TestBodiesHaveRoomTogether(t *testing.T) {
	f := &server{handle: func(handler.Request) (handler.Response, error) { return handler.Response{}, nil }}
	call := func(body io.Reader) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		f.ServeHTTP(w, httptest.NewRequest("POST", "/", body))
		return w
	}
	f.held.Store(maxBodies - 100)
	if w := call(strings.NewReader(strings.Repeat("x", 101))); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("beyond the room: %d %v", w.Code, w.Header())
	}
	if w := call(strings.NewReader(strings.Repeat("x", 100))); w.Code != 200 {
		t.Errorf("what just fits: %d", w.Code)
	}
	if w := call(io.MultiReader(strings.NewReader("x"), cutOff{})); w.Code != 400 {
		t.Errorf("a body that ends early: %d", w.Code)
	}
	if n := f.held.Load(); n != maxBodies-100 {
		t.Errorf("%d bytes are not given back", n-(maxBodies-100))
	}
}

type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
