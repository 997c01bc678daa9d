package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/castor-iot/castor/shared/api"
)

func TestCallsThatMayHaveAnotherEnd(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		retry  bool
		calls  int32
		fails  bool
	}{
		"a part calls again when a replica has gone":      {http.StatusBadGateway, true, 3, false},
		"a part calls again when a store is away":         {http.StatusServiceUnavailable, true, 3, false},
		"a part does not repeat what was refused":         {http.StatusConflict, true, 1, true},
		"a person is told that it is not known what came": {http.StatusBadGateway, false, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) < 3 {
					w.WriteHeader(c.status)
				}
			}))
			defer s.Close()
			err := (&api.Client{URL: s.URL, Retries: c.retry}).Call(context.Background(), "POST", "twins", "/", map[string]string{"a": "b"}, nil)
			if calls.Load() != c.calls || (err != nil) != c.fails {
				t.Errorf("%d calls, %v; want %d", calls.Load(), err, c.calls)
			}
			if c.status == http.StatusBadGateway && err != nil && !errors.Is(err, api.ErrUnavailable) {
				t.Errorf("%v is not ErrUnavailable", err)
			}
		})
	}
}
