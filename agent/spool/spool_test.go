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

// open opens a spool whose clock stands, so that epochs count 1, 2, 3.
func open(t testing.TB, dir string, maxBytes int64) *Spool {
	t.Helper()
	s, err := Open(Options{Dir: dir, MaxBytes: maxBytes, Now: func() time.Time { return time.Time{} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// put appends messages whose bodies are numbers from first.
func put(t testing.TB, s *Spool, first, n int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		if _, err := s.Append("telemetry", body(i)); err != nil {
			t.Fatal(err)
		}
	}
}

func body(i int) []byte { return fmt.Appendf(nil, `{"n":%d}`, i) }

// pending are the numbers that a new reader finds.
func pending(s *Spool) (out []int) {
	for r := s.Reader(); ; {
		recs := r.Next(7, 1000)
		if len(recs) == 0 {
			return out
		}
		for _, rec := range recs {
			var n int
			fmt.Sscanf(string(rec.Body), `{"n":%d}`, &n)
			out = append(out, n)
		}
	}
}

func span(first, n int) (out []int) {
	for i := range n {
		out = append(out, first+i)
	}
	return out
}

func files(t testing.TB, dir string) (out []string) {
	t.Helper()
	out, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func want(t *testing.T, s *Spool, numbers []int) {
	t.Helper()
	if got := pending(s); !slices.Equal(got, numbers) {
		t.Errorf("pending are %v, want %v", got, numbers)
	}
	if got := s.Stats().Pending; got != len(numbers) {
		t.Errorf("%d counted as pending, want %d", got, len(numbers))
	}
}

func TestMessagesStayUntilAcknowledged(t *testing.T) {
	for _, name := range []string{"on disk", "in memory"} {
		t.Run(name, func(t *testing.T) {
			dir := ""
			if name == "on disk" {
				dir = t.TempDir()
			}
			s := open(t, dir, 4000) // segments of 500 bytes
			put(t, s, 0, 50)
			want(t, s, span(0, 50))
			if n, err := s.Ack(twin.Order{Epoch: 1, Seq: 20}); n != 20 || err != nil {
				t.Errorf("Ack cleared %d (%v), want 20", n, err)
			}
			want(t, s, span(20, 30))
			if n, err := s.Ack(twin.Order{Epoch: 1, Seq: 10}); n != 0 || err != nil {
				t.Errorf("an older acknowledgement cleared %d (%v)", n, err)
			}
			for _, never := range []twin.Order{{Epoch: 1, Seq: 51}, {Epoch: 2, Seq: 1}} {
				if _, err := s.Ack(never); !errors.Is(err, ErrUnknown) {
					t.Errorf("Ack(%v) returned %v", never, err)
				}
			}
			want(t, s, span(20, 30))
			s.Ack(twin.Order{Epoch: 1, Seq: 50})
			want(t, s, nil)
			if dir != "" && len(files(t, dir)) > 1 {
				t.Errorf("nothing is pending and %d segments are there", len(files(t, dir)))
			}
		})
	}
}

func TestRestartKeepsWhatIsPendingAndGrowsTheEpoch(t *testing.T) {
	dir := t.TempDir()
	for boot := range 4 {
		s := open(t, dir, 4000)
		if got := s.Epoch(); got != int64(boot+1) {
			t.Errorf("epoch of start %d is %d", boot+1, got)
		}
		put(t, s, boot*20, 20)
		want(t, s, span(boot*15, 20+boot*5))
		// Of each start's messages 15 are acknowledged, over the borders of epochs.
		recs := s.Reader().Next(15, 1<<20)
		s.Ack(recs[14].Order)
		want(t, s, span((boot+1)*15, 5+boot*5))
		if boot%2 == 0 { // the others crash
			s.Close()
		}
	}
	st, err := Peek(dir)
	if err != nil || st.Pending != 20 {
		t.Errorf("Peek finds %d pending (%v), want 20", st.Pending, err)
	}
}

func TestEpochGrowsWhateverHappens(t *testing.T) {
	dir := t.TempDir()
	clock := time.UnixMilli(1_000_000)
	var last int64
	for _, c := range []struct {
		name   string
		before func()
	}{
		{"first start", func() {}},
		{"nothing pending and no clock", func() { clock = time.Time{} }},
		{"no file at all", func() {
			for _, f := range files(t, dir) {
				os.Remove(f)
			}
		}},
		{"clock set back", func() { clock = time.UnixMilli(5) }},
		{"note lost", func() { os.Remove(filepath.Join(dir, epochFile)) }},
		{"note damaged", func() { os.WriteFile(filepath.Join(dir, epochFile), []byte("\x00\x00"), 0o600) }},
		{"everything lost", func() { os.RemoveAll(dir); clock = time.UnixMilli(2_000_000) }},
	} {
		c.before()
		s, err := Open(Options{Dir: dir, Now: func() time.Time { return clock }})
		if err != nil {
			t.Fatal(c.name, err)
		}
		if s.Epoch() <= last {
			t.Errorf("%s: epoch %d does not come after %d", c.name, s.Epoch(), last)
		}
		last = s.Epoch()
		put(t, s, 0, 1)
		if c.name == "first start" {
			s.Ack(twin.Order{Epoch: last, Seq: 1})
		}
		s.Close()
	}
}

func TestTopicsAreReadApart(t *testing.T) {
	s := open(t, t.TempDir(), 0)
	for _, topic := range []string{"telemetry", "telemetry", "event", "telemetry"} {
		s.Append(topic, []byte("{}"))
	}
	var got []int
	for r := s.Reader(); ; {
		recs := r.Next(10, 100)
		if len(recs) == 0 {
			break
		}
		got = append(got, len(recs))
	}
	if !slices.Equal(got, []int{2, 1, 1}) {
		t.Errorf("read in groups of %v, want 2, 1, 1", got)
	}
	if recs := s.Reader().Next(10, 1); len(recs) != 1 {
		t.Errorf("%d messages for one byte, want one", len(recs))
	}
}

func TestTooLargeIsRefused(t *testing.T) {
	s := open(t, t.TempDir(), 0)
	if _, err := s.Append("telemetry", make([]byte, MaxBody+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Append returned %v", err)
	}
	if o, err := s.Append("telemetry", bytes.Repeat([]byte("x"), MaxBody)); err != nil || o.Seq != 1 {
		t.Errorf("Append of the largest message returned %v, %v", o, err)
	}
	if got := s.Reader().Next(1, 1); len(got) != 1 || len(got[0].Body) != MaxBody {
		t.Error("the largest message is not read")
	}
}

// The machine dies at any point of writing a message: those before are there, and the next start appends behind them.
func TestCrashAtEveryByteOfTheLastMessage(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 0)
	put(t, s, 0, 3)
	before := s.Stats().Bytes
	put(t, s, 3, 1)
	s.Close()
	whole, err := os.ReadFile(files(t, dir)[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, tail := range []struct {
		name string
		fill func(lost int) []byte
	}{
		{"file is short", func(int) []byte { return nil }},
		{"rest is zero", func(lost int) []byte { return make([]byte, lost) }}, // as file systems leave it
		{"rest is noise", func(lost int) []byte { return bytes.Repeat([]byte{0xFF}, lost) }},
	} {
		for cut := int(before); cut <= len(whole); cut++ {
			torn := t.TempDir()
			file := append(bytes.Clone(whole[:cut]), tail.fill(len(whole)-cut)...)
			if err := os.WriteFile(filepath.Join(torn, filepath.Base(files(t, dir)[0])), file, 0o600); err != nil {
				t.Fatal(err)
			}
			n := 3
			if cut == len(whole) {
				n = 4
			}
			s := open(t, torn, 0)
			if got := pending(s); !slices.Equal(got, span(0, n)) {
				t.Fatalf("%s at byte %d: pending are %v", tail.name, cut, got)
			}
			if info, err := os.Stat(files(t, torn)[0]); err != nil || info.Size() != s.Stats().Bytes {
				t.Fatalf("%s at byte %d: the file was not repaired: %v", tail.name, cut, err)
			}
			put(t, s, n, 2)
			s.Close()
			s = open(t, torn, 0)
			if got := pending(s); !slices.Equal(got, span(0, n+2)) || s.Stats().Damaged != 0 {
				t.Fatalf("%s at byte %d: after going on, pending are %v (%+v)", tail.name, cut, got, s.Stats())
			}
			s.Close()
		}
	}
}

// A byte goes bad somewhere in the middle: at most the message that it belongs to is lost.
func TestEveryByteMayBeDamaged(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 0)
	put(t, s, 0, 2)
	from := s.Stats().Bytes
	put(t, s, 2, 1)
	to := s.Stats().Bytes
	put(t, s, 3, 2)
	s.Close()
	path := files(t, dir)[0]
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := from; at < to; at++ {
		bad := bytes.Clone(whole)
		bad[at] ^= 0x5A
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir, 0)
		if got := pending(s); !slices.Equal(got, []int{0, 1, 3, 4}) || s.Stats().Pending != 4 || s.Stats().Damaged != 1 {
			t.Fatalf("byte %d damaged: pending are %v (%+v)", at, got, s.Stats())
		}
		s.Close()
	}
}

func TestDamagedAndForeignFilesDoNotStopIt(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 4000)
	put(t, s, 0, 60)
	s.Close()
	all := files(t, dir)
	if len(all) < 4 {
		t.Fatalf("only %d segments", len(all))
	}
	os.WriteFile(all[1], []byte("this was never a segment"), 0o600)
	os.Remove(all[2])
	os.Mkdir(all[2], 0o700)
	os.WriteFile(filepath.Join(dir, "readme.spool"), []byte("?"), 0o600)
	s = open(t, dir, 4000)
	got := pending(s)
	if !slices.IsSorted(got) || got[0] != 0 || got[len(got)-1] != 59 || len(got) != s.Stats().Pending || s.Stats().Damaged == 0 {
		t.Errorf("pending are %v (%+v)", got, s.Stats())
	}
	put(t, s, 60, 1)
	if got = pending(s); got[len(got)-1] != 60 {
		t.Errorf("a message after damage is not there: %v", got)
	}
}

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
