// Command newfunction adds a function in all its places: its folder, functions.All, stack.yml and openapi.yaml. It is what
// `make new NAME=x` runs. What it makes compiles, answers and passes the house's rules; the work is left to its author.
package main

import (
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var valid = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

func main() {
	if err := run(".", os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "newfunction:", err)
		os.Exit(1)
	}
}

func run(root string, args []string) error {
	if len(args) != 1 || !valid.MatchString(args[0]) || len(args[0]) > 40 {
		return fmt.Errorf("give one name of lower-case words with dashes between them, like twin-energy")
	}
	name := args[0]
	pkg := strings.ReplaceAll(name, "-", "")
	dir := filepath.Join(root, "functions", name)
	if _, err := os.Stat(dir); err == nil {
		return fmt.Errorf("functions/%s is there already", name)
	}
	for _, edit := range []struct {
		file string
		do   func(string) (string, error)
	}{
		{"functions/functions.go", func(s string) (string, error) { return addToList(s, name, pkg) }},
		{"stack.yml", func(s string) (string, error) { return s + fmt.Sprintf(stanza, name), nil }},
		{"functions/openapi.yaml", func(s string) (string, error) { return insertAfter(s, "\npaths:\n", fmt.Sprintf(path, name, pkg)) }},
	} {
		file := filepath.Join(root, edit.file)
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		s, err := edit.do(string(b))
		if err != nil {
			return fmt.Errorf("%s: %w", edit.file, err)
		}
		if err := os.WriteFile(file, []byte(s), 0o644); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "handler.go"), fmt.Appendf(nil, code, pkg, name, name), 0o644); err != nil {
		return err
	}
	fmt.Printf("functions/%s is in all its places. Say its job in functions/%s/handler.go and describe its calls in functions/openapi.yaml.\n", name, name)
	return nil
}

// addToList puts the function into functions.All by its name, and its import beside the others.
func addToList(s, name, pkg string) (string, error) {
	alias := ""
	if pkg != name {
		alias = pkg + " "
	}
	s, err := insertAfter(s, "import (\n", fmt.Sprintf("\t%s\"github.com/castor-iot/castor/functions/%s\"\n", alias, name))
	if err != nil {
		return "", err
	}
	head, list, ok := strings.Cut(s, "var All = []Function{\n")
	if !ok {
		return "", fmt.Errorf("there is no var All")
	}
	entry := fmt.Sprintf("\t{Name: %q, New: %s.New, Capabilities: %q},\n", name, pkg, name)
	lines := strings.SplitAfter(list, "\n")
	for i, l := range lines {
		if l == "}\n" || strings.HasPrefix(l, "\t{Name: ") && l > fmt.Sprintf("\t{Name: %q", name) {
			lines = append(lines[:i], append([]string{entry}, lines[i:]...)...)
			break
		}
	}
	b, err := format.Source([]byte(head + "var All = []Function{\n" + strings.Join(lines, "")))
	return string(b), err
}

func insertAfter(s, mark, text string) (string, error) {
	i := strings.Index(s, mark)
	if i < 0 {
		return "", fmt.Errorf("there is no %q", strings.TrimSpace(mark))
	}
	i += len(mark)
	return s[:i] + text + s[i:], nil
}

const stanza = `  %[1]s:
    <<: *function
    handler: ./functions/%[1]s
    image: ${CASTOR_REGISTRY:-castor}/%[1]s:${CASTOR_VERSION:-latest}
    secrets: [castor-mongo-url, castor-nats-token, castor-part-%[1]s]
    annotations:
      <<: *annotations
      castor.capabilities: "%[1]s"
`

const path = `  /function/%[1]s/hello:
    get:
      operationId: %[2]sHello
      summary: Tells that the function is there
      tags: [%[1]s]
      x-castor-roles: [maintainer, configurator, owner, developer, viewer]
      responses:
        '200':
          description: It is.
          content:
            application/json:
              schema: {type: object, required: [hello], properties: {hello: {type: string}}}
        default: {$ref: '#/components/responses/Problem'}
`

const code = `// Package %[1]s is function %[2]s: say here what it does, which part of the paper it is, and what it leaves to others.
package %[1]s

import (
	"context"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Handle is the entry point OpenFaaS calls.
func Handle(req handler.Request) (handler.Response, error) { return handle(req) }

var handle = platform.Lazy(%[3]q, New)

// New returns the function running on p.
func New(p *platform.Platform) faas.Func {
	return faas.Routes{
		"GET /hello": faas.Op(p, access.Users(), hello),
	}.Func()
}

// Hello is the answer of GET /hello.
type Hello struct {
	Hello string ` + "`json:\"hello\"`" + `
}

func hello(_ context.Context, c *faas.Call, _ faas.None) (Hello, error) {
	return Hello{Hello: c.Caller.ID}, nil
}
`
