package drivers_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
)

// A version is taken once its tests pass; the same again is the same answer, something else under its number is none.
func TestPublish(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	v := w.publish(w.press, script("acme-th1", "1.0.0", 0))
	if v.State != api.DriverDraft || v.By != "user:dev" || v.Tests != 1 || v.Size == 0 || len(v.Digest) != 64 || v.Signed {
		t.Errorf("%+v", v)
	}
	if again := w.publish(w.press, script("acme-th1", "1.0.0", 0)); again.Published != v.Published {
		t.Errorf("published again: %+v", again)
	}
	if _, err := w.press.PublishDriver(ctx, script("acme-th1", "1.0.0", 1)); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "give the changed driver a new version") {
		t.Errorf("other content: %v", err)
	}
	for _, number := range []string{"1.10.0", "1.9.0", "1.10.0-beta.1"} {
		w.publish(w.press, script("acme-th1", number, 0))
	}
	d, err := w.press.GetDriver(ctx, "acme-th1")
	w.must(err)
	var order []string
	for _, v := range d.Versions {
		order = append(order, v.Version)
	}
	if got := strings.Join(order, " "); got != "1.10.0 1.10.0-beta.1 1.9.0 1.0.0" || d.Owner != "press" || d.Title != "acme-th1 1.10.0" {
		t.Errorf("%s of %s: %s", d.Title, d.Owner, got)
	}
	whole, err := w.press.GetDriverVersion(ctx, "acme-th1", "1.0.0")
	w.must(err)
	if want := script("acme-th1", "1.0.0", 0); string(whole.Code) != string(want.Code) || len(whole.Tests) != 1 || whole.Tests[0].Bytes[0] != 15 {
		t.Errorf("%+v", whole)
	}
	code, err := w.press.DriverCode(ctx, v.Digest)
	if err != nil || string(code) != string(whole.Code) {
		t.Errorf("code: %q, %v", code, err)
	}
}

// Who refuses a driver says what is wrong and what would be right.
func TestRefused(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	changed := func(change func(*api.PublishDriver)) api.PublishDriver {
		in := script("acme-th1", "1.0.0", 0)
		change(&in)
		return in
	}
	for _, tt := range []struct {
		what string
		in   api.PublishDriver
		says string
	}{
		{"a test that fails", changed(func(in *api.PublishDriver) { in.Tests[0].Want.Data = map[string]any{"temperature": 15} }),
			`tests[0] "cold": data.temperature: want 15, got 1.5`},
		{"no test", changed(func(in *api.PublishDriver) { in.Tests = nil }), "a driver without tests is not taken"},
		{"no JavaScript", changed(func(in *api.PublishDriver) { in.Code = []byte("function decodeUplink( {") }), "code: "},
		{"a number that is no version", changed(func(in *api.PublishDriver) { in.Version = "1.0" }), `version "1.0" must be a semantic version`},
		{"a range that is none", changed(func(in *api.PublishDriver) { in.Firmware = "newer than 2" }), `firmware "newer than 2" must be a range`},
		{"a kind that is none", changed(func(in *api.PublishDriver) { in.Kind = "lua" }), "kind \"lua\" must be declarative, javascript or wasm"},
		{"no module", changed(func(in *api.PublishDriver) { in.Kind = driver.WASM }), "code is no WebAssembly module"},
		{"a component", changed(func(in *api.PublishDriver) { in.Kind, in.Code = driver.WASM, []byte("\x00asm\x0d\x00\x01\x00") }), "component"},
		{"a module for a script", changed(func(in *api.PublishDriver) { in.Code = []byte("\x00asm\x01\x00\x00\x00") }), "say kind wasm"},
		{"bytes for a script", changed(func(in *api.PublishDriver) { in.Code = []byte("\xff\xfe") }), "code must be text in UTF-8"},
		{"a large script", changed(func(in *api.PublishDriver) { in.Code = make([]byte, driver.MaxCode+1) }), "may have 2097152"},
		{"a document that cannot be meant", changed(func(in *api.PublishDriver) {
			in.Kind, in.Code = driver.Declarative, []byte("castor: 1\nuplink: {format: csv, fields: [{name: t, column: 1, unit: Cel}]}\n")
		}), "code: line 2: uplink[0].fields[0].unit is of numbers, and this stays a text: add as: number, or leave unit out"},
		{"a document with mistakes", changed(func(in *api.PublishDriver) { in.Kind, in.Code = driver.Declarative, []byte("castor: 2\nuplink: 3\n") }), "code: line 1"},
		{"an operation that is none", changed(func(in *api.PublishDriver) { in.Tests[0].Op = "decode" }), "tests[0].op \"decode\" must be decodeUplink"},
		{"another's group", changed(func(in *api.PublishDriver) { in.Owner = "paint" }), "your own groups only"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			_, err := w.press.PublishDriver(ctx, tt.in)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %s", err, tt.says)
			}
		})
	}
	if _, err := w.press.GetDriver(ctx, "acme-th1"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("something was kept: %v", err)
	}
	bad := script("acme-th1", "1.0.0", 0)
	bad.Tests = append(bad.Tests, bad.Tests[0], bad.Tests[0])
	bad.Tests[1].Want.Data, bad.Tests[2].Want.Data = map[string]any{"temperature": 2}, map[string]any{"t": 1.5}
	_, err := w.press.PublishDriver(ctx, bad)
	var p *api.Problem
	if !errors.As(err, &p) || len(p.Errors) != 2 || p.Detail != `2 of 3 tests fail; the first: tests[1] "cold": data.temperature: want 2, got 1.5` ||
		p.Errors[1] != `tests[2] "cold": data.t: want 1.5, got nothing; data.temperature: want nothing, got 1.5` {
		t.Errorf("%+v", err)
	}
}
