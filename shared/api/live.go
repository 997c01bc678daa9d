package api

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/twin"
)

// TwinScope is what decides who may see a twin, besides its id.
type TwinScope struct {
	Owner      string      `json:"owner,omitempty"`
	Type       twin.TypeID `json:"type,omitempty"`
	Aggregates []twin.ID   `json:"aggregates,omitempty"`
	Shared     bool        `json:"shared,omitempty"` // see access.Object
}

// ScopeOf is the scope of a twin as it is now.
func ScopeOf(t *twin.Twin) *TwinScope {
	d := &t.Definition
	return &TwinScope{Owner: d.Owner, Type: d.Type, Aggregates: slices.Clone(d.Aggregates), Shared: access.SharedType(t.Kind, d.Owner)}
}

// Object is what a caller must be allowed to read to hear of the twin.
func (s TwinScope) Object(id twin.ID) access.Object {
	o := access.Twin(&twin.Twin{ID: id, Definition: twin.Definition{Owner: s.Owner, Type: s.Type, Aggregates: s.Aggregates}})
	o.Shared = s.Shared
	return o
}

// LiveBatch is what function twin-ingest tells of the twins that a batch or a tick has changed. It is told once, to whoever
// listens: the twins themselves are the truth.
type LiveBatch struct {
	Twins []LiveTwin `json:"twins"`
}

// LiveTwin is one twin of a LiveBatch: who may see it, and what a reader is told, a LiveState.
type LiveTwin struct {
	Twin  twin.ID         `json:"twin"`
	Scope TwinScope       `json:"scope"`
	State json.RawMessage `json:"state"`
}

// LiveState is a twin's presence and those of its readings that have changed.
type LiveState struct {
	Twin      twin.ID       `json:"twin"`
	Type      twin.TypeID   `json:"type,omitempty"`
	Connected bool          `json:"connected"`
	Online    bool          `json:"online"`
	LastSeen  time.Time     `json:"lastSeen,omitzero"`
	Messages  int64         `json:"messages"`
	Reported  []LiveReading `json:"reported"`
}

// LiveReading is the newest value of a property; nil = the device reports it no more.
type LiveReading struct {
	Property string    `json:"property"`
	Value    any       `json:"value"`
	At       time.Time `json:"at,omitzero"`
	Flag     twin.Flag `json:"flag,omitempty"`
}

// AlarmTaken is the data of event alarm.acknowledged: the alarm as its beginning told of it, and whether somebody has taken
// it on now.
type AlarmTaken struct {
	monitor.Transition
	Acknowledged   bool      `json:"acknowledged"`
	AcknowledgedBy string    `json:"acknowledgedBy,omitempty"`
	AcknowledgedAt time.Time `json:"acknowledgedAt,omitzero"`
}
