// Package images builds the programs of functions' images without Docker: it lays out the build context as faas-cli does for
// "faas-cli build --shrinkwrap", and then does what the template's Dockerfile says. So tests run what is deployed. It makes no
// images: "make images" does, from the same files.
package images

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Stack is what building needs of stack.yml.
type Stack struct {
	Configuration struct {
		Copy []string `yaml:"copy"` // paths below the root that every function gets into its folder
	} `yaml:"configuration"`
	Functions map[string]Function `yaml:"functions"`
}

// A Function is an entry of stack.yml.
type Function struct {
	Lang        string            `yaml:"lang"`
	Handler     string            `yaml:"handler"`
	Image       string            `yaml:"image"`
	BuildArgs   map[string]string `yaml:"build_args"`
	Secrets     []string          `yaml:"secrets"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
	ReadOnly    bool              `yaml:"readonly_root_filesystem"`

	Environment     map[string]string `yaml:"environment"`
	EnvironmentFile []string          `yaml:"environment_file"`
	Requests        Resources         `yaml:"requests"`
	Limits          Resources         `yaml:"limits"`
}

// Resources are amounts in the notation of Kubernetes; "" = not said.
type Resources struct {
	Memory string `yaml:"memory"`
	CPU    string `yaml:"cpu"`
}

// Root is the repository's folder: the first with a go.mod, from the present folder upwards.
func Root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("no go.mod here or above: run it in the repository")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// ReadStack reads stack.yml of the repository at root.
func ReadStack(root string) (s Stack, err error) {
	return s, readYAML(filepath.Join(root, "stack.yml"), &s)
}

// Shrinkwrap lays out the build context of a function at dir/<function> and returns that folder, empty of anything else:
// the template's files, with the handler's folder and what configuration.copy names in the template's handler_folder. What the
// template's .dockerignore names is not there, because Docker leaves it out of what faas-cli has laid out.
func Shrinkwrap(dir, root, function string) (context string, err error) {
	stack, err := ReadStack(root)
	if err != nil {
		return "", err
	}
	f, ok := stack.Functions[function]
	if !ok {
		return "", fmt.Errorf("stack.yml has no function %s", function)
	}
	template := filepath.Join(root, "template", f.Lang)
	var language struct {
		HandlerFolder string `yaml:"handler_folder"`
	}
	if err := readYAML(filepath.Join(template, "template.yml"), &language); err != nil {
		return "", err
	}
	if language.HandlerFolder == "" {
		language.HandlerFolder = "function"
	}
	context = filepath.Join(dir, function)
	if err := os.RemoveAll(context); err != nil {
		return "", err
	}
	if err := copyTo(context, template); err != nil {
		return "", err
	}
	ignored, err := ignoredBy(filepath.Join(template, ".dockerignore"))
	if err != nil {
		return "", err
	}
	but := func(path string) bool {
		rel, err := filepath.Rel(context, path)
		return err == nil && ignored(filepath.ToSlash(rel))
	}
	into := filepath.Join(context, language.HandlerFolder)
	handler := filepath.Join(root, f.Handler)
	entries, err := os.ReadDir(handler)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if e.Name() == "build" || e.Name() == "template" { // faas-cli's own folders, wherever they are
			continue
		}
		if err := copyBut(filepath.Join(into, e.Name()), filepath.Join(handler, e.Name()), but); err != nil {
			return "", err
		}
	}
	for _, extra := range stack.Configuration.Copy {
		if !filepath.IsLocal(extra) || filepath.Clean(extra) == "." {
			return "", fmt.Errorf("stack.yml: configuration.copy names %q; faas-cli copies only what lies below the root", extra)
		}
		if err := copyBut(filepath.Join(into, extra), filepath.Join(root, extra), but); err != nil {
			return "", err
		}
	}
	return context, nil
}

// copyTo copies a file, or a folder and all in it, with their modes; hidden files too, and what links lead to.
func copyTo(to, from string) error {
	return copyBut(to, from, func(string) bool { return false })
}

// copyBut is copyTo without what is left out there, by the path it would have.
func copyBut(to, from string, leftOut func(to string) bool) error {
	if leftOut(to) {
		return nil
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		entries, err := os.ReadDir(from)
		if err == nil {
			err = os.MkdirAll(to, info.Mode().Perm())
		}
		for _, e := range entries {
			if err == nil {
				err = copyBut(filepath.Join(to, e.Name()), filepath.Join(from, e.Name()), leftOut)
			}
		}
		return err
	}
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, b, info.Mode().Perm())
	}
	return err
}

// readYAML reads a file as faas-cli does: ${NAME:-value} stands for a variable of the environment, here always for its default.
func readYAML(path string, into any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := os.Expand(string(b), func(name string) string {
		_, otherwise, _ := strings.Cut(name, ":-")
		return otherwise
	})
	if err := yaml.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
