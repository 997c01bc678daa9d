package spool

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

func TestOldestAreDroppedOverTheBound(t *testing.T) {
	for _, dir := range []string{t.TempDir(), ""} {
		const bound = 8000
		s := open(t, dir, bound)
		r := s.Reader()
		r.Next(3, 1000) // a reader in front of what is dropped
		put(t, s, 0, 1000)
		st := s.Stats()
		if st.Bytes > bound || st.Pending+int(st.Dropped) != 1000 || st.Dropped == 0 {
			t.Errorf("in %q: %+v of 1000 messages", dir, st)
		}
		want(t, s, span(int(st.Dropped), st.Pending))
		if next := r.Next(1, 1000); len(next) != 1 || next[0].Order.Seq != st.Dropped+1 {
			t.Errorf("in %q: reader goes on with %v, want the oldest that is left", dir, next)
		}
		var used int64
		for _, f := range files(t, dir) {
			info, _ := os.Stat(f)
			used += info.Size()
		}
		if dir != "" && used != st.Bytes {
			t.Errorf("the files have %d bytes, %d are counted", used, st.Bytes)
		}
		if _, err := s.Ack(twin.Order{Epoch: 1, Seq: 1000}); err != nil || s.Stats().Pending != 0 {
			t.Errorf("in %q: after the last acknowledgement: %+v, %v", dir, s.Stats(), err)
		}
	}
}

// While the disk is full new messages are held in memory, are read like all others, and are written when there is room.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full")
	}
	for _, c := range []struct {
		name string
		open func(string) (*os.File, error)
	}{
		{"no file can be made", func(string) (*os.File, error) { return nil, fmt.Errorf("no space left on device") }},
		{"no byte can be written", func(string) (*os.File, error) { return os.OpenFile("/dev/full", os.O_RDWR, 0) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			usual := create
			t.Cleanup(func() { create = usual })
			dir := t.TempDir()
			s := open(t, dir, 4000)
			put(t, s, 0, 10)
			s.mu.Lock()
			s.last().size += 1000 // the segment counts as full: the next is begun
			s.mu.Unlock()
			create = c.open
			put(t, s, 10, 10)
			want(t, s, span(0, 20))
			if len(s.segs) != 1 {
				t.Errorf("%d segments after 10 attempts, want the one from before", len(s.segs))
			}
			if got := s.Stats().Memory; got != 10 {
				t.Errorf("%d held in memory, want 10", got)
			}
			if s.Ack(twin.Order{Epoch: 1, Seq: 12}); s.Stats().Pending != 8 {
				t.Errorf("after an acknowledgement: %+v", s.Stats())
			}
			create = usual
			put(t, s, 20, 1)
			want(t, s, span(12, 9))
			if st := s.Stats(); st.Memory != 0 {
				t.Errorf("with room again: %+v", st)
			}
			s.Close()
			want(t, open(t, dir, 4000), span(12, 9))
		})
	}
	t.Run("memory is bounded", func(t *testing.T) {
		usual := create
		t.Cleanup(func() { create = usual })
		create = func(string) (*os.File, error) { return nil, errors.New("no space left on device") }
		s := open(t, t.TempDir(), 0)
		const n = 30
		for i := range n {
			s.Append("telemetry", fmt.Appendf(nil, `{"n":%d,"x":%q}`, i, strings.Repeat("x", 100_000)))
		}
		st := s.Stats()
		if st.Memory >= 11 || st.Memory < 9 || st.Dropped != int64(n-st.Memory) {
			t.Errorf("after 3 MB: %+v", st)
		}
		want(t, s, span(n-st.Memory, st.Memory))
	})
}

func TestDirectoryRemovedWhileRunning(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := open(t, dir, 4000)
	put(t, s, 0, 5)
	os.RemoveAll(dir)
	put(t, s, 5, 5)
	want(t, s, span(0, 10)) // the file is open still
	put(t, s, 10, 50)       // into new segments
	if got := pending(s); got[len(got)-1] != 59 || len(files(t, dir)) == 0 {
		t.Errorf("pending are %v, segments %v", got, files(t, dir))
	}
}

