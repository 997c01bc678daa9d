package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/castor-iot/castor/shared/twin"
)

// An Answer is what a device says of a command.
type Answer struct {
	Command string `json:"command"` // the command's id
	OK      bool   `json:"ok"`      // carried out; false = it failed, Reason says why

	// Output is JSON; nil if there is none.
	Output []byte `json:"output,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Bounds on a command and its answer, in bytes.
const (
	MaxInput  = 65_536
	MaxOutput = 65_536
	MaxReason = 1_024
)

var commandPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// The words for Answer.OK, on the wire and in history.
const (
	Succeeded = "succeeded"
	Failed    = "failed"
)

// NewAnswer reads a device's answer from decoded JSON or CBOR: {"status": "succeeded"|"failed", "output": …, "reason": …}.
// An output that cannot be kept is left out, and the reason says so: what became of the command counts more.
func NewAnswer(command string, data map[string]any) (*Answer, error) {
	a := &Answer{Command: command}
	switch data["status"] {
	case Succeeded:
		a.OK = true
	case Failed:
	default:
		return nil, fmt.Errorf("%w: status of an answer must be %q or %q", twin.ErrInvalid, Succeeded, Failed)
	}
	switch reason := data["reason"].(type) {
	case nil:
	case string:
		a.Reason = reason
	default:
		return nil, fmt.Errorf("%w: reason of an answer must be text", twin.ErrInvalid)
	}
	if out := data["output"]; out != nil {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(Plain(out, nil)); err != nil {
			a.Reason = "the output was not kept, it cannot be said in JSON. " + a.Reason
		} else {
			a.Output = bytes.TrimSpace(b.Bytes())
		}
	}
	if n := len(a.Output); n > MaxOutput {
		a.Output = nil
		a.Reason = fmt.Sprintf("the output of %d bytes was not kept, at most %d are taken. %s", n, MaxOutput, a.Reason)
	}
	return a, a.Normalise()
}

// Normalise checks an answer that was made elsewhere, and shortens its reason to what is kept.
func (a *Answer) Normalise() error {
	switch {
	case !commandPattern.MatchString(a.Command):
		return fmt.Errorf("%w: %.80q is no id of a command", twin.ErrInvalid, a.Command)
	case len(a.Output) > MaxOutput:
		return fmt.Errorf("%w: output has %d bytes, at most %d are taken", twin.ErrInvalid, len(a.Output), MaxOutput)
	case a.Output != nil && !json.Valid(a.Output):
		return fmt.Errorf("%w: output must be JSON", twin.ErrInvalid)
	}
	a.Reason = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' ' // it is shown on people's terminals
		}
		return r
	}, strings.ToValidUTF8(a.Reason[:min(len(a.Reason), MaxReason)], ""))
	a.Reason = strings.TrimSpace(a.Reason)
	return nil
}

// Samples are the answer as history keeps it.
func (a *Answer) Samples() []Sample {
	s := []Sample{{"command", a.Command}, {"status", Failed}}
	if a.OK {
		s[1].Value = Succeeded
	}
	if a.Reason != "" {
		s = append(s, Sample{"reason", a.Reason})
	}
	if a.Output != nil {
		s = append(s, Sample{"output", strings.ToValidUTF8(string(a.Output), "\uFFFD")})
	}
	return s
}

// AnswerOf is Samples in reverse; false if they are no answer.
func AnswerOf(samples []Sample) (a Answer, ok bool) {
	for _, s := range samples {
		v, _ := s.Value.(string)
		switch s.Property {
		case "command":
			a.Command = v
		case "status":
			a.OK, ok = v == Succeeded, v == Succeeded || v == Failed
		case "reason":
			a.Reason = v
		case "output":
			a.Output = []byte(v)
		}
	}
	return a, ok && a.Command != ""
}
