// Package layout reads drivers with their tests from folders: Castor's own form (driver.yaml beside the code), and the public
// collections of codecs as they are, those of The Things Network (lorawan-devices) and of ChirpStack (device profiles). It runs
// nothing.
package layout

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/driver"
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
	inside, err := enter(dir)
	if err != nil {
		return nil, err
	}
	defer inside.Close()
	root := inside.FS()
	var suites []Suite
	switch layout {
	case "castor":
		suites, err = folders(root, dir)
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
		return nil, fmt.Errorf("no driver of layout %s is in %s%s", layout, dir, likely(root, dir))
	}
	slices.SortFunc(suites, func(a, b Suite) int {
		if c := strings.Compare(a.Vendor, b.Vendor); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return suites, nil
}

// likely tells in which layout a folder has drivers; "" = in none.
func likely(root fs.FS, dir string) string {
	for layout, find := range map[string]func() ([]Suite, error){
		"castor":          func() ([]Suite, error) { return folders(root, dir) },
		"lorawan-devices": func() ([]Suite, error) { return lorawanDevices(root) },
		"chirpstack":      func() ([]Suite, error) { return chirpstack(root) },
	} {
		if suites, err := find(); err == nil && len(suites) > 0 {
			return "; there are some of --layout " + layout
		}
	}
	return ""
}

// absent is the name of what is not there.
type absent string

func (a absent) Error() string { return "there is no " + string(a) }

// Is tells that it is an fs.ErrNotExist.
func (a absent) Is(err error) bool { return err == fs.ErrNotExist }

// maxFile bounds what is read of one file.
const maxFile = 16 << 20

// enter opens a folder that somebody else may have made: what its links point to outside is not there.
func enter(dir string) (*os.Root, error) {
	if info, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, absent("folder " + dir)
	} else if err != nil {
		return nil, err
	} else if !info.IsDir() { // a pipe would be waited for
		return nil, fmt.Errorf("%s is no folder", dir)
	}
	return os.OpenRoot(dir)
}

// read reads a file of the folder that is a file: a pipe or a device might never end.
func read(root fs.FS, name string) ([]byte, error) {
	name = path.Clean(name)
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("%q must be a file in the folder", name)
	}
	info, err := fs.Stat(root, name)
	switch {
	case err != nil && strings.HasSuffix(err.Error(), "path escapes from parent"): // os.Root gives it no name
		return nil, fmt.Errorf("%s is a link that leaves the folder, which is not followed; put a copy of the file there", name)
	case errors.Is(err, fs.ErrNotExist):
		return nil, absent("file " + name)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file but %s; put a file there", name, what(info.Mode()))
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		return nil, fmt.Errorf("%s has more than %d MiB, and no more are read; make it smaller", name, maxFile>>20)
	}
	return text, err
}

// what names a file that is none.
func what(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
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
	Data     any     `yaml:"data"`
	Bytes    *octets `yaml:"bytes"`
	FPort    int     `yaml:"fPort"`
	Warnings texts   `yaml:"warnings"`
	Errors   texts   `yaml:"errors"`
}

func (e *example) read(n *yaml.Node) error {
	asJSYAML(n, make(map[*yaml.Node]bool))
	return n.Decode(e)
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
