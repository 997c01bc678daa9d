package deploy

import (
	"fmt"
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
		Files   []string          `yaml:"environment_file"`
		Env     map[string]string `yaml:"environment"`
		Limits  struct {
			Memory string `yaml:"memory"`
		} `yaml:"limits"`
	} `yaml:"functions"`
}

// Stack reads stack.yml.
func (f Files) Stack() (s Stack, err error) {
	return s, yaml.Unmarshal([]byte(f["stack.yml"]), &s)
}

// Names are the functions' names, sorted.
func (s Stack) Names() []string { return slices.Sorted(maps.Keys(s.Functions)) }

// Labels are those of a function's pods: its own, and what OpenFaaS adds.
func (s Stack) Labels(name string) map[string]string {
	all := map[string]string{"faas_function": name}
	maps.Copy(all, s.Functions[name].Labels)
	return all
}

// Pod is the place of a function.
func (s Stack) Pod(name string) Place {
	return Place{Namespace: FunctionsNamespace, Labels: s.Labels(name)}
}

// Environment is what a function is given by stack.yml and the files that it names.
func (f Files) Environment(s Stack, function string) (map[string]string, error) {
	all := map[string]string{}
	for _, file := range s.Functions[function].Files {
		var of struct {
			Environment map[string]string `yaml:"environment"`
		}
		if err := yaml.Unmarshal([]byte(f[file]), &of); err != nil || of.Environment == nil {
			return nil, fmt.Errorf("function %s: %s has no environment: %w", function, file, err)
		}
		maps.Copy(all, of.Environment)
	}
	maps.Copy(all, s.Functions[function].Env)
	return all, nil
}

// clusterAddress is a service's address as Kubernetes has it: name.namespace:port.
var clusterAddress = regexp.MustCompile(`([a-z0-9-]+)\.([a-z0-9-]+):(\d+)`)

func itoa(n int32) string { return strconv.Itoa(int(n)) }
