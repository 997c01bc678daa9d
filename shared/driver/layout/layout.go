// Package layout reads drivers with their tests from folders: Castor's own form (driver.yaml beside the code), and the public
// collections of codecs as they are, those of The Things Network (lorawan-devices) and of ChirpStack (device profiles). It runs
// nothing.
package layout

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/telemetry"
	"go.yaml.in/yaml/v3"
)

// A Suite is a codec with the tests that its makers publish.
type Suite struct {
	Vendor string // the folder's name
	Name   string // of the file that lists the tests
	Driver driver.Driver
	Broken error // the codec cannot be had: all its tests fail
	Tests  []driver.Test
	Unread []error // tests that cannot be read
}

// Layouts are the names that Read knows.
var Layouts = []string{"castor", "lorawan-devices", "chirpstack"}

// Read finds the suites of a folder in one of the Layouts, sorted by vendor and name.
func Read(layout, dir string) ([]Suite, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is no folder", dir)
	}
	root := os.DirFS(dir)
	var suites []Suite
	var err error
	switch layout {
	case "castor":
		suites, err = folders(root)
	case "lorawan-devices":
		suites, err = lorawanDevices(root)
	case "chirpstack":
		suites, err = chirpstack(root)
	default:
		return nil, fmt.Errorf("layout %q is not known: %s", layout, strings.Join(Layouts, ", "))
	}
	if err != nil {
		return nil, err
	}
	if len(suites) == 0 {
		return nil, fmt.Errorf("no driver of layout %s is in %s", layout, dir)
	}
	slices.SortFunc(suites, func(a, b Suite) int {
		if c := strings.Compare(a.Vendor, b.Vendor); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return suites, nil
}

// maxFile bounds what is read of one file.
const maxFile = 16 << 20

func read(root fs.FS, name string) ([]byte, error) {
	name = path.Clean(name)
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("%q must be a file in the folder", name)
	}
	info, err := fs.Stat(root, name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are read", name, info.Size(), maxFile)
	}
	return fs.ReadFile(root, name)
}

// walk calls f for the files of the tree; what cannot be opened is an error.
func walk(root fs.FS, f func(name string) error) error {
	return fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		return f(name)
	})
}

// value makes of YAML what encoding/json makes of JSON, but that times stay times.
func value(v any) any { return telemetry.Plain(v, leaf) }

func leaf(v any) any {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil // as JSON.stringify has it
		}
	}
	return v
}

// octets reads the bytes of an example: a list of numbers, or hexadecimal text.
type octets []byte

// UnmarshalYAML reads a list or text.
func (o *octets) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		text := strings.NewReplacer(" ", "", "\n", "", "\t", "", ":", "", "-", "", "0x", "", ",", "").Replace(n.Value)
		if len(text)%2 != 0 {
			return fmt.Errorf("line %d: bytes %.40q must be pairs of hexadecimal digits", n.Line, n.Value)
		}
		*o = make(octets, 0, len(text)/2)
		for i := 0; i < len(text); i += 2 {
			b, err := strconv.ParseUint(text[i:i+2], 16, 8)
			if err != nil {
				return fmt.Errorf("line %d: bytes %.40q must be hexadecimal digits", n.Line, n.Value)
			}
			*o = append(*o, byte(b))
		}
		return nil
	}
	var list []float64
	if err := n.Decode(&list); err != nil {
		return err
	}
	*o = make(octets, len(list))
	for i, f := range list {
		if f != math.Trunc(f) || f < -128 || f > 255 {
			return fmt.Errorf("line %d: bytes[%d] is %v, it must be 0 to 255", n.Line, i, f)
		}
		(*o)[i] = byte(int(f))
	}
	return nil
}

// moment reads a time: RFC 3339 text, or what YAML takes for one.
type moment struct{ time.Time }

// UnmarshalYAML reads a timestamp or text.
func (m *moment) UnmarshalYAML(n *yaml.Node) error {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(form, strings.TrimSpace(n.Value)); err == nil {
			m.Time = t
			return nil
		}
	}
	if ms, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
		m.Time = time.UnixMilli(ms)
		return nil
	}
	return fmt.Errorf("line %d: time %.40q must be like 2026-03-21T10:00:00Z", n.Line, n.Value)
}

// An example is one test as the collections write it.
type example struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	Input       struct {
		FPort     int               `yaml:"fPort"`
		Bytes     octets            `yaml:"bytes"`
		RecvTime  moment            `yaml:"recvTime"`
		Data      any               `yaml:"data"`
		Variables map[string]string `yaml:"variables"`
	} `yaml:"input"`
	Output           *outcome `yaml:"output"`
	Expected         *outcome `yaml:"expected"`
	NormalizedOutput *outcome `yaml:"normalizedOutput"`
}

type outcome struct {
	Data     any      `yaml:"data"`
	Bytes    *octets  `yaml:"bytes"`
	FPort    int      `yaml:"fPort"`
	Warnings []string `yaml:"warnings"`
	Errors   []string `yaml:"errors"`
}

func (e *example) tests(op driver.Op) (tests []driver.Test, err error) {
	want := e.Output
	if want == nil {
		want = e.Expected
	}
	if want == nil {
		return nil, fmt.Errorf("example %q has no output", e.title())
	}
	call := driver.Call{Op: op, Bytes: e.Input.Bytes, Port: e.Input.FPort, Time: e.Input.RecvTime.Time, Data: value(e.Input.Data), Variables: e.Input.Variables}
	tests = append(tests, driver.Test{Name: e.title(), Call: call, Want: want.want()})
	if e.NormalizedOutput != nil && want.Data != nil {
		normal := driver.Call{Op: driver.NormalizeUplink, Data: value(want.Data)}
		tests = append(tests, driver.Test{Name: e.title() + " (normalized)", Call: normal, Want: e.NormalizedOutput.want()})
	}
	return tests, nil
}

func (e *example) title() string {
	if e.Name != "" {
		return e.Name
	}
	return e.Description
}

func (o *outcome) want() driver.Want {
	w := driver.Want{Data: value(o.Data), Port: o.FPort, Warnings: o.Warnings, Errors: o.Errors}
	if len(o.Warnings) == 0 {
		w.Warnings = nil
	}
	if o.Bytes != nil {
		w.Bytes = []byte(*o.Bytes)
		if w.Bytes == nil {
			w.Bytes = []byte{}
		}
	}
	return w
}
