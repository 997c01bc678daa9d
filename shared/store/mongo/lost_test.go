package mongo_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/store/mongo"
	mongotest "github.com/castor-iot/castor/tests/mongo"
)

// A relay stands between driver and server. When it is told to, it loses what belongs to the next write command.
type relay struct {
	server string
	mu     sync.Mutex
	lose   string // "reply" or "request"; "" loses nothing
	left   int    // how many more
}

var writeCommands = [][]byte{[]byte("\x02insert\x00"), []byte("\x02update\x00"), []byte("\x02delete\x00"), []byte("\x02findAndModify\x00")}

// start returns the URL of a database through the relay.
func (r *relay) start(t *testing.T, at string) string {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil || strings.Contains(u.Host, ",") || u.Scheme != "mongodb" {
		t.Skipf("SKIPPED: a relay needs a URL with one host, not %q", u.Host)
	}
	r.server = u.Host
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.serve(c)
		}
	}()
	u.Host = l.Addr().String()
	q := u.Query()
	q.Set("directConnection", "true")
	q.Set("retryWrites", "false") // so that it is the store that has to find out
	u.RawQuery = q.Encode()
	return u.String()
}

// set tells to lose what comes next.
func (r *relay) set(what string, times int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lose, r.left = what, times
}

func (r *relay) losing(request []byte) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range writeCommands {
		if r.left > 0 && bytes.Contains(request, name) {
			r.left--
			return r.lose
		}
	}
	return ""
}

// serve passes on request and reply in turn.
func (r *relay) serve(driver net.Conn) {
	defer driver.Close()
	server, err := net.Dial("tcp", r.server)
	if err != nil {
		return
	}
	defer server.Close()
	for {
		request, err := message(driver)
		if err != nil {
			return
		}
		lose := r.losing(request)
		if lose == "request" {
			return
		}
		if _, err := server.Write(request); err != nil {
			return
		}
		reply, err := message(server)
		if err != nil || lose == "reply" {
			return
		}
		if _, err := driver.Write(reply); err != nil {
			return
		}
	}
}

func message(c net.Conn) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, err
	}
	body := make([]byte, binary.LittleEndian.Uint32(head))
	copy(body, head)
	_, err := io.ReadFull(c, body[4:])
	return body, err
}

type counter struct {
	ID     string `bson:"_id"`
	N      int64  `bson:"n"`
	Serial string `bson:"serial,omitempty"`
}

