package layout

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// A few kilobytes of aliases do not become gigabytes, in any layout that YAML is of; those of a sensible file are read.
func TestAliasesAreBounded(t *testing.T) {
	const about = "name: a\nversion: 1.0.0\nkind: javascript\ncode: codec.js\n"
	many := func(line string) string { return strings.Repeat(line, 2000) }
	long := "[" + strings.Repeat("0,", 20_000) + "0]"
	var nested strings.Builder
	for c := 'b'; c < 'j'; c++ {
		fmt.Fprintf(&nested, "      %c: &%c [%s]\n", c, c, strings.Repeat(fmt.Sprintf("*%c, ", c-1), 9))
	}
	for name, c := range map[string]struct{ layout, file, text string }{
		"one list in many tests": {"castor", FileName, about + "tests:\n  - {name: x, data: &a " + long + "}\n" + many("  - {data: *a}\n")},
		"lists of lists":         {"castor", FileName, about + "tests:\n  - data:\n      a: &a [0,0,0,0,0,0,0,0,0]\n" + nested.String()},
		"of a collection":        {"lorawan-devices", "acme/a.yaml", "x: &a " + long + "\nuplinkDecoder:\n  fileName: codec.js\n  examples:\n" + many("    - {input: {data: *a}, output: {data: {}}}\n")},
	} {
		dir := tree(t, map[string]string{c.file: c.text, "codec.js": meter, "acme/codec.js": meter})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		suites, err := Read(c.layout, dir)
		runtime.ReadMemStats(&after)
		if err != nil || len(suites) != 1 || suites[0].Broken == nil || !strings.Contains(suites[0].Broken.Error(), "more than 1000000 values") {
			t.Errorf("%s: %d suites, %v", name, len(suites), err)
		}
		if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 200 {
			t.Errorf("%s: reading took %d MiB", name, took)
		}
	}
	dir := tree(t, map[string]string{"codec.js": meter, FileName: about + "tests:\n  - {bytes: &b 00 7d, want: &w {data: {level: 12.5}}}\n  - {bytes: *b, want: *w}\n"})
	if d, err := Folder(dir); err != nil || len(d.Tests) != 2 || d.Tests[1].Want.Data == nil {
		t.Errorf("a test that is as another: %+v, %v", d, err)
	}
	dir = tree(t, map[string]string{"codec.js": meter, FileName: about + "tests:\n  - data: &a [*a]\n"})
	if _, err := Folder(dir); err == nil || !strings.Contains(err.Error(), "contains itself") {
		t.Errorf("what contains itself: %v", err)
	}
}
