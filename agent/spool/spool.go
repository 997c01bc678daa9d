// Package spool keeps a device's messages on disk from the moment they are measured until the platform says that they
// are stored, and gives each its order: an epoch that grows at every start and a number within it. It does not know what
// the messages mean and sends nothing.
//
// What it promises:
//
//   - A message is in the operating system's hands when Append returns: a killed process loses none. Files are synced at
//     most every SyncEvery, so that a power failure costs at most the messages of that time.
//   - The files are bounded by MaxBytes. Over it the oldest messages go, by segments, and are counted as dropped.
//   - A message that was half written when the machine died is cut off. Damage elsewhere costs the damaged messages only;
//     what is behind them is found again. Every message has a checksum: none is ever made up.
//   - When the disk cannot be written (it is full, say) nothing on it is given up; new messages are held in memory, at
//     most MemoryBytes, and written as soon as that works again. A device with a full disk is not mute.
package spool

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// Bounds of one message.
const (
	MaxBody  = 262_144 // bytes; what the platform takes in one payload
	MaxTopic = 128     // bytes
)

// MemoryBytes bounds the messages that are held in memory while the disk cannot be written.
const MemoryBytes = 1 << 20

// Errors of a spool.
var (
	ErrTooLarge = errors.New("message too large")
	ErrClosed   = errors.New("spool is closed")
	ErrUnknown  = errors.New("acknowledgement of a message that was never measured")
)

// A Record is one message that waits to be stored by the platform.
type Record struct {
	Order twin.Order
	Topic string // below castor/{device}/: "telemetry", "event", "log/backup"
	Body  []byte // a JSON object without the order
}

func (r *Record) size() int64 { return int64(headerSize + 24 + len(r.Topic) + len(r.Body)) }

// Options say where a spool is and how much it holds.
type Options struct {
	// Dir holds the segment files and the epoch; it is made if missing. "" keeps everything in memory. Only one process
	// may use a directory; the caller sees to that.
	Dir string

	MaxBytes  int64            // 0 = 64 MiB
	SyncEvery time.Duration    // 0 = 1s
	Now       func() time.Time // nil = time.Now
	Log       *slog.Logger     // nil = none
}

// Stats is what a spool holds and what it had to give up since it was opened.
type Stats struct {
	Pending int   `json:"pending"` // messages not acknowledged
	Bytes   int64 `json:"bytes"`   // on disk
	Memory  int   `json:"memory"`  // pending messages that could not be written to disk
	Dropped int64 `json:"dropped"` // messages given up because the spool was full
	Damaged int64 `json:"damaged"` // places where files were damaged
}

// A Spool may be used by several goroutines at once.
type Spool struct {
	opt Options

	mu      sync.Mutex
	newest  twin.Order // of the last message appended
	floor   twin.Order // everything up to it is acknowledged or dropped
	segs    []*segment // oldest first; file, if open, is the last one's
	file    *os.File
	live    runs     // the messages in segs that come after floor
	tail    []Record // messages that are not on disk, after all of live
	held    int64    // the tail's size in bytes
	stats   Stats    // Dropped and Damaged
	failing bool     // the last write did not succeed
	changed chan struct{}
	syncing *time.Timer // runs until the next sync is allowed
	dirty   bool        // something was written since the last sync
	closed  bool
}

// Open opens the spool and begins a new epoch.
func Open(opt Options) (*Spool, error) {
	opt.MaxBytes = cmp.Or(opt.MaxBytes, 64<<20)
	opt.SyncEvery = cmp.Or(opt.SyncEvery, time.Second)
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	s := &Spool{opt: opt, changed: make(chan struct{})}
	if opt.Dir != "" {
		if err := os.MkdirAll(opt.Dir, 0o700); err != nil {
			return nil, err
		}
		if err := s.load(true); err != nil {
			return nil, fmt.Errorf("spool in %s: %w", opt.Dir, err)
		}
	}
	s.newest = twin.Order{Epoch: s.nextEpoch()}
	return s, nil
}

// Peek tells what the spool in dir holds, without changing it; another process may be using it.
func Peek(dir string) (Stats, error) {
	s := &Spool{opt: Options{Dir: dir, Log: slog.New(slog.DiscardHandler)}}
	if err := s.load(false); err != nil && !errors.Is(err, os.ErrNotExist) {
		return Stats{}, err
	}
	return s.Stats(), nil
}

// Epoch is this start's.
func (s *Spool) Epoch() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest.Epoch
}

// Append gives a message its order and keeps it. The error is ErrTooLarge or ErrClosed: a disk that cannot be written is
// no error (see the package's promises), and is logged.
func (s *Spool) Append(topic string, body []byte) (twin.Order, error) {
	if len(topic) > MaxTopic || len(body) > MaxBody {
		return twin.Order{}, fmt.Errorf("%w: %d bytes, at most %d are taken", ErrTooLarge, len(body), MaxBody)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return twin.Order{}, ErrClosed
	}
	s.newest.Seq++
	s.hold(Record{s.newest, topic, body})
	s.flush()
	s.bound()
	s.signal()
	return s.newest, nil
}

// Ack tells that everything up to o is stored by the platform: it is deleted. Telling it again changes nothing; an order
// that was never given is ErrUnknown and changes nothing either. It returns how many messages that were.
func (s *Spool) Ack(o twin.Order) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, ErrClosed
	}
	if o.After(s.newest) {
		return 0, fmt.Errorf("%w: epoch %d, seq %d", ErrUnknown, o.Epoch, o.Seq)
	}
	if !o.After(s.floor) {
		return 0, nil
	}
	s.floor = o
	n = s.live.trim(o)
	for len(s.tail) > 0 && !s.tail[0].Order.After(o) {
		s.letGo()
		n++
	}
	s.release()
	s.mark()
	s.signal()
	return n, nil
}

// bound gives up the oldest messages while the spool is over its bounds.
func (s *Spool) bound() {
	before := s.stats.Dropped
	for len(s.segs) > 1 && s.bytes() > s.opt.MaxBytes {
		s.stats.Dropped += int64(s.live.trim(s.segs[0].last))
		if s.segs[0].last.After(s.floor) {
			s.floor = s.segs[0].last
		}
		s.remove()
	}
	memory := s.opt.MaxBytes
	if s.opt.Dir != "" {
		memory = min(memory, MemoryBytes)
	}
	for len(s.tail) > 1 && s.held > memory {
		s.stats.Dropped++
		s.letGo()
	}
	if before == 0 && s.stats.Dropped > 0 {
		s.opt.Log.Warn("spool is full: the oldest messages are dropped", "bytes", s.bytes(), "max", s.opt.MaxBytes)
	}
}

func (s *Spool) hold(r Record) {
	s.tail = append(s.tail, r)
	s.held += r.size()
}

func (s *Spool) letGo() {
	s.held -= s.tail[0].size()
	s.tail[0] = Record{} // for the garbage collector
	s.tail = s.tail[1:]
}

// Changed returns a channel that is closed at the next Append, Ack or Close.
func (s *Spool) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *Spool) signal() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Done tells whether everything up to o is acknowledged or dropped.
func (s *Spool) Done(o twin.Order) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !o.After(s.floor)
}

// Stats tells what the spool holds.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Pending, st.Bytes, st.Memory = s.live.len()+len(s.tail), s.bytes(), len(s.tail)
	return st
}

// Close syncs and closes the files; what is pending is there when the spool is opened again.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.flush()
	if n := len(s.tail); n > 0 && s.opt.Dir != "" {
		s.opt.Log.Error("messages are lost: the disk could not be written", "messages", n)
	}
	s.closed = true
	s.signal()
	return s.finish()
}
