package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/driver"
	"go.yaml.in/yaml/v3"
)

// Faults are all that is wrong with a folder, each for people.
type Faults []string

// Error says one in each line.
func (f Faults) Error() string { return strings.Join(f, "\n") }

var (
	unknownKey = regexp.MustCompile(`^(line \d+): field (.+) not found in type layout\.(\w+)$`)
	otherType  = regexp.MustCompile("^(line \\d+): cannot unmarshal !!(\\w+) (?:`(.*)` )?into (.+)$")
)

// yamlFaults says in the words of driver.yaml what its reader says in those of this program.
func yamlFaults(err error) error {
	var many *yaml.TypeError
	said := []string{strings.TrimPrefix(err.Error(), "yaml: ")}
	if errors.As(err, &many) {
		said = many.Errors
	}
	faults := make(Faults, len(said))
	for i, s := range said {
		if m := unknownKey.FindStringSubmatch(s); m != nil {
			s = fmt.Sprintf("%s: %.60q is not known here; there are %s", m[1], m[2], strings.Join(keysOf[m[3]], ", "))
		} else if m := otherType.FindStringSubmatch(s); m != nil {
			was := map[string]string{"seq": "a list", "map": "an object with keys and values"}[m[2]]
			if was == "" {
				was = fmt.Sprintf("%.60q", m[3])
			}
			s = fmt.Sprintf("%s: %s must be %s", m[1], was, wordFor(m[4]))
		}
		faults[i] = FileName + ": " + s
	}
	return faults
}

// keysOf are the keys that stand in driver.yaml, by the type they become.
var keysOf = map[string][]string{"folder": keys[folder](), "test": keys[test](), "want": keys[want](), "record": keys[record]()}

func keys[T any]() (names []string) {
	for f := range reflect.TypeFor[T]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// wordFor says what a value must be that becomes a type.
func wordFor(goType string) string {
	switch {
	case goType == "time.Duration":
		return "a duration like 100ms"
	case goType == "int":
		return "a whole number"
	case goType == "float64":
		return "a number"
	case strings.HasPrefix(goType, "[]"), strings.HasPrefix(goType, "layout.list"):
		return "a list"
	case strings.HasPrefix(goType, "map["), strings.HasPrefix(goType, "layout."):
		return "an object with keys and values"
	}
	return "text"
}

// unread says why a file of the folder called shown cannot be had, and what to do.
func unread(err error, root fs.FS, dir, shown string, f *folder) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return Faults{FileName + ": code: " + err.Error()}
	}
	remedy := "write it, or name the file that there is"
	if f.Kind == driver.WASM {
		remedy = "build the module"
		if _, err := fs.Stat(root, path.Join(dir, "Makefile")); err == nil {
			remedy = "build it: make -C " + shown
		}
	}
	return Faults{fmt.Sprintf("%s: code: there is no file %s; %s", FileName, f.Code, remedy)}
}