// Messages are synced at once when there was quiet, together when they come fast, and all of them in the end.
func TestSync(t *testing.T) {
	usual := fsync
	t.Cleanup(func() { fsync = usual })
	var mu sync.Mutex
	var syncs int
	var synced int64
	fsync = func(f *os.File) error {
		mu.Lock()
		defer mu.Unlock()
		syncs++
		info, err := f.Stat()
		synced = info.Size()
		return errors.Join(err, usual(f))
	}
	state := func() (int, int64) {
		mu.Lock()
		defer mu.Unlock()
		return syncs, synced
	}
	s, err := Open(Options{Dir: t.TempDir(), SyncEvery: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put(t, s, 0, 1)
	if n, size := state(); n != 1 || size != s.Stats().Bytes {
		t.Errorf("after one message %d syncs of %d bytes", n, size)
	}
	begin := time.Now()
	put(t, s, 1, 500)
	for end := time.Now().Add(10 * time.Second); ; {
		if _, size := state(); size == s.Stats().Bytes {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the last messages were not synced within 10s")
		}
		<-time.After(time.Millisecond)
	}
	if n, _ := state(); n > 2+int(time.Since(begin)/(100*time.Millisecond)) {
		t.Errorf("%d syncs in %v", n, time.Since(begin))
	}
}

func TestClosed(t *testing.T) {
	s := open(t, t.TempDir(), 0)
	changed := s.Changed()
	s.Close()
	<-changed
	if _, err := s.Append("telemetry", []byte("{}")); !errors.Is(err, ErrClosed) {
		t.Errorf("Append returned %v", err)
	}
	if _, err := s.Ack(twin.Order{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Ack returned %v", err)
	}
}

// Whatever is appended, read, acknowledged and restarted, in whatever order, a plain list agrees.
func TestAgainstAModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	s := open(t, dir, 1<<20)
	reader := s.Reader()
	type entry struct {
		order twin.Order
		n     int
	}
	var model []entry // pending
	read := 0         // how many of model reader has returned
	next := 0
	for range 5000 {
		switch rnd.IntN(10) {
		case 0, 1, 2, 3:
			o, err := s.Append("telemetry", body(next))
			if err != nil {
				t.Fatal(err)
			}
			model = append(model, entry{o, next})
			next++
		case 4, 5, 6:
			recs := reader.Next(rnd.IntN(20), 10_000)
			for i, rec := range recs {
				if e := model[read+i]; rec.Order != e.order || string(rec.Body) != string(body(e.n)) {
					t.Fatalf("read %v %s, want %v %d", rec.Order, rec.Body, e.order, e.n)
				}
			}
			read += len(recs)
		case 7, 8:
			if len(model) > 0 {
				i := rnd.IntN(len(model))
				if n, err := s.Ack(model[i].order); n != i+1 || err != nil {
					t.Fatalf("Ack cleared %d (%v), want %d", n, err, i+1)
				}
				model, read = model[i+1:], max(0, read-i-1)
			}
		case 9:
			if rnd.IntN(10) == 0 {
				s.Close()
				s = open(t, dir, 1<<20)
				reader, read = s.Reader(), 0
			}
		}
		if got := s.Stats().Pending; got != len(model) {
			t.Fatalf("%d pending, want %d", got, len(model))
		}
	}
	if rest := pending(s); len(rest) != len(model) {
		t.Errorf("%d are left, want %d", len(rest), len(model))
	}
}

// FuzzSegment opens a directory whose segment is any bytes between two whole messages. Both are found unless the bytes
// hold messages themselves; nothing is returned that is not in the file; and a second start finds the same.
func FuzzSegment(f *testing.F) {
	first := frame{message, Record{twin.Order{Epoch: 1, Seq: 1}, "telemetry", body(1)}}.appendTo(nil)
	last := frame{message, Record{twin.Order{Epoch: 9, Seq: 9}, "telemetry", body(9)}}.appendTo(nil)
	f.Add([]byte{})
	f.Add(first[:20])
	f.Add(last[:len(last)-1])
	f.Add(append(frame{message, Record{twin.Order{Epoch: 2, Seq: 1}, "log/x", []byte("{}")}}.appendTo(nil), 0xFF, 'C', 'S', 1, 5, 0))
	f.Add(frame{mark, Record{Order: twin.Order{Epoch: 1, Seq: 1}}}.appendTo(nil))
	f.Add(frame{message, Record{twin.Order{Epoch: maxNumber, Seq: maxNumber}, "", nil}}.appendTo(nil))
	f.Add(bytes.Repeat([]byte{0}, 100))
	f.Fuzz(func(t *testing.T, middle []byte) {
		dir := t.TempDir()
		file := slices.Concat(first, middle, last)
		os.WriteFile(filepath.Join(dir, "0000000000000001"+suffix), file, 0o600)
		read := func() (out []Record) {
			s, err := Open(Options{Dir: dir, SyncEvery: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for r := s.Reader(); ; {
				recs := r.Next(100, 1<<20)
				if len(recs) == 0 {
					break
				}
				out = append(out, recs...)
			}
			if st := s.Stats(); st.Pending != len(out) {
				t.Errorf("%d counted, %d read", st.Pending, len(out))
			}
			return out
		}
		recs := read()
		if again := read(); len(again) != len(recs) {
			t.Errorf("%d messages at first, %d at the second start", len(recs), len(again))
		}
		var before twin.Order
		for _, rec := range recs {
			if !rec.Order.After(before) {
				t.Errorf("%v comes after %v", rec.Order, before)
			}
			before = rec.Order
			if !bytes.Contains(file, rec.Body) {
				t.Errorf("%v was never written", rec)
			}
		}
		if !bytes.Contains(middle, magic) && !bytes.HasSuffix(middle, magic[:1]) {
			if len(recs) != 2 || recs[0].Order.Seq != 1 || recs[1].Order.Seq != 9 {
				t.Errorf("found %v, want the first and the last", recs)
			}
		}
	})
}
