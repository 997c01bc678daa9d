package configurations

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	gotemplate "text/template"
	"text/template/parse"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"go.yaml.in/yaml/v3"
)

// The formats a rendered configuration may have.
var formats = []string{"json", "yaml", "text"}

// What populating a template may take.
const (
	maxTurns = 10_000  // of all loops and nested templates together
	maxWork  = 4 << 20 // bytes that functions make, altogether
	maxTime  = 2 * time.Second
)

// tick is the call that read puts into every loop and nested template, because Go's templates cannot be interrupted.
const tick = "castorTick"

// read parses a template and makes its loops count.
func read(content string, m *meter) (*gotemplate.Template, error) {
	if strings.Contains(content, tick) {
		return nil, api.Invalid("content: %s is a name of the platform's own", tick)
	}
	t, err := gotemplate.New("content").Option("missingkey=error").Funcs(m.functions()).Parse(content)
	if err != nil {
		return nil, api.Invalid("content is not a template: %s", cause(err))
	}
	trees, err := parse.Parse("tick", "{{"+tick+"}}", "", "", map[string]any{tick: m.turn})
	if err != nil {
		return nil, err
	}
	call := trees["tick"].Root.Nodes[0]
	for _, one := range t.Templates() {
		if one.Tree != nil && one.Root != nil {
			count(one.Root, call)
			one.Root.Nodes = append([]parse.Node{call.Copy()}, one.Root.Nodes...)
		}
	}
	return t, nil
}

// count puts call at the beginning of every loop below list.
func count(list *parse.ListNode, call parse.Node) {
	if list == nil {
		return
	}
	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.IfNode:
			count(n.List, call)
			count(n.ElseList, call)
		case *parse.WithNode:
			count(n.List, call)
			count(n.ElseList, call)
		case *parse.RangeNode:
			count(n.List, call)
			count(n.ElseList, call)
			n.List.Nodes = append([]parse.Node{call.Copy()}, n.List.Nodes...)
		}
	}
}

// expand populates a template with data and checks that the result is of the format.
func expand(t api.Template, data map[string]any) (string, error) {
	m := &meter{end: time.Now().Add(maxTime)} // the machine's clock: it measures work
	tpl, err := read(t.Content, m)
	if err != nil {
		return "", err
	}
	if err := tpl.Execute(m, data); err != nil {
		return "", api.Invalid("template %s cannot be populated: %s", t.Name, cause(err))
	}
	out := m.out.String()
	switch {
	case t.Format == "json" && !json.Valid([]byte(out)):
		err = errors.New("it is not JSON")
	case t.Format == "yaml":
		err = yaml.Unmarshal([]byte(out), new(yaml.Node)) // a Node keeps aliases as they are: none is multiplied
	case strings.ToValidUTF8(out, "") != out:
		err = errors.New("it is not UTF-8")
	}
	if err != nil {
		return "", api.Invalid("template %s, populated, is not of format %s: %v", t.Name, t.Format, err)
	}
	return out, nil
}

// cause is a template's error without the package's prefix.
func cause(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "template: "), "content: ")
}

// A meter is where a template is populated into; it stops one that takes too much.
type meter struct {
	out   bytes.Buffer
	end   time.Time
	turns int
	work  int
}

// Write takes output.
func (m *meter) Write(b []byte) (int, error) {
	if m.out.Len()+len(b) > maxContent {
		return 0, fmt.Errorf("the result has more than %d bytes", maxContent)
	}
	return m.out.Write(b)
}

func (m *meter) turn() (string, error) {
	m.turns++
	if m.turns > maxTurns {
		return "", fmt.Errorf("loops and nested templates take more than %d turns", maxTurns)
	}
	if time.Now().After(m.end) {
		return "", fmt.Errorf("it takes more than %s", maxTime)
	}
	return "", nil
}

// made counts what a function made.
func (m *meter) made(s string) (string, error) {
	m.work += len(s)
	if len(s) > maxContent || m.work > maxWork {
		return "", errors.New("its functions make too much text")
	}
	return s, nil
}

// functions are those that make text, in place of Go's own, which know no bounds. The others are Go's.
func (m *meter) functions() gotemplate.FuncMap {
	text := func(of func(...any) string) func(...any) (string, error) {
		return func(args ...any) (string, error) {
			total := 0
			for _, a := range args {
				if total += len(fmt.Sprint(a)); total > maxContent {
					return "", errors.New("its functions are given too much text")
				}
			}
			return m.made(of(args...))
		}
	}
	return gotemplate.FuncMap{
		tick:       m.turn,
		"print":    text(fmt.Sprint),
		"println":  text(fmt.Sprintln),
		"html":     text(gotemplate.HTMLEscaper),
		"js":       text(gotemplate.JSEscaper),
		"urlquery": text(gotemplate.URLQueryEscaper),
		"lower":    text(func(args ...any) string { return strings.ToLower(fmt.Sprint(args...)) }),
		"upper":    text(func(args ...any) string { return strings.ToUpper(fmt.Sprint(args...)) }),
		"printf":   m.printf,
		"json":     m.json,
	}
}

// printf is Go's, without the widths that make much of little.
func (m *meter) printf(format string, args ...any) (string, error) {
	largest, digits := 16, 0
	for _, a := range args {
		largest = max(largest, len(fmt.Sprint(a)))
	}
	for _, r := range format {
		if digits++; r < '0' || r > '9' {
			digits = 0
		}
		if digits > 3 || r == '*' {
			return "", errors.New("printf: a width or precision may have three digits, and may not be \"*\"")
		}
	}
	if verbs := strings.Count(format, "%"); len(format)+verbs*(6*largest+2000) > maxWork {
		return "", errors.New("printf is given too much text")
	}
	return m.made(fmt.Sprintf(format, args...))
}

// json writes a value as JSON: the safe way to put a text into a JSON or YAML document.
func (m *meter) json(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return m.made(string(b))
}
