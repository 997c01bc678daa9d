package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/twin"
)

const (
	lookEvery = 50 * time.Millisecond // at most: what comes meanwhile goes together
	beatEvery = 15 * time.Second
	writeTime = 10 * time.Second // a reader that takes nothing for so long is gone
	retryTime = time.Second      // after what may pass
	roundSize = 64 << 10         // bytes that are made before they are written
	roundMost = 1000             // entries
)

// Reasons why a reader has to read everything again.
const (
	reasonOld   = "the id is too old, or none of ours"
	reasonSlow  = "news were missed: the connection was too slow, or the platform was interrupted"
	reasonSight = "what you may see has changed"
)

// A reader is one open stream.
type reader struct {
	c      *Connector
	caller access.Caller
	shown  http.Header // at the door, for calls with the reader's own rights
	wants  wish

	out   http.ResponseWriter
	flush *http.ResponseController

	place place
	sight *sight
	wrote time.Time
}

// buffers are for what is being written; an idle stream holds none.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// run writes until the caller leaves, the token ends or the connector stops.
func (r *reader) run(ctx context.Context, reload string) {
	if err := r.hello(reload); err != nil {
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		began, left := time.Now(), r.caller.Expires.Sub(r.c.Now())
		if left <= 0 {
			return
		}
		changed, more, err := r.look(ctx)
		if err != nil {
			return
		}
		if more {
			continue
		}
		timer.Reset(min(time.Until(r.wrote.Add(r.c.beat)), left))
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			return
		case <-r.c.stopping:
			_ = r.leave(ctx)
			return
		}
		if rest := lookEvery - time.Since(began); rest > 0 {
			timer.Reset(rest)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

// hello writes the first frame.
func (r *reader) hello(reload string) error {
	b := take()
	defer give(b)
	b.WriteString("retry: 1000\n")
	data, err := json.Marshal(struct {
		Expires time.Time `json:"expires"`
	}{r.caller.Expires})
	if err != nil {
		return err
	}
	frame(b, "hello", r.id(r.place.seen), data)
	if reload != "" {
		r.reload(b, reload)
	}
	return r.write(b)
}

// leave writes what is there and a last frame, with which the reader goes on elsewhere.
func (r *reader) leave(ctx context.Context) error {
	if _, _, err := r.look(ctx); err != nil {
		return err
	}
	b := take()
	defer give(b)
	frame(b, "beat", r.id(r.place.seen), []byte("{}"))
	return r.write(b)
}

// look writes what is new. more tells that there may be more at once, else there is when changed is closed.
func (r *reader) look(ctx context.Context) (changed <-chan struct{}, more bool, err error) {
	b := take()
	defer give(b)
	some, changed, ok := r.c.ring.read(r.place, roundMost)
	sight, err := r.c.sights.of(ctx, r.caller, r.shown)
	switch {
	case err != nil && (over(err) || ctx.Err() != nil):
		return nil, false, err
	case err != nil: // nothing is decided that cannot be: it waits
		some, changed = nil, after(retryTime)
	case !ok:
		r.place = r.c.ring.end()
		r.reload(b, reasonSlow)
	case sight.mark != r.sight.mark:
		// Which twins came into sight or went out of it, nobody here knows.
		r.sight, r.place = sight, r.c.ring.end()
		some = nil
		r.reload(b, reasonSight)
	}
	more, err = r.entries(b, some)
	if err != nil {
		return nil, false, err
	}
	if b.Len() == 0 && time.Since(r.wrote) >= r.c.beat {
		frame(b, "beat", r.id(r.place.seen), []byte("{}"))
	}
	if b.Len() > 0 {
		err = r.write(b)
	}
	return changed, more || len(some) == roundMost, err
}

// entries makes frames of what the reader may see and wants, until there is enough for one round. Readings of several batches
// become one frame, behind the others: the ids of those do not say that the readings were told.
func (r *reader) entries(b *bytes.Buffer, some []*entry) (more bool, err error) {
	var all readings
	seen := r.place.seen
	for i, e := range some {
		if b.Len()+all.size >= roundSize {
			some, more = some[:i], true
			break
		}
		if e.seq <= seen[e.source] {
			continue
		}
		seen[e.source] = e.seq
		switch {
		case !r.wants.topics[e.topic]:
		case e.topic == topicReadings:
			for i := range e.twins {
				if t := &e.twins[i]; r.wants.twinIs(t.twin) && r.sight.sees(t.twin, &t.scope) {
					all.add(t)
				}
			}
		case r.wants.twinIs(e.twin):
			if data := r.data(e); data != nil {
				r.place.seen[events] = e.seq
				frame(b, eventNames[e.topic], r.id(r.place.seen), data)
				r.c.count.frames.Add(1)
			}
		}
	}
	r.place.next += uint64(len(some))
	r.place.seen = seen
	if len(all.order) == 0 {
		return more, nil
	}
	data := take()
	defer give(data)
	if err := all.write(data); err != nil {
		return false, err
	}
	frame(b, "readings", r.id(seen), data.Bytes())
	r.c.count.frames.Add(1)
	return more, nil
}

// eventNames are what frames of a topic are called.
var eventNames = map[string]string{topicTwins: "twin", topicRuns: "run", topicAlarms: "alarm", topicWaiting: "waiting"}

// data is what the reader is told of an entry; nil if it may not know of it.
func (r *reader) data(e *entry) []byte {
	switch {
	case e.topic == topicWaiting: // it has no twin and no owner: those see it who may let it in
		if r.caller.Is(access.Configurator, access.Maintainer) {
			return e.data
		}
	case e.scope != nil && r.sight.sees(e.twin, e.scope), e.topic != topicTwins && r.sight.all:
		return e.data
	case e.topic == topicTwins && r.sight.sees(e.twin, e.before):
		return e.gone
	}
	return nil
}

func (r *reader) reload(b *bytes.Buffer, reason string) {
	data, err := json.Marshal(struct {
		Reason string `json:"reason"`
	}{reason})
	if err != nil {
		panic(err) // a struct of text
	}
	frame(b, "reload", r.id(r.place.seen), data)
	r.c.count.reloads.Add(1)
}

// id is the cursor of a frame; nil while the bus is away, for then nobody knows what a fresh one would leave out.
func (r *reader) id(seen [sources]uint64) []byte {
	if !r.c.Bus.Connected() {
		return nil
	}
	return r.c.seal.close(nil, cursor{time.Now(), seen, r.sight.mark})
}

func (r *reader) write(b *bytes.Buffer) error {
	if err := r.flush.SetWriteDeadline(time.Now().Add(writeTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := r.out.Write(b.Bytes()); err != nil {
		return err
	}
	r.wrote = time.Now()
	return r.flush.Flush()
}

func take() *bytes.Buffer { return buffers.Get().(*bytes.Buffer) }

func give(b *bytes.Buffer) {
	if b.Cap() <= 4*roundSize {
		b.Reset()
		buffers.Put(b)
	}
}

func after(d time.Duration) <-chan struct{} {
	done := make(chan struct{})
	time.AfterFunc(d, func() { close(done) })
	return done
}

// A wish is what a reader asks for.
type wish struct {
	topics map[string]bool
	twin   twin.ID // "" = all
}

func (w *wish) twinIs(id twin.ID) bool { return w.twin == "" || w.twin == id }