// A write whose request or reply was lost is done once, and its result is the same as if nothing had been lost.
func TestLostWrites(t *testing.T) {
	t.Parallel()
	at := mongotest.Start(t)
	for _, lose := range []string{"reply", "request"} {
		r := &relay{}
		db, err := mongo.Open(t.Context(), r.start(t, at))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		c, err := store.Open[counter](t.Context(), db, store.Spec{Name: "counters-" + lose, Indexes: []store.Index{{Name: "by-serial", Fields: []string{"serial"}, Unique: true}}})
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		n := func(id string) int64 {
			v, err := c.Get(ctx, id)
			if err != nil {
				return -1
			}
			return v.N
		}
		for _, step := range []struct {
			name string
			do   func() error
			want error
			id   string
			n    int64
		}{
			{"insert", func() error { return c.Insert(ctx, counter{ID: "a", Serial: "1"}) }, nil, "a", 0},
			{"insert of what is there", func() error { return c.Insert(ctx, counter{ID: "a", N: 9}) }, store.ErrExists, "a", 0},
			{"insert of a serial that is taken", func() error { return c.Insert(ctx, counter{ID: "x", Serial: "1"}) }, store.ErrExists, "x", -1},
			{"update", func() error {
				_, err := c.Update(ctx, "a", func(v *counter) error { v.N++; return nil })
				return err
			}, nil, "a", 1},
			{"apply", func() error {
				_, err := c.Apply(ctx, "a", store.Lt("n", 2), map[string]int64{"n": 1})
				return err
			}, nil, "a", 2},
			{"apply beyond its guard", func() error {
				_, err := c.Apply(ctx, "a", store.Lt("n", 2), map[string]int64{"n": 1})
				return err
			}, store.ErrConflict, "a", 2},
			{"apply to what is not there", func() error {
				_, err := c.Apply(ctx, "nobody", store.Filter{}, map[string]int64{"n": 1})
				return err
			}, store.ErrNotFound, "a", 2},
			{"put", func() error { return c.PutMany(ctx, []counter{{ID: "a", N: 5}, {ID: "b", N: 6}}) }, nil, "b", 6},
			{"insert of many", func() error {
				errs, err := c.InsertMany(ctx, []counter{{ID: "b", N: 7}, {ID: "c", N: 7}, {ID: "d", N: 7}})
				if err == nil && !errors.Is(errs[0], store.ErrExists) {
					return fmt.Errorf("the insert of b: %w", errs[0])
				}
				return errors.Join(err, errs[1], errs[2])
			}, nil, "d", 7},
			{"replacement of many", func() error {
				docs, err := c.Load(ctx, []string{"b", "c"})
				if err != nil {
					return err
				}
				docs[0].Value.N, docs[1].Value.N = 8, 8
				docs[1].Revision--
				errs, err := c.ReplaceMany(ctx, docs)
				if err == nil && !errors.Is(errs[1], store.ErrConflict) {
					return fmt.Errorf("the replacement of c: %w", errs[1])
				}
				return errors.Join(err, errs[0])
			}, nil, "b", 8},
			{"delete under a guard that does not match", func() error { return c.DeleteIf(ctx, "b", store.Eq("n", 1)) }, store.ErrConflict, "b", 8},
			{"delete", func() error { return c.Delete(ctx, "b") }, nil, "b", -1},
		} {
			if lose == "request" && step.want != nil { // which only the reply tells
				continue
			}
			r.set(lose, 1)
			if err := step.do(); !errors.Is(err, step.want) || step.want == nil && err != nil {
				t.Errorf("%s lost, %s: error %v, want %v", lose, step.name, err, step.want)
			}
			if got := n(step.id); got != step.n {
				t.Errorf("%s lost, %s: %s is at %d, want %d", lose, step.name, step.id, got, step.n)
			}
			r.set("", 0)
		}

		// Where the server stays silent, the store says that it does not know.
		r.set("request", 1000)
		if err := c.Insert(ctx, counter{ID: "z"}); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("no answer at all: %v, want ErrUnavailable", err)
		}
		r.set("", 0)
	}
}

// Many writers meet lost replies all the time and still lose no count.
func TestLostRepliesAmongWriters(t *testing.T) {
	t.Parallel()
	r := &relay{}
	db, err := mongo.Open(t.Context(), r.start(t, mongotest.Start(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := store.Open[counter](t.Context(), db, store.Spec{Name: "counters"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Insert(t.Context(), counter{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	const writers, each = 4, 6
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if i%3 == 0 {
					r.set("reply", 1)
				}
				var err error
				if w%2 == 0 {
					_, err = c.Update(t.Context(), "a", func(v *counter) error { v.N++; return nil })
				} else {
					_, err = c.Apply(t.Context(), "a", store.Filter{}, map[string]int64{"n": 1})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if v, err := c.Get(t.Context(), "a"); err != nil || v.N != writers*each {
		t.Errorf("count is %d (%v), want %d", v.N, err, writers*each)
	}
}

func TestURL(t *testing.T) {
	for at, want := range map[string]error{
		"http://localhost":                     store.ErrInvalid,
		"localhost":                            store.ErrInvalid,
		"mongodb://127.0.0.1:1/a.b":            store.ErrInvalid,
		"mongodb://127.0.0.1:1/x?nonsense=1&w": store.ErrInvalid,
		"mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=200": store.ErrUnavailable,
	} {
		if _, err := mongo.Open(t.Context(), at); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", at, err, want)
		}
	}
}

// Who starts the platform reads one line: where nobody answers, without what the driver knows and without the password.
func TestNoServer(t *testing.T) {
	_, err := mongo.Open(t.Context(), "mongodb://ada:hush@127.0.0.1:1,127.0.0.1:2/x?serverSelectionTimeoutMS=200")
	if want := "store is unavailable: no MongoDB answers at 127.0.0.1:1, 127.0.0.1:2"; !errors.Is(err, store.ErrUnavailable) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
