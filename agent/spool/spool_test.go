package spool

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
