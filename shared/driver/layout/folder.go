package layout

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/telemetry"
	"go.yaml.in/yaml/v3"
)

// FileName is the file that makes a folder a driver.
const FileName = "driver.yaml"

// A folder is driver.yaml.
type folder struct {
	Name     string        `yaml:"name"`
	Version  string        `yaml:"version"`
	Kind     driver.Kind   `yaml:"kind"`
	Code     string        `yaml:"code"` // the file beside it
	Title    string        `yaml:"title,omitempty"`
	Maker    string        `yaml:"maker,omitempty"`
	License  string        `yaml:"license,omitempty"`
	Note     string        `yaml:"note,omitempty"`
	Firmware string        `yaml:"firmware,omitempty"`
	Limit    time.Duration `yaml:"limit,omitempty"`
	Port     int           `yaml:"port,omitempty"`
	Tests    []test        `yaml:"tests,omitempty"`
}

// A test gives its payload in one of three ways.
type test struct {
	Name      string            `yaml:"name,omitempty"`
	Op        driver.Op         `yaml:"op,omitempty"` // "" = decodeUplink
	Bytes     *octets           `yaml:"bytes,omitempty"`
	Base64    string            `yaml:"base64,omitempty"`
	Text      string            `yaml:"text,omitempty"`
	Port      int               `yaml:"port,omitempty"`
	Topic     string            `yaml:"topic,omitempty"`
	Time      moment            `yaml:"time,omitempty"`
	Kind      telemetry.Kind    `yaml:"kind,omitempty"`    // of op onEvent; none = telemetry
	Command   string            `yaml:"command,omitempty"` // of op encodeDownlink, for a script
	Data      data              `yaml:"data,omitempty"`
	State     *octets           `yaml:"state,omitempty"` // of op onEvent; none = the twin's first
	Variables map[string]string `yaml:"variables,omitempty"`
	Want      want              `yaml:"want"`
}

// want is what must come of a test. Bytes, state and lists that are empty are wanted so; those that are not there are not looked at.
type want struct {
	Data     data         `yaml:"data,omitempty"`
	Bytes    *octets      `yaml:"bytes,omitempty"`
	Text     string       `yaml:"text,omitempty"`
	Port     int          `yaml:"port,omitempty"`
	Topic    string       `yaml:"topic,omitempty"`
	Time     moment       `yaml:"time,omitempty"`
	Records  list[record] `yaml:"records,omitempty"`
	State    *octets      `yaml:"state,omitempty"`
	Commands list[data]   `yaml:"commands,omitempty"`
	Warnings list[string] `yaml:"warnings,omitempty"`
	Errors   []string     `yaml:"errors,omitempty"`
}

type record struct {
	Time moment `yaml:"time,omitempty"`
	Data data   `yaml:"data"`
}

// A list is there also if it is empty.
type list[T any] []T

// IsZero is yaml's.
func (l list[T]) IsZero() bool { return l == nil }

// Folder reads the driver in a folder of Castor's own form.
func Folder(dir string) (*driver.Driver, error) {
	d, err := folderAt(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is not in %s: castor driver new makes a folder with it, castor driver get NAME --to DIR one of a published driver: %w", FileName, dir, err)
		}
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return d, nil
}

func folderAt(dir string) (*driver.Driver, error) {
	inside, err := enter(dir)
	if err != nil {
		return nil, err
	}
	defer inside.Close()
	return readFolder(inside.FS(), ".", dir)
}

func folders(root fs.FS, shown string) (suites []Suite, err error) {
	err = walk(root, func(name string) error {
		if path.Base(name) != FileName {
			return nil
		}
		d, err := readFolder(root, path.Dir(name), path.Join(shown, path.Dir(name)))
		if err != nil {
			suites = append(suites, Suite{Vendor: path.Dir(name), Name: folderName(filepath.Join(shown, path.Dir(name))), Broken: err})
			return nil
		}
		suites = append(suites, Suite{Vendor: path.Dir(name), Name: d.Name, Driver: *d, Tests: d.Tests})
		return nil
	})
	return suites, err
}

// folderName is what a folder is called, also where people know it as ".".
func folderName(dir string) string {
	if whole, err := filepath.Abs(dir); err == nil {
		dir = whole
	}
	return filepath.Base(dir)
}

// readFolder reads the driver in dir, which people know as shown.
func readFolder(root fs.FS, dir, shown string) (*driver.Driver, error) {
	text, err := read(root, path.Join(dir, FileName))
	if err != nil {
		return nil, err
	}
	if err := bounded(text); err != nil {
		return nil, Faults{FileName + ": " + err.Error()}
	}
	var f folder
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return nil, yamlFaults(err)
	}
	if f.Code == "" {
		return nil, fmt.Errorf("%s: code must name the file beside it: codec.js, module.wasm or fields.yaml", FileName)
	}
	d := &driver.Driver{Name: f.Name, Version: f.Version, Kind: f.Kind, Title: f.Title, Maker: f.Maker, License: f.License, Note: f.Note, Firmware: f.Firmware, Limit: f.Limit, Port: f.Port}
	if d.Code, err = read(root, path.Join(dir, f.Code)); err != nil {
		return nil, unread(err, root, dir, shown, &f)
	}
	for i := range f.Tests {
		t, err := f.Tests[i].test()
		if err != nil {
			return nil, fmt.Errorf("%s: tests[%d] %q: %w", FileName, i, f.Tests[i].Name, err)
		}
		d.Tests = append(d.Tests, t)
	}
	return d, nil
}

func (t *test) test() (driver.Test, error) {
	out := driver.Test{Name: t.Name, Call: driver.Call{Op: t.Op, Port: t.Port, Topic: t.Topic, Time: t.Time.Time, Kind: t.Kind, Command: t.Command, Data: t.Data.value, State: t.State.bytes(), Variables: t.Variables},
		Want: t.Want.want()}
	if out.Op == "" {
		out.Op = driver.DecodeUplink
	}
	given := 0
	if t.Bytes != nil {
		out.Bytes = t.Bytes.bytes()
		given++
	}
	if t.Text != "" {
		out.Bytes = []byte(t.Text)
		given++
	}
	if t.Base64 != "" {
		b, err := base64.StdEncoding.DecodeString(t.Base64)
		if err != nil {
			return out, fmt.Errorf("base64: %w", err)
		}
		out.Bytes = b
		given++
	}
	if given > 1 {
		return out, errors.New("give one of bytes, base64 and text")
	}
	return out, nil
}

func (w *want) want() driver.Want {
	out := driver.Want{Data: w.Data.value, Bytes: w.Bytes.bytes(), Port: w.Port, Topic: w.Topic, Time: w.Time.Time, State: w.State.bytes(), Warnings: w.Warnings, Errors: w.Errors}
	if out.Bytes == nil && w.Text != "" {
		out.Bytes = []byte(w.Text)
	}
	if w.Records != nil {
		out.Records = make([]driver.Record, len(w.Records))
	}
	for i, r := range w.Records {
		data, _ := r.Data.value.(map[string]any)
		out.Records[i] = driver.Record{Time: r.Time.Time, Data: data}
	}
	if w.Commands != nil {
		out.Commands = make([]any, len(w.Commands))
	}
	for i, c := range w.Commands {
		out.Commands[i] = c.value
	}
	return out
}
