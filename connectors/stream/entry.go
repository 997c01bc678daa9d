package stream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/twin"
)

// A source is one of the two bus streams that everything comes from.
type source int

const (
	events source = iota
	live
	sources
)

// Topics a reader may ask for. An entry of topic grants is about who may see what, and is nobody's to read.
const (
	topicTwins    = "twins"
	topicReadings = "readings"
	topicRuns     = "runs"
	topicAlarms   = "alarms"
	topicWaiting  = "waiting" // of unknown devices: for those who bring devices in
	topicGrants   = "grants"
)

// topics are those of the bus that are followed.
var topics = []event.Topic{event.TwinChanged, event.TwinDeleted, event.ProvisionStep, event.ProvisionWaiting, event.AlarmRaised, event.AlarmCleared,
	event.AlarmAcknowledged, event.GrantChanged}

// An entry is one message of the bus, as readers are told it. It is never changed.
type entry struct {
	source source
	seq    uint64
	at     time.Time // when the bus stored it
	topic  string
	size   int

	// Of one twin, or of none (""), which is the platform's own affair.
	twin   twin.ID
	scope  *api.TwinScope // who may see it; nil = maintainers
	before *api.TwinScope // who could until this; nil = nobody
	data   []byte
	gone   []byte // for who could see it before, and cannot now

	twins   []told // of topic readings
	subject string // of topic grants: whose grants have changed
}

// overhead is what an entry takes beside what it carries, about.
const overhead = 256

// liveOf reads what function twin-ingest told.
func liveOf(seq uint64, at time.Time, data []byte) (*entry, error) {
	var b api.LiveBatch
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, fmt.Errorf("live batch: %w", err)
	}
	e := &entry{source: live, seq: seq, at: at, topic: topicReadings, twins: make([]told, len(b.Twins)), size: overhead + 2*len(data)}
	for i := range b.Twins {
		if b.Twins[i].State == nil {
			return nil, fmt.Errorf("live batch: twin %.80q has no state", b.Twins[i].Twin)
		}
		e.twins[i] = newTold(b.Twins[i])
	}
	return e, nil
}

// partLive marks events of twins whose live part has changed. There are many, and what they stand for comes as readings.
var partLive = []byte(`"part":"live"`)

// eventOf reads an event; nil for one that no reader is told of.
func eventOf(seq uint64, at time.Time, data []byte) (*entry, error) {
	if bytes.Contains(data, partLive) && bytes.Contains(data, []byte(`"topic":"twin.changed"`)) {
		return nil, nil
	}
	var ev event.Event
	if err := json.Unmarshal(data, &ev); err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	e := &entry{source: events, seq: seq, at: at, data: oneLine(ev.Data)}
	var err error
	switch ev.Topic {
	case event.TwinChanged, event.TwinDeleted:
		err = e.twinChanged(ev)
	case event.ProvisionStep:
		err = e.provisionStep(ev)
	case event.ProvisionWaiting:
		e.topic = topicWaiting
	case event.AlarmRaised, event.AlarmCleared, event.AlarmAcknowledged:
		err = e.alarm(ev)
	case event.GrantChanged:
		var d api.GrantChanged
		err = ev.Decode(&d)
		e.topic, e.subject = topicGrants, d.Subject
	default:
		return nil, nil
	}
	e.size = overhead + len(e.data) + len(e.gone)
	return e, err
}

// twinTold is the data of a frame about a twin.
type twinTold struct {
	Twin  twin.ID    `json:"twin"`
	Kind  twin.Kind  `json:"kind,omitempty"`
	Phase twin.Phase `json:"phase,omitempty"`
	Part  string     `json:"part"`
	Gone  bool       `json:"gone"`
}

func (e *entry) twinChanged(ev event.Event) error {
	var d api.TwinChanged
	if err := ev.Decode(&d); err != nil {
		return err
	}
	e.topic, e.twin, e.scope, e.before = topicTwins, d.Twin, d.Scope, d.Before
	told := twinTold{Twin: d.Twin, Kind: d.Kind, Phase: d.Phase, Part: d.Part}
	var err error
	if e.data, err = json.Marshal(told); err != nil {
		return err
	}
	// Who loses sight of a twin is told no more than that.
	if e.gone, err = json.Marshal(twinTold{Twin: d.Twin, Kind: d.Kind, Part: d.Part, Gone: true}); err != nil {
		return err
	}
	switch {
	case ev.Topic == event.TwinDeleted:
		e.scope = nil
	case e.scope == nil: // told by an older version: maintainers may see it
		e.scope = &api.TwinScope{}
	}
	return nil
}

func (e *entry) provisionStep(ev event.Event) error {
	var d api.ProvisionStep
	if err := ev.Decode(&d); err != nil {
		return err
	}
	e.topic, e.twin, e.scope = topicRuns, d.Twin, d.Scope
	if e.scope == nil {
		e.scope = &api.TwinScope{Owner: d.Owner, Type: d.Type}
	}
	return nil
}

func (e *entry) alarm(ev event.Event) error {
	var d monitor.Transition
	if err := ev.Decode(&d); err != nil {
		return err
	}
	e.topic, e.twin = topicAlarms, d.Twin
	if d.Twin != "" { // else it is about the platform itself
		e.scope = &api.TwinScope{Owner: d.Owner, Type: d.Type, Aggregates: d.Aggregates}
	}
	return nil
}

// oneLine is JSON as a frame can carry it.
func oneLine(data []byte) []byte {
	if !bytes.ContainsAny(data, "\r\n") {
		return data
	}
	var b bytes.Buffer
	if json.Compact(&b, data) != nil {
		return []byte("null")
	}
	return b.Bytes()
}
