package layout

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/castor-iot/castor/shared/driver"
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
	Title    string        `yaml:"title"`
	Maker    string        `yaml:"maker"`
	License  string        `yaml:"license"`
	Note     string        `yaml:"note"`
	Firmware string        `yaml:"firmware"`
	Limit    time.Duration `yaml:"limit"`
	Tests    []test        `yaml:"tests"`
}

// A test gives its payload in one of four ways.
type test struct {
	Name      string            `yaml:"name"`
	Op        driver.Op         `yaml:"op"` // "" = decodeUplink
	Bytes     *octets           `yaml:"bytes"`
	Base64    string            `yaml:"base64"`
	Text      string            `yaml:"text"`
	Port      int               `yaml:"port"`
	Topic     string            `yaml:"topic"`
	Time      moment            `yaml:"time"`
	Data      any               `yaml:"data"`
	State     octets            `yaml:"state"` // of op onEvent; none = the twin's first
	Variables map[string]string `yaml:"variables"`
	Want      want              `yaml:"want"`
}

// want is what must come of a test. Bytes, state and lists that are empty are wanted so; those that are not there are not looked at.
type want struct {
	Data     any      `yaml:"data"`
	Bytes    *octets  `yaml:"bytes"`
	Text     string   `yaml:"text"`
	Port     int      `yaml:"port"`
	Topic    string   `yaml:"topic"`
	Time     moment   `yaml:"time"`
	Records  []record `yaml:"records"`
	State    *octets  `yaml:"state"`
	Commands []any    `yaml:"commands"`
	Warnings []string `yaml:"warnings"`
	Errors   []string `yaml:"errors"`
}

type record struct {
	Time moment         `yaml:"time"`
	Data map[string]any `yaml:"data"`
}

// Folder reads the driver in a folder of Castor's own form.
func Folder(dir string) (*driver.Driver, error) {
	d, err := readFolder(os.DirFS(dir), ".")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return d, nil
}

func folders(root fs.FS) (suites []Suite, err error) {
	err = walk(root, func(name string) error {
		if path.Base(name) != FileName {
			return nil
		}
		d, err := readFolder(root, path.Dir(name))
		if err != nil {
			suites = append(suites, Suite{Vendor: path.Dir(name), Name: FileName, Broken: err})
			return nil
		}
		suites = append(suites, Suite{Vendor: path.Dir(name), Name: d.Name, Driver: *d, Tests: d.Tests})
		return nil
	})
	return suites, err
}

func readFolder(root fs.FS, dir string) (*driver.Driver, error) {
	text, err := read(root, path.Join(dir, FileName))
	if err != nil {
		return nil, err
	}
	var f folder
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", FileName, err)
	}
	if f.Code == "" {
		return nil, fmt.Errorf("%s: code must name the file beside it: codec.js, module.wasm or fields.yaml", FileName)
	}
	d := &driver.Driver{Name: f.Name, Version: f.Version, Kind: f.Kind, Title: f.Title, Maker: f.Maker, License: f.License, Note: f.Note, Firmware: f.Firmware, Limit: f.Limit}
	if d.Code, err = read(root, path.Join(dir, f.Code)); err != nil {
		return nil, fmt.Errorf("%s: code: %w", FileName, err)
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
	out := driver.Test{Name: t.Name, Call: driver.Call{Op: t.Op, Port: t.Port, Topic: t.Topic, Time: t.Time.Time, Data: value(t.Data), State: t.State, Variables: t.Variables}}
	if out.Op == "" {
		out.Op = driver.DecodeUplink
	}
	given := 0
	if t.Bytes != nil {
		out.Bytes = *t.Bytes
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
	out.Want = t.Want.want()
	return out, nil
}

func (w *want) want() driver.Want {
	out := driver.Want{Data: value(w.Data), Port: w.Port, Topic: w.Topic, Time: w.Time.Time, Warnings: w.Warnings, Errors: w.Errors}
	if w.Bytes != nil {
		out.Bytes = append([]byte{}, *w.Bytes...)
	} else if w.Text != "" {
		out.Bytes = []byte(w.Text)
	}
	if w.State != nil {
		out.State = append([]byte{}, *w.State...)
	}
	if w.Commands != nil {
		out.Commands = value(w.Commands).([]any)
	}
	if w.Records != nil {
		out.Records = make([]driver.Record, 0, len(w.Records))
	}
	for _, r := range w.Records {
		data, _ := value(r.Data).(map[string]any)
		out.Records = append(out.Records, driver.Record{Time: r.Time.Time, Data: data})
	}
	return out
}
