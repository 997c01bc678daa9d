package deploy

import (
	"maps"
	"regexp"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// A Stack is what of stack.yml other deployments must say, too.
type Stack struct {
	Functions map[string]struct {
		Image   string            `yaml:"image"`
		Secrets []string          `yaml:"secrets"`
		Labels  map[string]string `yaml:"labels"`
	} `yaml:"functions"`
}

// Stack reads stack.yml.
func (f Files) Stack() (s Stack, err error) {
	return s, yaml.Unmarshal([]byte(f["stack.yml"]), &s)
}

// Names are the functions' names, sorted.
func (s Stack) Names() []string { return slices.Sorted(maps.Keys(s.Functions)) }

// clusterAddress is a service's address as Kubernetes has it: name.namespace:port.
var clusterAddress = regexp.MustCompile(`([a-z0-9-]+)\.([a-z0-9-]+):(\d+)`)

func itoa(n int32) string { return strconv.Itoa(int(n)) }
