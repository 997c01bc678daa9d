package twin

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/event"
)

// A Twin is one document with parts that are versioned apart, so that an edit conflicts only with edits of the same part:
// people edit the definition and what is desired, function twin-ingest alone writes the live part, twin-command the commands.
type Twin struct {
	ID   ID   `json:"id" bson:"_id"`
	Kind Kind `json:"kind" bson:"kind"`

	Definition Definition `json:"definition" bson:"definition"`
	Live       Live       `json:"live" bson:"live"`

	// Commands are those that concern the device now; only function twin-command writes them.
	Commands Commands `json:"commands,omitzero" bson:"commands,omitempty"`

	// Outbox holds the events of this document that are not published yet.
	Outbox event.Outbox `json:"-" bson:"outbox"`

	Created time.Time `json:"created" bson:"created"`

	// Deleted is set on what is left of a twin while it is being removed; for everybody else there is no such twin.
	Deleted time.Time `json:"-" bson:"deleted,omitempty"`

	// Remains is what is kept of a deleted twin until its data are archived or erased.
	Remains *Remains `json:"-" bson:"remains,omitempty"`
}

// What becomes of the document and the history of a deleted twin.
const (
	Archive = "archive" // they go to the object store first
	Erase   = "erase"
)

// Remains is a deleted twin as it was, as far as it matters afterwards.
type Remains struct {
	Data     string `bson:"data"` // Archive or Erase
	By       string `bson:"by"`   // who deleted it: "user:ada"
	Kind     Kind   `bson:"kind"`
	Type     TypeID `bson:"type,omitempty"`
	Name     string `bson:"name,omitempty"`
	Document []byte `bson:"document,omitempty"` // the whole twin as JSON; none where it is erased
}

// Definition is what people and the platform decide about a twin.
type Definition struct {
	// Version grows by one with every change of this part; it is the part's ETag.
	Version int64 `json:"version" bson:"version"`

	// Name is for people; "" stands for the id.
	Name string `json:"name,omitempty" bson:"name,omitempty"`

	// Type is the TDTA that owns an instance; "" for types and aggregates.
	Type TypeID `json:"type,omitempty" bson:"type,omitempty"`

	// Owner is the group the twin belongs to; its members may read and write it. "" = only those with a grant.
	Owner string `json:"owner,omitempty" bson:"owner,omitempty"`

	// Aggregates are the DTAs the twin is a part of.
	Aggregates []ID `json:"aggregates,omitempty" bson:"aggregates,omitempty"`

	Tags     []string  `json:"tags,omitempty" bson:"tags,omitempty"`
	Location *Location `json:"location,omitempty" bson:"location,omitempty"`

	// Phase is where an instance is in its life; only the platform sets it.
	Phase Phase `json:"phase,omitempty" bson:"phase,omitempty"`

	// Suspended is set while people keep the device out, in whatever phase it is: it outlasts a device that is enrolled anew or
	// replaced. An instance that would be operational is in phase suspended then.
	Suspended bool `json:"suspended,omitempty" bson:"suspended,omitempty"`

	// Configuration is the configuration as it was rendered for this instance and stored on the device (paper 4.4.2).
	Configuration *Configuration `json:"configuration,omitempty" bson:"configuration,omitempty"`

	// Model is what a type declares of its instances; nil for the other kinds.
	Model *Model `json:"model,omitempty" bson:"model,omitempty"`

	Updated time.Time `json:"updated" bson:"updated"`
}

// A Location is where a device is.
type Location struct {
	// Region groups places near each other, in the operator's own words: "eu-west", "hall-3". Gateways are chosen by it.
	Region string `json:"region,omitempty" bson:"region,omitempty"`

	// Site is for people: "hall 3, line 2".
	Site string `json:"site,omitempty" bson:"site,omitempty"`

	// Latitude and Longitude are degrees in WGS 84; nil if not known.
	Latitude  *float64 `json:"latitude,omitempty" bson:"latitude,omitempty"`
	Longitude *float64 `json:"longitude,omitempty" bson:"longitude,omitempty"`
}

// String is the location for people: "hall 3, line 2; eu-west; 48.10000, 11.50000". A nil location is "".
func (l *Location) String() string {
	if l == nil {
		return ""
	}
	var parts []string
	for _, s := range []string{l.Site, l.Region} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if l.Latitude != nil && l.Longitude != nil {
		parts = append(parts, fmt.Sprintf("%.5f, %.5f", *l.Latitude, *l.Longitude))
	}
	return strings.Join(parts, "; ")
}

// A Configuration is a template of the configuration directory, populated for one twin.
type Configuration struct {
	Template string    `json:"template" bson:"template"`
	Version  int64     `json:"version" bson:"version"` // the template's version it was rendered from
	Content  string    `json:"content" bson:"content"`
	Rendered time.Time `json:"rendered" bson:"rendered"`
}

