package driver

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// A Command is what OnEvent wants a device to do.
type Command struct {
	Name    string
	Input   json.RawMessage // nil = none
	Timeout time.Duration   // 0 = as long as commands take where nobody says
}

// maxTimeout is how long a command of a driver's may wait, in seconds: an hour, so that none takes a twin's room from people for long.
const maxTimeout = 60 * 60

// CommandOf reads one of a result's commands: name, and input and timeout in seconds if they are there. Another name in it is refused,
// so that a slip of the pen is found.
func CommandOf(v any) (c Command, err error) {
	m, ok := v.(map[string]any)
	if !ok {
		return c, errors.New("a command must be a map with name, and input and timeout if they are needed")
	}
	for k, v := range m {
		switch k {
		case "name":
			c.Name, _ = v.(string)
		case "input":
			if v == nil {
				break
			}
			if c.Input, err = json.Marshal(v); err != nil {
				return c, fmt.Errorf("input of a command cannot be said in JSON: %w", err)
			}
		case "timeout":
			seconds, ok := number(v)
			if !ok || seconds < 1 || seconds > maxTimeout || seconds != math.Trunc(seconds) {
				return c, fmt.Errorf("timeout of a command must be whole seconds from 1 to %d", maxTimeout)
			}
			c.Timeout = time.Duration(seconds) * time.Second
		default:
			return c, fmt.Errorf("%.40q is not known in a command: it has name, input and timeout", leastUnknown(m))
		}
	}
	switch {
	case !twin.CommandPattern.MatchString(c.Name):
		return c, fmt.Errorf("name %.80q of a command must be 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter", c.Name)
	case len(c.Input) > telemetry.MaxInput:
		return c, fmt.Errorf("input of command %s has %d bytes, at most %d are taken", c.Name, len(c.Input), telemetry.MaxInput)
	}
	return c, nil
}

// CommandFor is the call by which a driver of a kind writes a command; nil = no input. TS013 knows no commands, only data: a script gets the
// input as that, of an object its members, of anything else its value, and the command's name beside it.
func CommandFor(kind Kind, name string, input json.RawMessage) (c Call, err error) {
	c.Op = EncodeDownlink
	var v any
	if len(input) > 0 {
		if err := json.Unmarshal(input, &v); err != nil {
			return c, fmt.Errorf("input of the command is not JSON: %w", err)
		}
	}
	if kind != JavaScript {
		data := map[string]any{"command": name}
		if v != nil {
			data["input"] = v
		}
		c.Data = data
		return c, nil
	}
	c.Command = name
	switch v := v.(type) {
	case map[string]any:
		c.Data = v
	case nil:
		c.Data = map[string]any{}
	default:
		c.Data = map[string]any{"value": v}
	}
	return c, nil
}

// leastUnknown is the first unknown name, so that the same answer is always refused in the same words.
func leastUnknown(m map[string]any) (least string) {
	known := []string{"name", "input", "timeout"}
	for k := range m {
		if !slices.Contains(known, k) && (least == "" || strings.Compare(k, least) < 0) {
			least = k
		}
	}
	return least
}
