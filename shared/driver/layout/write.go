package layout

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/castor-iot/castor/shared/driver"
	"go.yaml.in/yaml/v3"
)

// codeFiles is what the code's file is called by a driver's kind.
var codeFiles = map[driver.Kind]string{driver.Declarative: "fields.yaml", driver.JavaScript: "codec.js", driver.WASM: "driver.wasm"}

// Write makes a folder of a driver, which Folder reads again, and returns the names of its files. Files that are there are in the
// way (fs.ErrExist), unless replace is set.
func Write(dir string, d *driver.Driver, replace bool) (written []string, err error) {
	code, ok := codeFiles[d.Kind]
	if !ok {
		return nil, fmt.Errorf("kind %q is not known: declarative, javascript, wasm", d.Kind)
	}
	f := folder{Name: d.Name, Version: d.Version, Kind: d.Kind, Code: code, Title: d.Title, Maker: d.Maker, License: d.License, Note: d.Note, Firmware: d.Firmware, Limit: d.Limit, Port: d.Port}
	for i := range d.Tests {
		f.Tests = append(f.Tests, testOf(&d.Tests[i]))
	}
	var text bytes.Buffer
	enc := yaml.NewEncoder(&text)
	enc.SetIndent(2)
	if err := enc.Encode(f); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, file := range []struct {
		name string
		text []byte
	}{{FileName, text.Bytes()}, {code, d.Code}} {
		name := filepath.Join(dir, file.name)
		if _, err := os.Lstat(name); !replace && !errors.Is(err, fs.ErrNotExist) {
			return written, fmt.Errorf("%s: %w", name, fs.ErrExist)
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) { // a link's target is nobody's to replace
			return written, err
		}
		if err := os.WriteFile(name, file.text, 0o644); err != nil {
			return written, err
		}
		written = append(written, name)
	}
	return written, nil
}

func testOf(t *driver.Test) test {
	out := test{Name: t.Name, Op: t.Op, Bytes: octetsOf(t.Bytes), Port: t.Port, Topic: t.Topic, Time: moment{t.Time}, Kind: t.Kind, Command: t.Command, Data: data{t.Data}, State: octetsOf(t.State), Variables: t.Variables,
		Want: want{Data: data{t.Want.Data}, Bytes: octetsOf(t.Want.Bytes), Port: t.Want.Port, Topic: t.Want.Topic, Time: moment{t.Want.Time}, State: octetsOf(t.Want.State),
			Warnings: t.Want.Warnings, Errors: t.Want.Errors}}
	if out.Op == driver.DecodeUplink {
		out.Op = ""
	}
	if t.Want.Records != nil {
		out.Want.Records = list[record]{}
	}
	for _, r := range t.Want.Records {
		out.Want.Records = append(out.Want.Records, record{moment{r.Time}, data{r.Data}})
	}
	if t.Want.Commands != nil {
		out.Want.Commands = list[data]{}
	}
	for _, c := range t.Want.Commands {
		out.Want.Commands = append(out.Want.Commands, data{c})
	}
	return out
}

func octetsOf(b []byte) *octets {
	if b == nil {
		return nil
	}
	o := octets(b)
	return &o
}
