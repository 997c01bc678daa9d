package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// MaxHeard is how many records one event twin.heard names.
const MaxHeard = 100

// TwinHeard is the data of event twin.heard: records of a twin's history that are new to it, in the order in which the twin took them.
type TwinHeard struct {
	Twin twin.ID `json:"twin"`

	// Number is that of the last record: they are numbered one after the other. After is the number before the first one. So a gap and a
	// repetition can be told apart, and it is known how much is missing.
	Number int64 `json:"number"`
	After  int64 `json:"after"` // 0 = nothing was told before

	Records []string `json:"records"` // their ids, without the twin's and the bar behind it
}

// A Reaction is what a driver's on_event has come to with one twin.
type Reaction struct {
	Twin    twin.ID `json:"twin"`
	Driver  string  `json:"driver,omitempty"`  // whose on_event was called last; "" = none has been yet
	Version string  `json:"version,omitempty"` // of it

	// Reacted is when on_event answered last, State what it wants to be given the next time: up to 64 KiB.
	Reacted time.Time `json:"reacted,omitzero"`
	State   []byte    `json:"state,omitempty"`

	Sent    int64 `json:"sent"`    // commands that were asked for
	Dropped int64 `json:"dropped"` // commands that were not taken: the twin's log says why
	Pending int   `json:"pending"` // commands that are about to be sent

	Waiting int64 `json:"waiting"` // messages that on_event has not come to yet: it is slow, or one before them is missing
	Missed  int64 `json:"missed"`  // messages that were passed over: the twin's log says why

	// Failure is why on_event did not answer, or was refused, the last time that this happened.
	Failure string    `json:"failure,omitempty"`
	Failed  time.Time `json:"failed,omitzero"`
}

// GetReaction tells what the twin's driver has come to.
func (c *Client) GetReaction(ctx context.Context, id twin.ID) (out Reaction, err error) {
	return out, c.Call(ctx, "GET", "drivers", "/reactions/"+string(id), nil, &out)
}

// ForgetReaction has the twin's driver begin without a state.
func (c *Client) ForgetReaction(ctx context.Context, id twin.ID) error {
	return c.Call(ctx, "DELETE", "drivers", "/reactions/"+string(id), nil, nil)
}

// CommandID is the id of the command that a key stands for.
func CommandID(id twin.ID, key string) string {
	sum := sha256.Sum256([]byte(string(id) + "\x00" + key))
	return "cmd-" + hex.EncodeToString(sum[:16])
}

// LogLines are lines for twins' logs.
type LogLines struct {
	Lines []LogLine `json:"lines"` // at most 1,000
}

// A LogLine is what a part of the platform says of a twin, in the twin's log.
type LogLine struct {
	Twin  twin.ID   `json:"twin"`
	At    time.Time `json:"at"`
	App   string    `json:"app"`   // "driver", "platform"
	Level string    `json:"level"` // "info", "warn", "error"
	Text  string    `json:"text"`

	// Happened puts the line among the twin's recent occurrences too, which an alarm shows as what happened before it.
	Happened bool `json:"happened,omitempty"`
}

// WriteLog writes to twins' logs. The same line of the same time is written once. For functions drivers and credentials.
func (c *Client) WriteLog(ctx context.Context, in LogLines) error {
	return c.Call(ctx, "POST", "twin-ingest", "/lines", in, nil)
}
