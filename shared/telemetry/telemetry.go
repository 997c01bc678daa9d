// Package telemetry is the platform's one message form (paper FR8): what a connector makes of a device's bytes and what
// function twin-ingest takes. It holds the rules that decide which messages are well formed and which times are
// plausible. It does not decode device formats and stores nothing.
package telemetry

import (
	"time"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// Kind tells what a message is about.
type Kind string

// The kinds of platform messages.
const (
	Telemetry Kind = "telemetry" // measured values
	State     Kind = "state"     // reported state
	Log       Kind = "log"       // a line of an app's log: samples app, level, text
	Presence  Kind = "presence"  // made by the connector: sample connected (bool)
	Event     Kind = "event"     // something that happened at the device: sample event (its name) and others
	Response  Kind = "response"  // the device's answer to a command: Answer is set
	Undecoded Kind = "undecoded" // bytes that could not be decoded: Raw and Reason are set; the message is parked
)

// A Message is one thing a device said. Connectors send messages in batches; a batch is CBOR on the wire.
type Message struct {
	Twin twin.ID `json:"twin"`

	// Ref is the reference of the device, of an undecoded message that has no twin.
	Ref device.Ref `json:"ref,omitempty"`

	// Via is, beside Ref, the reference of who speaks for the device; "" = it speaks for itself.
	Via device.Ref `json:"via,omitempty"`

	// Generation is that of the mapping the connector resolved the device reference by.
	Generation int64 `json:"generation,omitempty"`

	Kind Kind `json:"kind"`

	// Time is when the device says it measured; the zero time if it does not say. Received is when the gateway got it.
	Time     time.Time `json:"time,omitzero"`
	Received time.Time `json:"received"`

	// Order is the device's, or the connector's if Order.Assigned.
	Order twin.Order `json:"order"`

	// Session is the id of the connection it came by, Gateway that of the gateway.
	Session string `json:"session,omitempty"`
	Gateway string `json:"gateway,omitempty"`

	Samples []Sample `json:"samples,omitempty"`

	// Answer is set for responses.
	Answer *Answer `json:"answer,omitempty"`

	// Data is, of an event, what came with it and its name, as JSON: samples do not tell a list from an object, nor what is empty from what
	// is not there. It is for judging what came, and is not kept; without it nothing is judged.
	Data []byte `json:"data,omitempty"`

	// Raw and Reason are set for undecoded messages; Topic is where they came in, Port the LoRaWAN FPort (0 = none), Was the kind
	// that they are if they can be read after all, Driver who could not read them ("acme-th1@1.2.0"; "" = no driver).
	Raw    []byte `json:"raw,omitempty"`
	Reason string `json:"reason,omitempty"`
	Topic  string `json:"topic,omitempty"`
	Port   int    `json:"port,omitempty"`
	Was    Kind   `json:"was,omitempty"`
	Driver string `json:"driver,omitempty"`
}

// A Sample is one value of one property.
type Sample struct {
	Property string `json:"p" bson:"p"`

	// Value is a float64, bool or string; nil in a message of kind state removes the property, in others it says nothing.
	Value any `json:"v" bson:"v"`
}

// A Batch is what a connector hands to function twin-ingest in one call.
type Batch struct {
	Gateway  string    `json:"gateway"`
	Messages []Message `json:"messages"`
}

// Outcome is what became of one message.
type Outcome string

// The answer to a device: the first three are acknowledged, the last is to be sent again.
const (
	Stored  Outcome = "stored"
	Parked  Outcome = "parked"  // kept raw, because it cannot be decoded or belongs to nobody any more
	Refused Outcome = "refused" // not kept: the twin is retired or the mapping was replaced
	Retry   Outcome = "retry"
)

// Result is one outcome per message of a batch, in the batch's order.
type Result struct {
	Outcomes []Outcome `json:"outcomes"`

	// Commands are what waits for the devices that were heard from: the ids by twin.
	Commands map[twin.ID][]string `json:"commands,omitempty"`
}

// Bounds on what a device may send.
const (
	MaxSamples   = 500    // per message
	MaxProperty  = 128    // bytes of a property's name
	MaxText      = 16_384 // bytes of a text value
	MaxPayload   = 262_144
	MaxBatch     = 1_000      // messages
	MaxBatchSize = 16_777_216 // bytes
)
