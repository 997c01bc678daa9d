package stream

import (
	"bytes"
	"encoding/json"
	"sync"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// frame appends one frame of server-sent events; data is one line.
func frame(b *bytes.Buffer, event string, id, data []byte) {
	b.WriteString("event: ")
	b.WriteString(event)
	if id != nil {
		b.WriteString("\nid: ")
		b.Write(id)
	}
	b.WriteString("\ndata: ")
	b.Write(data)
	b.WriteString("\n\n")
}

// A told is one twin of a live batch, as readers are told it. Every reader that was away for a moment merges it with others, so
// that what merging needs is read once for all of them.
type told struct {
	twin  twin.ID
	scope api.TwinScope
	state json.RawMessage // an api.LiveState
	split func() (split, error)
}

// A split is a state in pieces: all but its readings, `{"twin":"a",…,"reported":[`, and those.
type split struct {
	rest     []byte
	reported []reading
}

type reading struct {
	property string
	data     json.RawMessage
}

func newTold(t api.LiveTwin) told {
	return told{t.Twin, t.Scope, t.State, sync.OnceValues(func() (split, error) { return splitOf(t.State) })}
}

// splitOf keeps fields that this code does not know.
func splitOf(state json.RawMessage) (s split, err error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(state, &fields); err != nil {
		return s, err
	}
	var all []json.RawMessage
	if err := json.Unmarshal(fields["reported"], &all); err != nil {
		return s, err
	}
	for _, data := range all {
		var r struct {
			Property string `json:"property"`
		}
		if err := json.Unmarshal(data, &r); err != nil {
			return s, err
		}
		s.reported = append(s.reported, reading{r.Property, data})
	}
	delete(fields, "reported")
	if s.rest, err = json.Marshal(fields); err != nil {
		return s, err
	}
	s.rest = s.rest[:len(s.rest)-1]
	if len(fields) > 0 {
		s.rest = append(s.rest, ',')
	}
	s.rest = append(s.rest, `"reported":[`...)
	return s, nil
}

// readings are the newest of some twins, of several batches.
type readings struct {
	order []twin.ID
	of    map[twin.ID][]*told // the newest last
	size  int
}

func (r *readings) add(t *told) {
	if r.of == nil {
		r.of = map[twin.ID][]*told{}
	}
	if r.of[t.twin] == nil {
		r.order = append(r.order, t.twin)
	}
	r.of[t.twin] = append(r.of[t.twin], t)
	r.size += len(t.state)
}

// write appends the data of a frame of readings. A state that nothing is to be merged with goes as it came.
func (r *readings) write(b *bytes.Buffer) error {
	b.WriteString(`{"twins":[`)
	for i, id := range r.order {
		if i > 0 {
			b.WriteByte(',')
		}
		all := r.of[id]
		if len(all) == 1 {
			b.Write(all[0].state)
			continue
		}
		if err := merge(b, all); err != nil {
			return err
		}
	}
	b.WriteString("]}")
	return nil
}

// merge appends one state of several of one twin: the last one's, with the newest reading of each property.
func merge(b *bytes.Buffer, all []*told) error {
	var newest []reading
	var last split
	at := map[string]int{}
	for _, t := range all {
		var err error
		if last, err = t.split(); err != nil {
			return err
		}
		for _, r := range last.reported {
			if i, ok := at[r.property]; ok {
				newest[i] = r
				continue
			}
			at[r.property] = len(newest)
			newest = append(newest, r)
		}
	}
	b.Write(last.rest)
	for i, r := range newest {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(r.data)
	}
	b.WriteString("]}")
	return nil
}