// A Model is what a type (TDTA) says of all its instances.
type Model struct {
	// Properties the instances report. A property not listed here is kept all the same; it has no unit and no range.
	Properties []Property `json:"properties,omitempty" bson:"properties,omitempty"`

	// Retired are the numbers of properties that are not listed any more; the platform keeps them, so that they never mean others.
	Retired []Number `json:"retired,omitempty" bson:"retired,omitempty"`

	// Commands the instances know. One not listed here is passed on all the same.
	Commands []CommandModel `json:"commands,omitempty" bson:"commands,omitempty"`

	// Events the instances tell of.
	Events []EventModel `json:"events,omitempty" bson:"events,omitempty"`

	// Driver names the payload driver that reads what instances send and writes their commands; "" = none. Which of its versions
	// is for an instance is the registry's to say (function drivers), by the firmware that the instance reports.
	Driver string `json:"driver,omitempty" bson:"driver,omitempty"`

	// Firmware is the property that has an instance's firmware version; "" = "firmware".
	Firmware string `json:"firmware,omitempty" bson:"firmware,omitempty"`

	// Normalised has what the driver's normalizeUplink makes of a decoded payload count in its place, where the driver has one: the
	// common names of several makers' devices.
	Normalised bool `json:"normalised,omitempty" bson:"normalised,omitempty"`

	// Reacts lets the driver react to what instances say: its on_event is called, and the commands that it answers with are sent. Off
	// unless the type's owner says so, because a driver may come from somebody else.
	Reacts bool `json:"reacts,omitempty" bson:"reacts,omitempty"`

	// Format is how payloads are read where there is no driver: json, cbor, compact, senml+json, senml+cbor, plain; "" = the wire
	// contract's JSON or CBOR.
	Format string `json:"format,omitempty" bson:"format,omitempty"`

	// Provisioning names the provisioning model that brings instances in where no Choice does; "" = "automatic".
	Provisioning string `json:"provisioning,omitempty" bson:"provisioning,omitempty"`

	// Choices are other ways in which instances are brought in: the first whose condition holds for a device counts.
	Choices []Choice `json:"choices,omitempty" bson:"choices,omitempty"`

	// Template names the configuration template that is rendered for each instance; "" = none.
	Template string `json:"template,omitempty" bson:"template,omitempty"`

	// Parameters are values for the type's templates, above the template's own defaults, and the variables of its driver.
	Parameters map[string]string `json:"parameters,omitempty" bson:"parameters,omitempty"`

	// OfflineAfter is how long an instance may be silent before it counts as offline; 0 = only a lost connection counts.
	OfflineAfter Duration `json:"offlineAfter,omitempty" bson:"offlineAfter,omitempty"`

	// OfflineSeverity is the severity of the alarm raised when an instance goes offline; "" = no alarm.
	OfflineSeverity string `json:"offlineSeverity,omitempty" bson:"offlineSeverity,omitempty"`

	// CredentialLifetime is how long the instances' credentials are good; a device renews its own before. 0 = a year.
	CredentialLifetime Duration `json:"credentialLifetime,omitempty" bson:"credentialLifetime,omitempty"`

	// OnDelete is what becomes of the data of an instance that is deleted, where the deletion does not say: Archive or Erase;
	// "" = Archive.
	OnDelete string `json:"onDelete,omitempty" bson:"onDelete,omitempty"`

	// Watch is how function twin-watchdog watches asynchronous operations about the instances, by the operation's kind:
	// "archive", "assignment", "command", "provision". What is left out is the platform's.
	Watch map[string]Watch `json:"watch,omitempty" bson:"watch,omitempty"`
}

// A Choice is a provisioning model under a condition.
type Choice struct {
	// If is a condition in CEL over what is known when a device asks: identity, claim, request, facts, location.
	If string `json:"if" bson:"if"`

	Model string `json:"model" bson:"model"`
}

// Watch is how one kind of asynchronous operation is watched. Zero fields are the platform's defaults.
type Watch struct {
	// Deadline is how long after an operation became overdue by its owner's account it is first tried again.
	Deadline Duration `json:"deadline,omitempty" bson:"deadline,omitempty"`

	// Retries is how often it is tried again before an alarm is raised; 0 = as often as the platform does, 3 times; -1 = not at all.
	Retries int `json:"retries,omitempty" bson:"retries,omitempty"`

	// Severity is the alarm's: info, warning, critical, or none.
	Severity string `json:"severity,omitempty" bson:"severity,omitempty"`
}

// A Property describes one value that instances of a type report.
type Property struct {
	Name string   `json:"name" bson:"name"`                     // dotted: "cpu.percent"
	Type string   `json:"type,omitempty" bson:"type,omitempty"` // number, boolean or string; "" = number
	Unit string   `json:"unit,omitempty" bson:"unit,omitempty"` // UCUM code: "Cel", "%", "By"
	Min  *float64 `json:"min,omitempty" bson:"min,omitempty"`   // values below are kept and flagged
	Max  *float64 `json:"max,omitempty" bson:"max,omitempty"`
	Note string   `json:"note,omitempty" bson:"note,omitempty"` // one sentence for people

	// ID is the number that stands for the property in the compact form, from 1; 0 = none. It is for ever.
	ID int64 `json:"id,omitempty" bson:"id,omitempty"`

	// Enum are the values that there are, of the property's type; none = any.
	Enum []any `json:"enum,omitempty" bson:"enum,omitempty"`

	// Writable tells that people may wish for a value (desired state).
	Writable bool `json:"writable,omitempty" bson:"writable,omitempty"`

	// Semantic says what it is in a vocabulary of others: an IRI, or a compact one ("saref:Temperature").
	Semantic string `json:"semantic,omitempty" bson:"semantic,omitempty"`
}

// A CommandModel describes a command that instances of a type know. Schemas are JSON Schema 2020-12, as JSON; nil = anything.
type CommandModel struct {
	Name     string          `json:"name" bson:"name"`
	Input    json.RawMessage `json:"input,omitempty" bson:"input,omitempty"`
	Output   json.RawMessage `json:"output,omitempty" bson:"output,omitempty"`
	Semantic string          `json:"semantic,omitempty" bson:"semantic,omitempty"`
	Note     string          `json:"note,omitempty" bson:"note,omitempty"`
}

// An EventModel describes something that instances tell of; Data is the JSON Schema of what comes with it.
type EventModel struct {
	Name     string          `json:"name" bson:"name"`
	Data     json.RawMessage `json:"data,omitempty" bson:"data,omitempty"`
	Semantic string          `json:"semantic,omitempty" bson:"semantic,omitempty"`
	Note     string          `json:"note,omitempty" bson:"note,omitempty"`
}
