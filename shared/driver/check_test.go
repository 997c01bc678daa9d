package driver

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// What cannot be published is refused with the field and what would be right; the rest is taken.
func TestCheck(t *testing.T) {
	good := func() *Driver {
		return &Driver{Name: "acme-th1", Version: "1.0.0", Kind: JavaScript, Code: []byte("x"), Firmware: ">=1.2 <2",
			Tests: []Test{{Call: Call{Op: DecodeUplink, Data: map[string]any{"n": 1}}}}}
	}
	d := good()
	if err := Check(d); err != nil || d.Tests[0].Data.(map[string]any)["n"] != 1.0 {
		t.Errorf("a good driver: %v, its test has %v", err, d.Tests[0].Data)
	}
	for want, spoil := range map[string]func(d *Driver){
		"version \"1.0\" must be a semantic version": func(d *Driver) { d.Version = "1.0" },
		"firmware \"1..2\" must be a range":          func(d *Driver) { d.Firmware = "1..2" },
		"give one payload of the device":             func(d *Driver) { d.Tests = nil },
		"name \"a/b\" must be":                       func(d *Driver) { d.Name = "a/b" },
		"title must be at most 200 bytes":            func(d *Driver) { d.Title = strings.Repeat("x", 201) },
		"maker must be without control":              func(d *Driver) { d.Maker = "acme\x1b[2J" },
		"title must be without control":              func(d *Driver) { d.Title = "acme\u202e" },
		"note must be without control":               func(d *Driver) { d.Note = "two\nlines\u009b" },
		"limit 2s must be 0 (100 ms) to 1s":          func(d *Driver) { d.Limit = 2 * time.Second },
		"port 224 must be 1 to 223":                  func(d *Driver) { d.Port = MaxPort + 1 },
		"port -1 must be 1 to 223":                   func(d *Driver) { d.Port = -1 },
		"kind \"\" must be declarative":              func(d *Driver) { d.Kind = "" },
		"code is no WebAssembly module":              func(d *Driver) { d.Kind = WASM },
		"tests[0].op \"guess\" must be":              func(d *Driver) { d.Tests[0].Op = "guess" },
		"code is too large":                          func(d *Driver) { d.Code = make([]byte, MaxCode+1) },
	} {
		d := good()
		spoil(d)
		err := Check(d)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if large := strings.Contains(want, "too large"); errors.Is(err, ErrTooLarge) != large {
			t.Errorf("%v: too large is %v", err, !large)
		}
	}
}
