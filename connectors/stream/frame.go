package stream

import (
	"bytes"
	"encoding/json"

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

// readings are the newest of some twins, of several batches.
type readings struct {
	order []twin.ID
	of    map[twin.ID][]json.RawMessage // states, the newest last
	size  int
}

func (r *readings) add(id twin.ID, state json.RawMessage) {
	if r.of == nil {
		r.of = map[twin.ID][]json.RawMessage{}
	}
	if r.of[id] == nil {
		r.order = append(r.order, id)
	}
	r.of[id] = append(r.of[id], state)
	r.size += len(state)
}

// write appends the data of a frame of readings. A state that nothing is to be merged with goes as it came.
func (r *readings) write(b *bytes.Buffer) error {
	b.WriteString(`{"twins":[`)
	for i, id := range r.order {
		if i > 0 {
			b.WriteByte(',')
		}
		states := r.of[id]
		if len(states) == 1 {
			b.Write(states[0])
			continue
		}
		merged, err := merge(states)
		if err != nil {
			return err
		}
		b.Write(merged)
	}
	b.WriteString("]}")
	return nil
}

// merge makes one state of several of one twin: the last one's, with the newest reading of each property.
func merge(states []json.RawMessage) ([]byte, error) {
	type reading struct {
		Property string `json:"property"`
	}
	all, at := []json.RawMessage{}, map[string]int{}
	var last map[string]json.RawMessage
	for _, s := range states {
		last = nil
		if err := json.Unmarshal(s, &last); err != nil {
			return nil, err
		}
		var some []json.RawMessage
		if err := json.Unmarshal(last["reported"], &some); err != nil {
			return nil, err
		}
		for _, one := range some {
			var r reading
			if err := json.Unmarshal(one, &r); err != nil {
				return nil, err
			}
			if i, ok := at[r.Property]; ok {
				all[i] = one
				continue
			}
			at[r.Property] = len(all)
			all = append(all, one)
		}
	}
	var err error
	if last["reported"], err = json.Marshal(all); err != nil {
		return nil, err
	}
	return json.Marshal(last)
}
