package javascript

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/driver"
)

// A reply is what serve, in prelude.js, answers.
type reply struct {
	Data     any      `json:"data,omitempty"`
	Bytes    any      `json:"bytes,omitempty"`
	FPort    any      `json:"fPort,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	Errors   []string `json:"errors,omitempty"`
	Notes    []string `json:"notes,omitempty"` // numbers that JSON does not have
	Log      []string `json:"log,omitempty"`

	None    bool   `json:"none,omitempty"`    // it returned nothing
	Missing bool   `json:"missing,omitempty"` // it has no such function
	Wrong   string `json:"wrong,omitempty"`
	Thrown  string `json:"thrown,omitempty"`
	Kind    string `json:"kind,omitempty"`  // the name of what was thrown
	Stack   string `json:"stack,omitempty"` // the calls under way then, the last one first
	Made    bool   `json:"made,omitempty"`  // and in a function of the codec, not while the codec was evaluated

	Failure driver.Failure `json:"failure,omitempty"`
	Reason  string         `json:"reason,omitempty"`
}

// older are the names that functions have in codecs of before TS013.
var older = map[driver.Op]string{driver.DecodeUplink: ", and none of the older names Decoder and Decode", driver.EncodeDownlink: ", and none of the older names Encoder and Encode"}

// Read makes a result of an answer of Call. The codec has had a hand in the text, so nothing of it is believed unchecked.
func Read(op driver.Op, answer string) driver.Result {
	var a reply
	if err := json.Unmarshal([]byte(answer), &a); err != nil {
		return wrong("what it returned cannot be read: %v", err)
	}
	var r driver.Result
	switch {
	case a.Failure != "":
		return driver.Result{Failure: a.Failure, Reason: a.Reason, Log: a.Log}
	case a.Missing && op == driver.OnEvent:
		return driver.Result{Failure: driver.Missing, Reason: "no function onEvent of a codec is called: only drivers in WebAssembly react"}
	case a.Missing:
		return driver.Result{Failure: driver.Missing, Reason: fmt.Sprintf("the codec has no function %s%s", op, older[op])}
	case a.Thrown != "":
		return thrown(op, a)
	case a.Wrong != "":
		return wrong("%s", a.Wrong)
	case a.None:
		return wrong("it returned nothing; an object with data, or with errors, is needed")
	}
	r.Warnings, r.Errors, r.Log = driver.Notes(slices.Concat(a.Warnings, a.Notes)), driver.Notes(a.Errors), a.Log
	if len(r.Errors) > 0 {
		return r
	}
	if op != driver.EncodeDownlink {
		if a.Data == nil {
			return r
		}
		switch a.Data.(type) {
		case map[string]any, []any:
		default:
			return wrong("data must be an object, not %.60v", a.Data)
		}
		r.Data = a.Data
		return r
	}
	list, ok := a.Bytes.([]any)
	if !ok && a.Bytes != nil {
		return wrong("bytes must be a list of numbers")
	}
	r.Bytes = make([]byte, len(list))
	for i, v := range list {
		f, ok := v.(float64)
		if !ok || f != math.Trunc(f) || f < 0 || f > 255 {
			return wrong("bytes[%d] is %.40v, it must be a whole number from 0 to 255", i, v)
		}
		r.Bytes[i] = byte(f)
	}
	if port, ok := a.FPort.(float64); ok {
		if port != math.Trunc(port) || port < 0 || port > 255 {
			return wrong("fPort is %v, it must be 1 to 223", port)
		}
		r.Port = int(port)
	}
	return r
}

func wrong(format string, a ...any) driver.Result {
	return driver.Result{Failure: driver.Invalid, Reason: fmt.Sprintf(format, a...)}
}

// thrown tells an exception. One that says there is no memory, or no room for calls, is the engine's.
func thrown(op driver.Op, a reply) driver.Result {
	f := driver.Exception
	if a.Kind == "InternalError" {
		switch {
		case strings.Contains(a.Thrown, "out of memory"), strings.Contains(a.Thrown, "string too long"):
			f = driver.Memory
		case strings.Contains(a.Thrown, "interrupted"):
			f = driver.Timeout
		}
	}
	return driver.Result{Failure: f, Reason: a.Thrown + places(op, a), Log: a.Log}
}

// A frame is a line of a stack that is about a script; there are others, about what is built in.
var frame = regexp.MustCompile(`(?m)^ *at (.*) \(<eval>:(\d+):\d+\)$`)

const maxPlaces = 3

// places says where in the codec it was thrown: " at header (line 5), decodeUplink (line 9)". What the stack ends with is prelude.js's:
// the function that serve makes, the one of calls, and what looks at the answer.
func places(op driver.Op, a reply) string {
	frames := frame.FindAllStringSubmatch(a.Stack, -1)
	end := func(names ...string) {
		if n := len(frames); n > 0 && slices.Contains(names, frames[n-1][1]) {
			frames = frames[:n-1]
		}
	}
	end("<anonymous>")
	if a.Made {
		end(string(op))
		end("answer", "encoded")
	}
	if len(frames) == 0 {
		return ""
	}
	var told []string
	for _, f := range frames[:min(len(frames), maxPlaces)] {
		told = append(told, fmt.Sprintf("%.60s (line %s)", f[1], f[2]))
	}
	return " at " + strings.Join(told, ", ")
}
