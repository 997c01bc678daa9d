package twinprovision_test

import (
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
)

// What cannot be read at all is a fault like any other: with its line and column.
func TestWhatIsNoYAMLHasItsPlace(t *testing.T) {
	w := start(t)
	for name, tt := range map[string]struct {
		body         string
		line, column int
		word         string
	}{
		"a value that goes on":          {"id: good\nstart: a: b\n", 2, 1, "mapping values"},
		"a tab":                         {"id: good\n\tstart: x\n", 2, 2, "tab"},
		"a brace that is not closed":    {"id: good\nstates:\n  - {name: a, do: b\n  - {name: c}\n", 3, 3, "',' or '}'"},
		"a field that is indented less": {"id: good\nstates:\n- name: x\n do: y\n", 4, 2, "expected key"},
		"a list in a mapping":           {"id: good\n- a\n", 2, 1, "expected key"},
		"an alias of nothing":           {"id: good\n\nx: *foo\n", 3, 1, "foo"},
		"a control character":           {"id: good\nnote: \x01\n", 2, 1, "control"},
		"no text":                       {"id: good\nstart: a\nnote: \xff\n", 3, 1, "UTF-8"},
		"an end too early":              {"id: good\nstates: [", 2, 1, "YAML"},
		"one line":                      {"a: {b: c, d: e: f}", 1, 1, "YAML"},
		"a brace":                       {"{", 1, 1, "YAML"},
		"a list of what":                {"id: good\nstates:\n  - name: claim\n    do: check-claim\n   then: x\n", 3, 3, "YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := w.admin.CheckModel(w.ctx, api.TypeYAML, []byte(tt.body))
			w.must(err)
			if len(c.Faults) != 1 || c.Faults[0].Line != tt.line || c.Faults[0].Column != tt.column || !strings.Contains(c.Faults[0].Text, tt.word) ||
				strings.Contains(c.Faults[0].Text, "line ") {
				t.Errorf("its faults are %+v, want %q at %d:%d", c.Faults, tt.word, tt.line, tt.column)
			}
		})
	}
}
