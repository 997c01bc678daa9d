// Package driver is the contract of payload drivers (paper 4.9, FR8): what a device maker ships so that the bytes of a device
// become named values, and values become bytes for the device. A driver is data (declarative), JavaScript (LoRa Alliance
// TS013-1.0.0 codecs as vendors publish them) or a WebAssembly module; all three are called alike, in batches.
//
// The package says what drivers are given and give back. It runs none: declarative interprets documents, javascript and wasm
// are the engines, sandbox runs the engines in processes that can be killed.
package driver

import (
	"context"
	"time"

	"github.com/castor-iot/castor/shared/telemetry"
)

// Kind is how a driver is written.
type Kind string

// The kinds of drivers.
const (
	Declarative Kind = "declarative" // Code is a document in YAML or JSON: fields and where they are
	JavaScript  Kind = "javascript"  // Code is a script with decodeUplink, encodeDownlink, decodeDownlink, normalizeUplink
	WASM        Kind = "wasm"        // Code is a WebAssembly core module
)

// A Driver is one version of what turns the payloads of a kind of device into data. On disk it is a folder: driver.yaml, the
// code beside it.
type Driver struct {
	Name    string `json:"name"`    // 1 to 64 letters, digits, '.', '-' or '_': "acme-th1"
	Version string `json:"version"` // semantic version: "1.2.0"
	Kind    Kind   `json:"kind"`

	Title   string `json:"title,omitempty"` // for people
	Maker   string `json:"maker,omitempty"`
	License string `json:"license,omitempty"`
	Note    string `json:"note,omitempty"`

	// Firmware is the range of firmware versions the driver is for: ">=1.2 <2"; "" = all.
	Firmware string `json:"firmware,omitempty"`

	// Port is LoRaWAN's FPort, 1 to MaxPort, by which commands go out where the code names none, as scripts of before TS013 cannot; see
	// Ported. 0 = none.
	Port int `json:"port,omitempty"`

	// Code is the script, the module or the document.
	Code []byte `json:"code"`

	// Limit is how long one call may compute; 0 = 100 ms.
	Limit time.Duration `json:"limit,omitempty"`

	// Tests are inputs with what must come of them. A driver that fails its own tests is not taken.
	Tests []Test `json:"tests,omitempty"`
}

// Op is what a driver is asked to do.
type Op string

// The operations. A driver need not have them all.
const (
	DecodeUplink    Op = "decodeUplink"    // bytes of the device → data
	EncodeDownlink  Op = "encodeDownlink"  // data → bytes for the device
	DecodeDownlink  Op = "decodeDownlink"  // bytes for the device → data
	NormalizeUplink Op = "normalizeUplink" // decoded data → data in the common names
	OnEvent         Op = "onEvent"         // state and something that happened → state and commands (WASM)
)

// A Call is one thing asked of a driver.
type Call struct {
	Op Op `json:"op"`

	Bytes []byte    `json:"bytes,omitempty"` // what is decoded
	Port  int       `json:"port,omitempty"`  // LoRaWAN FPort, 1 to 223; 0 = none
	Topic string    `json:"topic,omitempty"` // where it came in; "" = not told
	Time  time.Time `json:"time,omitzero"`   // when it was received; the driver's clock stands at it

	// Kind is what kind of message an event is: telemetry, state, event, presence or response; "" = telemetry.
	Kind telemetry.Kind `json:"kind,omitempty"`

	// Command is the name of the command that EncodeDownlink writes, where Data has no place for it; see CommandFor.
	Command string `json:"command,omitempty"`

	// Data is what is encoded or normalised, or the event: what encoding/json makes of JSON.
	Data any `json:"data,omitempty"`

	// State is what the last OnEvent gave back for this twin; nil = none yet.
	State []byte `json:"state,omitempty"`

	// Variables are the device's own settings (ChirpStack's variables).
	Variables map[string]string `json:"variables,omitempty"`
}

// A Result is what came of a Call.
type Result struct {
	// Data is what was decoded or normalised, as encoding/json has it (maps, lists, float64, string, bool, nil); nil = nothing.
	Data any `json:"data,omitempty"`

	// Units are those that values of Data and Records are in, by property and as UCUM codes, where that is told. Many results share
	// one map: it is never changed.
	Units map[string]string `json:"units,omitempty"`

	Bytes []byte    `json:"bytes,omitempty"` // what was encoded
	Port  int       `json:"port,omitempty"`  // where it is to be sent
	Topic string    `json:"topic,omitempty"` // where it is to be sent; "" = the platform's own
	Time  time.Time `json:"time,omitzero"`   // when it was measured, if the driver could tell

	// Records are values of other times than Data's: the history that a frame brings along, in the frame's order.
	Records []Record `json:"records,omitempty"`

	State    []byte `json:"state,omitempty"`    // for the next OnEvent
	Commands []any  `json:"commands,omitempty"` // that OnEvent wants sent: CommandOf reads them

	// Warnings and Errors are the driver's own words. A result with errors has no data (TS013-1.0.0, 4.1.2).
	Warnings []string `json:"warnings,omitempty"`
	Errors   []string `json:"errors,omitempty"`

	// Log is what the driver wrote for whoever tests it.
	Log []string `json:"log,omitempty"`

	// Failure tells that the driver did not get to an answer, Reason why, for people.
	Failure Failure `json:"failure,omitempty"`
	Reason  string  `json:"reason,omitempty"`
}

// A Record is what was measured at one time.
type Record struct {
	Time time.Time      `json:"time,omitzero"` // zero = the device did not tell: when it was received
	Data map[string]any `json:"data"`

	Units map[string]string `json:"units,omitempty"` // of this record, if they are others than the result's
}

// Failure is how a call of a driver went wrong.
type Failure string

// The failures. Those above the line are the message's or the driver's fault and touch nobody; the others cost a worker, and a
// driver that keeps causing them is put into quarantine.
const (
	Missing   Failure = "missing"   // the driver has no such operation
	Exception Failure = "exception" // it threw, or trapped
	Invalid   Failure = "invalid"   // what it returned cannot be taken: no object, cyclic, bytes above 255

	Timeout Failure = "timeout" // it computed longer than it may
	Memory  Failure = "memory"  // it wanted more memory than it may have
	Output  Failure = "output"  // what it returned is larger than may be
	Crash   Failure = "crash"   // its worker ended
)

// Grave tells whether the failure is the driver's misconduct, not one message's.
func (f Failure) Grave() bool {
	return f == Timeout || f == Memory || f == Output || f == Crash
}

// OK tells whether there is an answer without errors.
func (r *Result) OK() bool { return r.Failure == "" && len(r.Errors) == 0 }

// A Codec is a driver that is ready to be called.
type Codec interface {
	// Run makes calls one after the other and returns a result for each. The error is not the driver's: the context has ended
	// or no worker could be had; then there are no results and the calls may be made again.
	Run(ctx context.Context, calls []Call) ([]Result, error)
}

// Bounds of what drivers are and give.
const (
	MaxCode   = 2 << 20   // bytes of a script or document; modules have MaxModule
	MaxModule = 16 << 20  // bytes of a WebAssembly module
	MaxInput  = 256 << 10 // bytes of a payload, as everywhere
	MaxOutput = 256 << 10 // bytes of a result as JSON
	MaxTests  = 1_000
	MaxNotes  = 20 // warnings or errors of a result, of 500 bytes each

	MaxState    = 64 << 10 // bytes that OnEvent keeps for a twin
	MaxCommands = 20       // that one OnEvent wants sent
)
