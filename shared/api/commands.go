package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// CommandState is where a command is on its way.
type CommandState string

// The states of a command. The last five end it; an answer that comes after timedOut, unknown or cancelled still counts, and
// is marked as late.
const (
	CommandQueued     CommandState = "queued"     // waits for the device to be there
	CommandDelivering CommandState = "delivering" // a connector has it, under a lease
	CommandSent       CommandState = "sent"       // it was handed to the device's connection
	CommandSucceeded  CommandState = "succeeded"  // so the device answered
	CommandFailed     CommandState = "failed"     // so the device answered
	CommandTimedOut   CommandState = "timedOut"   // the time was over before it was sent, or before the device answered; Sent tells which
	CommandUnknown    CommandState = "unknown"    // the device may have had it, nobody knows
	CommandCancelled  CommandState = "cancelled"  // before the device had it
)

// Ended tells whether nothing is waited for any more.
func (s CommandState) Ended() bool {
	switch s {
	case CommandQueued, CommandDelivering, CommandSent:
		return false
	}
	return true
}

// A Command is one thing that a device is told to do, and what became of it.
type Command struct {
	ID    string          `json:"id" bson:"_id"`
	Twin  twin.ID         `json:"twin" bson:"twin"`
	Name  string          `json:"name" bson:"name"`
	Input json.RawMessage `json:"input,omitempty" bson:"input,omitempty"`
	Key   string          `json:"key,omitempty" bson:"key,omitempty"`

	Timeout    twin.Duration `json:"timeout" bson:"timeout"`
	Repeatable bool          `json:"repeatable" bson:"repeatable"` // may be delivered again where it is not known whether it arrived

	State    CommandState `json:"state" bson:"state"`
	Reason   string       `json:"reason,omitempty" bson:"reason,omitempty"` // of the state, for people; the device's if it answered
	Attempts int          `json:"attempts" bson:"attempts"`                 // how often it was given to a connector that did not give it back

	// Output is the device's, JSON. Late is set where the device answered after the command was over for the platform.
	Output json.RawMessage `json:"output,omitempty" bson:"output,omitempty"`
	Late   bool            `json:"late,omitempty" bson:"late,omitempty"`

	By       string    `json:"by" bson:"by"` // who asked
	Created  time.Time `json:"created" bson:"created"`
	Expires  time.Time `json:"expires" bson:"expires"`
	Sent     time.Time `json:"sent,omitzero" bson:"sent,omitempty"`         // last handed to the device's connection
	Answered time.Time `json:"answered,omitzero" bson:"answered,omitempty"` // when the platform received the answer
	Ended    time.Time `json:"ended,omitzero" bson:"ended,omitempty"`
	Updated  time.Time `json:"updated" bson:"updated"`
}

// NewCommand asks for a command.
type NewCommand struct {
	Twin twin.ID `json:"twin"`

	// Name is what the device knows the command by: a letter, then letters, digits, '.', '_' and '-'.
	Name  string          `json:"name"`
	Input json.RawMessage `json:"input,omitempty"` // any JSON of 64 KiB

	Timeout    twin.Duration `json:"timeout,omitempty"` // 1 s to 30 days; 0 = 1 m
	Repeatable bool          `json:"repeatable,omitempty"`

	// Key is chosen by the caller: the same key for the same twin is the same command, however often it is asked for. "" = a new one.
	Key string `json:"key,omitempty"`

	// By is for function drivers alone, and says whose on_event wants the command: "driver:acme-th1@1.2.0".
	By string `json:"by,omitempty"`
}

// CommandChanged is the data of event command.changed.
type CommandChanged struct {
	Twin    twin.ID      `json:"twin"`
	Command string       `json:"command"`
	State   CommandState `json:"state"`
}

// CommandAnswered is the data of event command.answered: Record is the id of the answer in history.
type CommandAnswered struct {
	Twin    twin.ID `json:"twin"`
	Command string  `json:"command"`
	Record  string  `json:"record"`
}

