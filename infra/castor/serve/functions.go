package serve

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/castor-iot/castor/infra/gateway"
	"go.yaml.in/yaml/v3"
)

const maxFile = 1 << 20 // bytes of a file of functions

// A Stack is what this program needs of a stack file of faas-cli.
type Stack struct {
	Functions map[string]struct {
		Image       string            `yaml:"image"`
		Labels      map[string]string `yaml:"labels"`
		Annotations map[string]string `yaml:"annotations"`
		Secrets     []string          `yaml:"secrets"`
	} `yaml:"functions"`
}

// ReadStack reads a stack file. Variables in it are replaced as faas-cli does: ${NAME:-otherwise}.
func ReadStack(path string, env func(string) string) (Stack, error) {
	var s Stack
	b, err := read(path)
	if err != nil {
		return s, err
	}
	if err := yaml.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("%s: %s", path, oneLine(err))
	}
	if len(s.Functions) == 0 {
		return s, fmt.Errorf("%s names no functions: name the platform's stack.yml by --stack", path)
	}
	for name, f := range s.Functions {
		f.Image = variable.ReplaceAllStringFunc(f.Image, func(v string) string {
			m := variable.FindStringSubmatch(v)
			if set := env(m[1]); set != "" {
				return set
			}
			return m[2]
		})
		s.Functions[name] = f
	}
	return s, nil
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}`)

// placed is one function in the file of --functions.
type placed struct {
	URLs        []string          `yaml:"urls"`
	Annotations map[string]string `yaml:"annotations"`
}

// parsePlaces reads where functions are.
func parsePlaces(path string, b []byte) (map[string]placed, error) {
	places := map[string]placed{}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&places); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %s; it must be like {twins: {urls: [http://10.0.0.5:8080]}}", path, oneLine(err))
	}
	return places, nil
}

// merge puts the places above the stack: a function's URLs are those of its place, else made from upstream. Annotations of
// the place go above the stack's.
func merge(stack Stack, places map[string]placed, upstream string) ([]gateway.Function, error) {
	names := slices.Collect(maps.Keys(stack.Functions))
	for name := range places {
		if _, ok := stack.Functions[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var functions []gateway.Function
	for _, name := range names {
		if !validName.MatchString(name) {
			return nil, fmt.Errorf("function %q must have lower case letters, digits and '-' only", name)
		}
		s, place := stack.Functions[name], places[name]
		f := gateway.Function{Name: name, Image: s.Image, Labels: s.Labels, Annotations: maps.Clone(s.Annotations), Upstreams: place.URLs}
		if f.Annotations == nil {
			f.Annotations = map[string]string{}
		}
		maps.Copy(f.Annotations, place.Annotations)
		if _, ok := places[name]; !ok && upstream != "" {
			f.Upstreams = []string{strings.ReplaceAll(upstream, "{name}", name)}
		}
		if err := f.Check(); err != nil {
			return nil, err
		}
		functions = append(functions, f)
	}
	return functions, nil
}

var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s has more than 1 MiB", path)
	}
	return b, err
}

// unknownField is how the decoder says that a key is none, in words about Go.
var unknownField = regexp.MustCompile(`field (\S+) not found in type \S+`)

func oneLine(err error) string {
	why := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "unmarshal errors:")
	return unknownField.ReplaceAllString(strings.Join(strings.Fields(why), " "), `there is no key "$1"`)
}
