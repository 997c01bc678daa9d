package driver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/Masterminds/semver/v3"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// What is taken of a driver's words and tests.
const (
	maxTitle    = 200 // bytes; maker and license too
	maxNote     = 2000
	maxFirmware = 100
	maxLimit    = time.Second // that one call may compute: drivers that take longer keep new ones and each other waiting
	maxTests    = 4 << 20     // bytes of all tests as JSON
)

var wasmMagic = []byte("\x00asm")

// ErrTooLarge is within the error of a driver whose code or tests are too large.
var ErrTooLarge = errors.New("too large")

// Load is asked of a driver to see whether it can be loaded at all. None has it: a module lacks it, a script throws.
const Load Op = "load"

// Check refuses what cannot be published as a driver, and brings the values of its tests to one form. It runs nothing.
func Check(d *Driver) error {
	if err := CheckVersion(d.Version); err != nil {
		return err
	}
	if twin.ID(d.Name).Valid() != nil {
		return fmt.Errorf("name %.80q must be 1 to 64 letters, digits, '.', '-' or '_', beginning with a letter or digit", d.Name)
	}
	for _, t := range []struct {
		field, text string
		most        int
	}{{"title", d.Title, maxTitle}, {"maker", d.Maker, maxTitle}, {"license", d.License, maxTitle}, {"note", d.Note, maxNote}} {
		if len(t.text) > t.most || !utf8.ValidString(t.text) {
			return fmt.Errorf("%s must be at most %d bytes of UTF-8", t.field, t.most)
		}
		if strings.ContainsFunc(t.text, func(r rune) bool { return hidden(r) && !(t.field == "note" && (r == '\n' || r == '\t')) }) {
			return fmt.Errorf("%s must be without control characters and such as change the direction of text", t.field)
		}
	}
	if _, err := Range(d.Firmware); err != nil {
		return err
	}
	if err := CheckRun(d); err != nil {
		return err
	}
	if len(d.Tests) == 0 {
		return errors.New("tests: there is none, and a driver without tests is not taken; give one payload of the device with the data that must come of it")
	}
	return nil
}

// CheckRun refuses what cannot be tried out as a driver: its limit, port, code or tests. The values of the tests come to one form.
func CheckRun(d *Driver) error {
	if d.Limit < 0 || d.Limit > maxLimit {
		return fmt.Errorf("limit %s must be 0 (100 ms) to %s", d.Limit, maxLimit)
	}
	if d.Port < 0 || d.Port > MaxPort {
		return fmt.Errorf("port %d must be 1 to %d: commands go out by it where the code names none; leave it out for none", d.Port, MaxPort)
	}
	if err := checkCode(d); err != nil {
		return err
	}
	return checkTests(d)
}

// CheckVersion refuses what is no version of a driver.
func CheckVersion(s string) error {
	v, err := semver.StrictNewVersion(s)
	if err != nil || len(s) > 64 || v.Metadata() != "" {
		return fmt.Errorf("version %.80q must be a semantic version like 1.2.0 or 1.3.0-beta.1, without build metadata", s)
	}
	return nil
}

// Range reads a range of firmware versions; nil = all.
func Range(s string) (*semver.Constraints, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	if len(s) <= maxFirmware {
		if c, err := semver.NewConstraint(s); err == nil {
			c.IncludePrerelease = true // a device with a beta of 1.3 is one with firmware above 1.2
			return c, nil
		}
	}
	return nil, fmt.Errorf("firmware %.120q must be a range of versions of at most %d bytes, like \">=1.2 <2\", \"1.x\" or \"<1.4 || >=2\"; leave it out for all", s, maxFirmware)
}

// checkCode refuses code that is not of its kind, as far as a look at it tells.
func checkCode(d *Driver) error {
	most := MaxCode
	if d.Kind == WASM {
		most = MaxModule
	}
	isModule := bytes.HasPrefix(d.Code, wasmMagic)
	switch {
	case !slices.Contains([]Kind{Declarative, JavaScript, WASM}, d.Kind):
		return fmt.Errorf("kind %.40q must be declarative, javascript or wasm", string(d.Kind))
	case len(d.Code) == 0:
		return errors.New("code is missing: it is the document, the script or the module")
	case len(d.Code) > most:
		return fmt.Errorf("code is %w: it has %d bytes, a driver of kind %s may have %d", ErrTooLarge, len(d.Code), d.Kind, most)
	case d.Kind == WASM && !isModule:
		return errors.New("code is no WebAssembly module: it must begin with the bytes 00 61 73 6d")
	case d.Kind != WASM && isModule:
		return fmt.Errorf("code is a WebAssembly module, kind is %s: say kind wasm", d.Kind)
	case d.Kind != WASM && !utf8.Valid(d.Code):
		return errors.New("code must be text in UTF-8")
	}
	return nil
}

func checkTests(d *Driver) error {
	if len(d.Tests) > MaxTests {
		return fmt.Errorf("tests: at most %d, not %d", MaxTests, len(d.Tests))
	}
	tests, err := PlainTests(d.Tests)
	if err != nil {
		return err
	}
	d.Tests = tests
	for i, t := range tests {
		if len(t.Name) > maxTitle || !utf8.ValidString(t.Name) {
			return fmt.Errorf("tests[%d].name must be at most %d bytes of UTF-8", i, maxTitle)
		}
		if err := t.Call.Check(); err != nil {
			return fmt.Errorf("tests[%d].%w", i, err)
		}
	}
	if text, err := json.Marshal(tests); err != nil || len(text) > maxTests {
		return fmt.Errorf("tests are %w: they may have %d bytes as JSON in all", ErrTooLarge, maxTests)
	}
	return nil
}

// EventKinds are the kinds of messages that OnEvent is called with.
var EventKinds = []telemetry.Kind{telemetry.Telemetry, telemetry.State, telemetry.Event, telemetry.Presence, telemetry.Response}

var ops = []Op{DecodeUplink, EncodeDownlink, DecodeDownlink, NormalizeUplink, OnEvent}

// Check names what is wrong with a call, its field first.
func (c *Call) Check() error {
	switch {
	case !slices.Contains(ops, c.Op):
		return fmt.Errorf("op %.40q must be decodeUplink, encodeDownlink, decodeDownlink, normalizeUplink or onEvent", string(c.Op))
	case len(c.Bytes) > MaxInput:
		return fmt.Errorf("bytes: %d, at most %d are taken", len(c.Bytes), MaxInput)
	case c.Port < 0 || c.Port > 255:
		return fmt.Errorf("port %d must be 1 to 255; leave it out for none", c.Port)
	case c.Kind != "" && (c.Op != OnEvent || !slices.Contains(EventKinds, c.Kind)):
		return fmt.Errorf("kind %.40q must be telemetry, state, event, presence or response, and goes with op onEvent", string(c.Kind))
	case c.Command != "" && c.Op != EncodeDownlink:
		return errors.New("command goes with op encodeDownlink; leave it out")
	case c.Command != "" && !twin.CommandPattern.MatchString(c.Command):
		return fmt.Errorf("command %.80q must be 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter", c.Command)
	case len(c.State) > MaxState:
		return fmt.Errorf("state: %d bytes, at most %d are kept", len(c.State), MaxState)
	case len(c.Topic) > 1024 || !utf8.ValidString(c.Topic):
		return errors.New("topic must be at most 1024 bytes of UTF-8")
	}
	return nil
}

// hidden tells whether a character could make a text look like another on a screen.
func hidden(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
