package twiningest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/metrics"
	"github.com/castor-iot/castor/shared/twin"
)

// maxUntold is how many batches may wait to be told live. More are dropped: the next ones say what is newest then.
const maxUntold = 64

// maxTold is how many bytes of readings go into one message, about; it is below bus.MaxLive by the size of a large twin's rest.
const maxTold = bus.MaxLive / 2

// A teller tells whoever looks at twins now what batches have changed. That is no part of a batch: it is done beside it, and
// what cannot be told is dropped.
type teller struct {
	wanted func() bool
	tell   func([]byte) error
	log    *slog.Logger
	todo   chan []news
}

// news are of one twin: what was written, as far as it is told.
type news struct {
	scope api.TwinScope
	state api.LiveState
}

func newTeller(b *bus.Bus, log *slog.Logger) *teller {
	t := &teller{wanted: b.Wanted, tell: b.Tell, log: log, todo: make(chan []news, maxUntold)}
	go t.run()
	return t
}

// add leaves news to be told, or drops them.
func (t *teller) add(of []news) {
	if len(of) == 0 {
		return
	}
	select {
	case t.todo <- of:
	default:
		metrics.Live(false)
	}
}

// run lives as long as the process, like the function.
func (t *teller) run() {
	for of := range t.todo {
		err := t.publish(of)
		metrics.Live(err == nil)
		if err != nil && !errors.Is(err, bus.ErrUnavailable) && !errors.Is(err, bus.ErrClosed) {
			t.log.WarnContext(context.Background(), "live news not told", "function", "twin-ingest", "error", err)
		}
	}
}

// publish tells the news in messages of bounded size; the readings of a twin with very many come in several. Messages are
// api.LiveBatch; they are put together by hand, because encoding/json would look at every state a second time.
func (t *teller) publish(of []news) error {
	b := make([]byte, 0, 512*len(of))
	flush := func() error {
		if len(b) == 0 {
			return nil
		}
		err := t.tell(append(b, "]}"...))
		b = b[:0]
		return err
	}
	for _, n := range of {
		scope, err := json.Marshal(n.scope)
		if err != nil {
			return err
		}
		for rest := n.state.Reported; ; {
			some := rest[:fitting(rest)]
			n.state.Reported, rest = some, rest[len(some):]
			state, err := json.Marshal(n.state)
			if err != nil {
				return err
			}
			if len(b) > 0 && len(b)+len(state) > maxTold {
				if err := flush(); err != nil {
					return err
				}
			}
			if len(b) == 0 {
				b = append(b, `{"twins":[`...)
			} else {
				b = append(b, ',')
			}
			b = fmt.Appendf(b, `{"twin":%q,"scope":%s,"state":%s}`, n.state.Twin, scope, state) // an id has nothing to be escaped
			if len(rest) == 0 {
				break
			}
		}
	}
	return flush()
}

// fitting is how many readings go into one message.
func fitting(of []api.LiveReading) int {
	size := 0
	for i, r := range of {
		size += 128 + len(r.Property)
		if text, ok := r.Value.(string); ok {
			size += 6 * len(text) // as JSON may write it
		}
		if size > maxTold && i > 0 {
			return i
		}
	}
	return len(of)
}

// told is what is told of the subject as it was just written.
func (s *subject) told() news {
	t := &s.doc.Value
	n := news{scope: *api.ScopeOf(t), state: api.LiveState{Twin: s.id, Type: t.Definition.Type,
		Connected: t.Live.Presence.Connected, Online: t.Live.Presence.Online(), LastSeen: t.Live.Presence.LastSeen,
		Messages: t.Live.Messages, Reported: make([]api.LiveReading, 0, len(s.fresh))}}
	slices.Sort(s.fresh)
	for _, property := range slices.Compact(s.fresh) {
		r := api.LiveReading{Property: property}
		if held, ok := t.Live.Reading(property); ok {
			r.Value, r.At, r.Flag = held.Value, held.At, held.Flag
		}
		n.state.Reported = append(n.state.Reported, r)
	}
	return n
}

// tellOf collects what is to be told of subjects that were written.
func (b *batch) tellOf(done []*subject) {
	if !b.f.live.wanted() {
		return
	}
	for _, s := range done {
		if s.doc.Value.Kind == twin.Instance {
			b.told = append(b.told, s.told())
		}
	}
}