// CommandQuery selects commands.
type CommandQuery struct {
	Twin   twin.ID // "" = all, for maintainers
	State  string  // one of the states; "open" = not ended; "" = all
	Limit  int     // 0 = 100, at most 1,000
	Cursor string
}

// LeaseCommands asks for commands to be delivered to devices that are connected at a gateway now.
type LeaseCommands struct {
	Gateway string `json:"gateway"`

	// Holder names the connector's process. Asking again for what the same holder has a lease on yields it again.
	Holder  string        `json:"holder"`
	Devices []LeaseDevice `json:"devices"`
}

// LeaseDevice is one device of LeaseCommands.
type LeaseDevice struct {
	Twin     twin.ID  `json:"twin"`
	Session  string   `json:"session"` // the device's present one
	Commands []string `json:"commands"`
}

// LeasedCommand is a command that the holder is to deliver, until the lease is over.
type LeasedCommand struct {
	ID         string          `json:"id"`
	Twin       twin.ID         `json:"twin"`
	Name       string          `json:"name"`
	Input      json.RawMessage `json:"input,omitempty"`
	Repeatable bool            `json:"repeatable,omitempty"`
	Lease      int64           `json:"lease"` // the number of the lease
	Until      time.Time       `json:"until"` // not to be delivered later

	// Expires is when the command is over, whoever has it by then; Until is no later. Zero = not told.
	Expires time.Time `json:"expires,omitzero"`

	// Owner is the group that the twin belongs to: gateways share among owners what they hand over beside. "" = nobody, or not told.
	Owner string `json:"owner,omitempty"`
}

// Leased answers LeaseCommands.
type Leased struct {
	Commands []LeasedCommand `json:"commands"`
}

// CommandDeliveries tells what became of leased commands.
type CommandDeliveries struct {
	Gateway    string            `json:"gateway"`
	Holder     string            `json:"holder"`
	Deliveries []CommandDelivery `json:"deliveries"`
}

// CommandDelivery is one of CommandDeliveries: the command was handed to the device's connection, or for certain not.
type CommandDelivery struct {
	Command string `json:"command"`
	Lease   int64  `json:"lease"`
	Sent    bool   `json:"sent"`
}

// Bounds on one call of a connector.
const (
	MaxLeaseDevices = 200
	MaxLeased       = 200 // commands
)

// SendCommand asks for a command.
func (c *Client) SendCommand(ctx context.Context, in NewCommand) (out Command, err error) {
	return out, c.Call(ctx, "POST", "twin-command", "/commands", in, &out)
}

// GetCommand returns a command.
func (c *Client) GetCommand(ctx context.Context, id string) (out Command, err error) {
	return out, c.Call(ctx, "GET", "twin-command", "/commands/"+url.PathEscape(id), nil, &out)
}

// ListCommands pages through a twin's commands, newest first.
func (c *Client) ListCommands(ctx context.Context, q CommandQuery) (out Page[Command], err error) {
	limit := ""
	if q.Limit > 0 {
		limit = fmt.Sprint(q.Limit)
	}
	return out, c.Call(ctx, "GET", "twin-command", "/commands"+query("twin", string(q.Twin), "state", q.State, "limit", limit, "cursor", q.Cursor), nil, &out)
}

// CancelCommand ends a command. One that the device may have already ends as unknown.
func (c *Client) CancelCommand(ctx context.Context, id string) (out Command, err error) {
	return out, c.Call(ctx, "POST", "twin-command", "/commands/"+url.PathEscape(id)+"/cancel", nil, &out)
}

// LeaseCommands is for connectors.
func (c *Client) LeaseCommands(ctx context.Context, in LeaseCommands) (out Leased, err error) {
	return out, c.Call(ctx, "POST", "twin-command", "/lease", in, &out)
}

// ReportDeliveries is for connectors.
func (c *Client) ReportDeliveries(ctx context.Context, in CommandDeliveries) error {
	return c.Call(ctx, "POST", "twin-command", "/deliveries", in, nil)
}
