package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
)

func TestRefusedAuthorizations(t *testing.T) {
	for name, c := range map[string]struct {
		status  int // of calls with the first header
		offers  bool
		another bool // after Renew there is another header
		calls   int
		renewed int
		fails   bool
	}{
		"a header that is refused is renewed, and the call made again":  {http.StatusUnauthorized, true, true, 2, 1, false},
		"a header that stays the same is not sent again":                {http.StatusUnauthorized, true, false, 1, 1, true},
		"a client that offers no renewal passes on the refusal":         {http.StatusUnauthorized, false, true, 1, 0, true},
		"a call that is not allowed is not made again with more rights": {http.StatusForbidden, true, true, 1, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			calls, renewed, header := 0, 0, "Bearer old"
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls++
				if body, _ := io.ReadAll(r.Body); string(body) != `{"a":"b"}` {
					t.Errorf("call %d has the body %q", calls, body)
				}
				if r.Header.Get("Authorization") == "Bearer old" {
					w.WriteHeader(c.status)
				}
			}))
			defer s.Close()
			client := &api.Client{URL: s.URL, Route: func(string) string { return "elsewhere" },
				Authorize: func(context.Context, string) (string, error) { return header, nil }}
			if c.offers {
				client.Renew = func(function, was string) {
					if renewed++; function != "twins" || was != "Bearer old" {
						t.Errorf("%s refused %q", function, was)
					}
					if c.another {
						header = "Bearer new"
					}
				}
			}
			err := client.Call(context.Background(), "POST", "twins", "/", map[string]string{"a": "b"}, nil)
			if calls != c.calls || renewed != c.renewed || (err != nil) != c.fails {
				t.Errorf("%d calls, %d renewals, %v", calls, renewed, err)
			}
			if c.fails && c.status == http.StatusUnauthorized && !errors.Is(err, access.ErrUnauthenticated) {
				t.Errorf("%v is not the refusal", err)
			}
		})
	}
}

// A header that is refused after it was renewed is not renewed again by the same call.
func TestARefusedCallIsMadeTwiceAtMost(t *testing.T) {
	calls := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer s.Close()
	header := "Bearer "
	client := &api.Client{URL: s.URL, Retries: true, Authorize: func(context.Context, string) (string, error) { return header, nil },
		Renew: func(string, string) { header += "x" }}
	if err := client.Call(context.Background(), "GET", "twins", "/", nil, nil); !errors.Is(err, access.ErrUnauthenticated) || calls != 2 {
		t.Errorf("%d calls, %v", calls, err)
	}
}
