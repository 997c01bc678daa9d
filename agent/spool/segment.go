package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/castor-iot/castor/agent/internal/disk"
	"github.com/castor-iot/castor/shared/twin"
)

// A segment is one file of frames. Messages are deleted by deleting the segments that hold only messages done with.
type segment struct {
	id   int64
	size int64      // bytes of whole frames
	last twin.Order // of its newest message; the zero value if it has none
}

const (
	suffix    = ".spool"
	epochFile = "epoch"
)

func (s *Spool) path(id int64) string {
	return filepath.Join(s.opt.Dir, fmt.Sprintf("%016d%s", id, suffix))
}

// segmentBytes is the size at which a new segment is begun: small enough that dropping one is little of the whole.
func (s *Spool) segmentBytes() int64 { return min(1<<20, s.opt.MaxBytes/8) }

func (s *Spool) bytes() (n int64) {
	for _, seg := range s.segs {
		n += seg.size
	}
	return n
}

// flush writes the tail to disk, as much of it as can be.
func (s *Spool) flush() {
	if s.opt.Dir == "" {
		return
	}
	for len(s.tail) > 0 {
		r := s.tail[0]
		if err := s.write(frame{message, r}); err != nil {
			if !s.failing {
				s.opt.Log.Error("spool cannot be written: messages are held in memory", "error", err)
			}
			s.failing = true
			return
		}
		if s.failing {
			s.opt.Log.Info("spool can be written again", "messages", len(s.tail))
		}
		s.failing = false
		s.live.add(r.Order)
		s.letGo()
	}
}

// write appends f to the last segment, or to a new one.
func (s *Spool) write(f frame) error {
	if s.file == nil || s.last().size >= s.segmentBytes() {
		if err := s.rotate(); err != nil {
			return err
		}
	}
	seg := s.last()
	b := f.appendTo(nil)
	if _, err := s.file.WriteAt(b, seg.size); err != nil {
		s.abandon()
		return err
	}
	seg.size += int64(len(b))
	if f.kind == message {
		seg.last = f.Order
	}
	s.syncSoon()
	return nil
}

// abandon writes no more to the last segment, because that did not work. What was written in part is cut off; if that does
// not work either, readers step over it.
func (s *Spool) abandon() {
	seg := s.last()
	s.file.Truncate(seg.size)
	s.file.Close()
	s.file = nil
	if seg.size == 0 {
		os.Remove(s.path(seg.id))
		s.segs = s.segs[:len(s.segs)-1]
	}
}

func (s *Spool) last() *segment { return s.segs[len(s.segs)-1] }

// rotate begins a new segment.
func (s *Spool) rotate() error {
	if err := os.MkdirAll(s.opt.Dir, 0o700); err != nil { // somebody may have removed it
		return err
	}
	id := int64(1)
	if len(s.segs) > 0 {
		id = s.last().id + 1
	}
	file, err := create(s.path(id))
	if err != nil {
		return err
	}
	if err := errors.Join(s.finish(), disk.SyncDir(s.opt.Dir)); err != nil {
		s.opt.Log.Error("spool cannot be synced", "error", err)
	}
	s.file = file
	s.segs = append(s.segs, &segment{id: id})
	s.release()
	return nil
}

// create opens a new segment file; tests put a full disk in its place.
var create = func(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
}

// fsync makes a file durable; tests watch it.
var fsync = (*os.File).Sync

// release deletes the segments in front that hold nothing pending. The one being written to stays.
func (s *Spool) release() {
	for len(s.segs) > 1 && !s.segs[0].last.After(s.floor) {
		s.remove()
	}
}

func (s *Spool) remove() {
	if err := os.Remove(s.path(s.segs[0].id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.opt.Log.Error("spool segment cannot be deleted", "error", err) // its messages are sent again after a restart
	}
	s.segs = s.segs[1:]
}

// mark notes in the last segment what is acknowledged, so that a restart does not send it again. That it may be lost does
// no harm: the platform knows messages by their order.
func (s *Spool) mark() {
	if s.file != nil && s.last().last != (twin.Order{}) {
		if err := s.write(frame{mark, Record{Order: s.floor}}); err != nil {
			s.opt.Log.Debug("acknowledgement not noted", "error", err)
		}
	}
}

// syncSoon syncs now, or when SyncEvery has passed since the last time.
func (s *Spool) syncSoon() {
	if s.syncing != nil {
		s.dirty = true
		return
	}
	s.sync()
	s.syncing = time.AfterFunc(s.opt.SyncEvery, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.syncing = nil
		if s.dirty && s.file != nil {
			s.syncSoon()
		}
	})
}

func (s *Spool) sync() error {
	s.dirty = false
	err := fsync(s.file)
	if err != nil {
		s.opt.Log.Error("spool cannot be synced", "error", err)
	}
	return err
}

// finish closes the segment being written to.
func (s *Spool) finish() error {
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.sync(), s.file.Close())
	s.file = nil
	return err
}

// load reads what segments there are. With repair it cuts off a torn end, deletes what holds nothing pending and goes on
// with the last segment.
func (s *Spool) load(repair bool) error {
	names, err := os.ReadDir(s.opt.Dir)
	if err != nil {
		return err
	}
	for _, e := range names {
		id, err := strconv.ParseInt(strings.TrimSuffix(e.Name(), suffix), 10, 64)
		if err != nil || !strings.HasSuffix(e.Name(), suffix) || id < 1 {
			continue
		}
		s.segs = append(s.segs, &segment{id: id})
	}
	slices.SortFunc(s.segs, func(a, b *segment) int { return int(a.id - b.id) })
	for i, seg := range s.segs {
		err = s.read(seg, repair && i == len(s.segs)-1)
		switch {
		case errors.Is(err, os.ErrPermission):
			return err
		case err != nil && repair:
			s.stats.Damaged++
			s.opt.Log.Error("spool segment cannot be read: it is left out", "segment", seg.id, "error", err)
		}
	}
	if !repair || len(s.segs) == 0 {
		return nil
	}
	s.release()
	switch last := s.last(); {
	case err != nil: // it could not be read: nothing is written to it
		return nil
	case !last.last.After(s.floor):
		s.remove()
		return nil
	}
	s.file, err = os.OpenFile(s.path(s.last().id), os.O_RDWR, 0o600)
	return err
}

// read counts a segment's messages. cut shortens its file to the last whole frame.
func (s *Spool) read(seg *segment, cut bool) error {
	mode := os.O_RDONLY
	if cut {
		mode = os.O_RDWR
	}
	file, err := os.OpenFile(s.path(seg.id), mode, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if seg.size, err = file.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	c := scanner{size: seg.size}
	for {
		f, ok, err := c.next(file)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		switch {
		case f.kind == mark:
			if f.Order.After(s.floor) && !f.Order.After(s.newest) {
				s.floor = f.Order
				s.live.trim(f.Order)
			}
		case f.Order.After(s.newest):
			s.newest, seg.last = f.Order, f.Order
			s.live.add(f.Order)
		}
	}
	s.stats.Damaged += int64(c.damaged)
	if c.damaged > 0 {
		s.opt.Log.Error("spool segment is damaged: what could be read is kept", "segment", seg.id, "places", c.damaged)
	}
	if c.end < seg.size && cut {
		s.opt.Log.Info("unfinished message cut off", "segment", seg.id, "bytes", seg.size-c.end)
		seg.size = c.end
		return file.Truncate(c.end)
	}
	return nil
}
