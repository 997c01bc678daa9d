package shelf_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/shelf"
)

// A codec does nothing, and is told from others by its address.
type codec struct {
	driver.Driver
	driver.Codec
}

type source struct {
	code    []byte
	fetched []string
	fails   error
	wait    chan struct{}
}

func (s *source) shelf() *shelf.Shelf[*codec] {
	return shelf.New(func(_ context.Context, digest string) ([]byte, error) {
		s.fetched = append(s.fetched, digest)
		if s.wait != nil {
			<-s.wait
		}
		return s.code, nil
	}, func(_ context.Context, d *driver.Driver) (*codec, error) { return &codec{Driver: *d}, s.fails })
}

func TestADriverIsMadeOnce(t *testing.T) {
	src := &source{code: []byte("code")}
	s, js := src.shelf(), driver.Driver{Name: "a", Version: "1.0.0", Kind: driver.JavaScript, Limit: 5}
	get := func(d driver.Driver, digest string) *codec {
		t.Helper()
		c, err := s.Get(t.Context(), d, digest)
		if err != nil || string(c.Code) != "code" || c.Kind != d.Kind || c.Limit != d.Limit {
			t.Fatalf("%+v, %v", c, err)
		}
		return c
	}
	a := get(js, "1")
	renamed, wasm, slow, ported := js, js, js, js
	renamed.Name, wasm.Kind, slow.Limit, ported.Port = "b", driver.WASM, 6, 10
	if get(js, "1") != a || get(renamed, "1") != a {
		t.Error("the same code was opened twice")
	}
	if get(wasm, "1") == a || get(slow, "1") == a || get(ported, "1") == a || get(js, "2") == a {
		t.Error("another kind, limit, port or code is not the same driver")
	}
	if want := []string{"1", "1", "1", "1", "2"}; !slices.Equal(src.fetched, want) {
		t.Errorf("fetched %v, want %v", src.fetched, want)
	}
}

func TestWhatFailsIsTriedAgain(t *testing.T) {
	src := &source{fails: errors.New("no driver")}
	s := src.shelf()
	if c, err := s.Get(t.Context(), driver.Driver{}, "1"); !errors.Is(err, src.fails) || c != nil {
		t.Errorf("%v, %v", c, err)
	}
	src.fails = nil
	if c, err := s.Get(t.Context(), driver.Driver{}, "1"); err != nil || c == nil {
		t.Errorf("%v, %v", c, err)
	}
}

func TestWhoAskAtOnceHaveItFetchedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{wait: make(chan struct{})}
		s := src.shelf()
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if _, err := s.Get(t.Context(), driver.Driver{}, "1"); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(src.wait)
		all.Wait()
		if len(src.fetched) != 1 {
			t.Errorf("fetched %d times", len(src.fetched))
		}
	})
}

// Who asked first goes, and at once; who came after has the driver all the same.
func TestWhoLeavesDoesNotTakeItAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := make(chan struct{})
		s := shelf.New(func(ctx context.Context, _ string) ([]byte, error) {
			<-wait
			return []byte("code"), ctx.Err()
		}, func(ctx context.Context, d *driver.Driver) (*codec, error) { return &codec{Driver: *d}, ctx.Err() })
		first, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := s.Get(first, driver.Driver{}, "1"); !errors.Is(err, context.Canceled) {
				t.Errorf("who leaves gets %v", err)
			}
		})
		synctest.Wait()
		all.Go(func() {
			if c, err := s.Get(t.Context(), driver.Driver{}, "1"); err != nil || string(c.Code) != "code" {
				t.Errorf("who stays gets %v, %v", c, err)
			}
		})
		synctest.Wait()
		leave()
		synctest.Wait()
		close(wait)
		all.Wait()
	})
}

// What never comes is given up.
func TestWhatDoesNotComeIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shelf.New(func(ctx context.Context, _ string) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, func(context.Context, *driver.Driver) (*codec, error) { return nil, nil })
		if _, err := s.Get(t.Context(), driver.Driver{}, "1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestTheOneThatNobodyAskedForMakesRoom(t *testing.T) {
	src := &source{code: make([]byte, 16<<20)} // three of them have room in 64 MiB, with what each costs beside
	s := src.shelf()
	for _, digest := range []string{"1", "2", "3", "1", "4", "1", "3", "2"} {
		if _, err := s.Get(t.Context(), driver.Driver{}, digest); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"1", "2", "3", "4", "2"}; !slices.Equal(src.fetched, want) {
		t.Errorf("fetched %v, want %v", src.fetched, want)
	}
}
