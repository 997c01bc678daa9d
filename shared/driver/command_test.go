package driver_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
)

func TestCommandOf(t *testing.T) {
	type m = map[string]any
	for name, c := range map[string]struct {
		said  any
		input string
		wait  time.Duration
		no    string
	}{
		"a name":                {m{"name": "heat"}, "", 0, ""},
		"all":                   {m{"name": "heat", "input": m{"on": true}, "timeout": 90.0}, `{"on":true}`, 90 * time.Second, ""},
		"an input that is null": {m{"name": "heat", "input": nil}, "", 0, ""},
		"no map":                {"heat", "", 0, "must be a map"},
		"no name":               {m{"input": 1.0}, "", 0, `name "" of a command`},
		"a name like none":      {m{"name": "a b"}, "", 0, `name "a b" of a command`},
		"something else":        {m{"name": "heat", "on": true, "off": 1.0}, "", 0, `"off" is not known`},
		"no time":               {m{"name": "heat", "timeout": 0.0}, "", 0, "timeout"},
		"part of a second":      {m{"name": "heat", "timeout": 1.5}, "", 0, "timeout"},
		"a time like text":      {m{"name": "heat", "timeout": "1m"}, "", 0, "timeout"},
		"more than an hour":     {m{"name": "heat", "timeout": 3_601.0}, "", 0, "timeout"},
		"a large input":         {m{"name": "heat", "input": strings.Repeat("x", 65_536)}, "", 0, "65538 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := driver.CommandOf(c.said)
			if c.no != "" {
				if err == nil || !strings.Contains(err.Error(), c.no) {
					t.Errorf("%+v, %v; want an error with %q", got, err, c.no)
				}
				return
			}
			if err != nil || got.Name != "heat" || string(got.Input) != c.input || got.Timeout != c.wait {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestCommandFor(t *testing.T) {
	type m = map[string]any
	for name, c := range map[string]struct {
		kind    driver.Kind
		input   string
		command string
		data    any
	}{
		"a script, an object":   {driver.JavaScript, `{"percent":40}`, "open", m{"percent": 40.0}},
		"a script, a number":    {driver.JavaScript, `40`, "open", m{"value": 40.0}},
		"a script, nothing":     {driver.JavaScript, ``, "open", m{}},
		"a script, null":        {driver.JavaScript, `null`, "open", m{}},
		"a document, an object": {driver.Declarative, `{"percent":40}`, "", m{"command": "open", "input": m{"percent": 40.0}}},
		"a module, nothing":     {driver.WASM, ``, "", m{"command": "open"}},
	} {
		got, err := driver.CommandFor(c.kind, "open", []byte(c.input))
		if err == nil {
			err = got.Check()
		}
		if err != nil || got.Op != driver.EncodeDownlink || got.Command != c.command || !reflect.DeepEqual(got.Data, c.data) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := driver.CommandFor(driver.JavaScript, "open", []byte("{")); err == nil || !strings.Contains(err.Error(), "input") {
		t.Error(err)
	}
	for _, bad := range []driver.Call{{Op: driver.DecodeUplink, Command: "open"}, {Op: driver.EncodeDownlink, Command: "a b"}} {
		if err := bad.Check(); err == nil || !strings.HasPrefix(err.Error(), "command ") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
