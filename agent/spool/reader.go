package spool

import (
	"os"
	"sort"

	"github.com/castor-iot/castor/shared/twin"
)

// A Reader walks through the pending messages once, oldest first, also those appended meanwhile. It is for one goroutine.
type Reader struct {
	s     *Spool
	after twin.Order // of the last message returned
	seg   int64      // the segment that scan is in
	scan  scanner
	ahead *Record // read, but not returned yet
}

// Reader begins at the oldest pending message.
func (s *Spool) Reader() *Reader { return &Reader{s: s} }

// Next returns the next messages of one topic, at most max, and no more than size bytes of bodies except where the first
// alone has more. It returns none if there are none now; see Changed. A segment that cannot be read is stepped over and
// counted as damaged.
func (r *Reader) Next(max, size int) (out []Record) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for len(out) < max {
		rec := r.peek()
		if rec == nil {
			break
		}
		size -= len(rec.Body)
		if len(out) > 0 && (rec.Topic != out[0].Topic || size < 0) {
			break
		}
		out = append(out, *rec)
		r.after, r.ahead = rec.Order, nil
	}
	return out
}

// peek returns the first pending message after the last one returned, or nil.
func (r *Reader) peek() *Record {
	if r.ahead != nil && r.ahead.Order.After(r.s.floor) {
		return r.ahead
	}
	r.ahead = nil
	for _, seg := range r.s.segs {
		if seg.id < r.seg {
			continue
		}
		if seg.id > r.seg {
			r.seg, r.scan = seg.id, scanner{}
		}
		r.scan.size = seg.size
		if r.ahead = r.search(seg); r.ahead != nil {
			return r.ahead
		}
	}
	i := sort.Search(len(r.s.tail), func(i int) bool { return r.s.tail[i].Order.After(r.after) })
	if i < len(r.s.tail) {
		rec := r.s.tail[i]
		r.ahead = &rec
	}
	return r.ahead
}

// search returns the next message of seg that is to be returned, or nil.
func (r *Reader) search(seg *segment) *Record {
	for r.scan.off < seg.size {
		f, ok, err := r.scan.next(segmentFile{r.s, seg})
		switch {
		case err != nil:
			r.s.stats.Damaged++
			r.s.opt.Log.Error("spool segment cannot be read: it is left out", "segment", seg.id, "error", err)
			r.scan = scanner{off: seg.size}
			return nil
		case !ok:
			return nil
		case f.kind == message && f.Order.After(r.after) && f.Order.After(r.s.floor):
			return &f.Record
		}
	}
	return nil
}

// A segmentFile reads a segment's file, which is open only meanwhile; the one being written to by its own handle, so that
// it is there even if somebody has deleted it.
type segmentFile struct {
	s   *Spool
	seg *segment
}

func (f segmentFile) ReadAt(b []byte, at int64) (int, error) {
	if f.s.file != nil && f.seg == f.s.last() {
		return f.s.file.ReadAt(b, at)
	}
	file, err := os.Open(f.s.path(f.seg.id))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return file.ReadAt(b, at)
}
