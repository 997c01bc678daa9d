package schema

import (
	"fmt"
	"maps"
	"net/url"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
)

// Bounds on a schema, and on judging: each schema in it may judge each value in what is judged, at some 500 bytes and a microsecond.
const (
	maxWork    = 100_000
	maxDepth   = 32     // levels of schemas in schemas
	maxSize    = 2_000  // schemas in it, counted once for each time that one is referred to
	maxPattern = 256    // bytes of a regular expression
	maxProgram = 20_000 // instructions of all regular expressions, compiled
)

// Dialect is the only $schema there is.
const Dialect = "https://json-schema.org/draft/2020-12/schema"

// Where keywords have schemas in them.
var (
	single = []string{"additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"}
	listed = []string{"allOf", "anyOf", "oneOf", "prefixItems"}
	mapped = []string{"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"}
	denied = []string{"$anchor", "$dynamicAnchor", "$dynamicRef", "$id", "$recursiveAnchor", "$recursiveRef", "$vocabulary"}
)

// A walk looks at a schema before the library does.
type walk struct {
	root    any
	sizes   map[string]int // of what $ref named, by pointer; -1 while it is being looked at
	program int
}

// check is how many schemas judge one value at most.
func (w *walk) check() (int, error) {
	w.sizes = map[string]int{}
	return w.schema(w.root, "", 0)
}

// schema is how many schemas judge a value that this one judges.
func (w *walk) schema(v any, at string, depth int) (size int, err error) {
	object, ok := v.(map[string]any)
	switch {
	case !ok:
		if _, ok := v.(bool); ok {
			return 1, nil
		}
		return 0, fmt.Errorf("%s must be a schema: an object, true or false", where(at))
	case depth > maxDepth:
		return 0, fmt.Errorf("%s is nested deeper than %d schemas", where(at), maxDepth)
	}
	size = 1
	for _, keyword := range slices.Sorted(maps.Keys(object)) {
		n, err := w.keyword(keyword, object[keyword], at+"/"+keyword, depth+1)
		if err != nil {
			return 0, err
		}
		if size += n; size > maxSize {
			return 0, fmt.Errorf("%s judges by more than %d schemas, with all that it refers to; make it simpler", where(at), maxSize)
		}
	}
	return size, nil
}

func (w *walk) keyword(keyword string, v any, at string, depth int) (size int, err error) {
	switch {
	case keyword == "$ref":
		ref, _ := v.(string)
		return w.ref(ref, at, depth)
	case keyword == "$schema":
		if s, _ := v.(string); strings.TrimSuffix(s, "#") != Dialect {
			return 0, fmt.Errorf("%s must be %s, or left out", where(at), Dialect)
		}
	case slices.Contains(denied, keyword):
		return 0, fmt.Errorf("%s is not taken; refer to what is below $defs by {\"$ref\": \"#/$defs/…\"}", where(at))
	case keyword == "pattern":
		if s, ok := v.(string); ok {
			return 0, w.pattern(s, at)
		}
	case slices.Contains(single, keyword):
		return w.schema(v, at, depth)
	case slices.Contains(listed, keyword):
		list, _ := v.([]any)
		for i, e := range list {
			n, err := w.schema(e, at+"/"+strconv.Itoa(i), depth)
			if err != nil {
				return 0, err
			}
			size += n
		}
	case slices.Contains(mapped, keyword):
		named, _ := v.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(named)) {
			if keyword == "patternProperties" {
				if err := w.pattern(name, at); err != nil {
					return 0, err
				}
			}
			n, err := w.schema(named[name], at+pointer([]string{name}), depth)
			if err != nil {
				return 0, err
			}
			if keyword != "$defs" && keyword != "definitions" { // those judge where they are referred to
				size += n
			}
		}
	}
	return size, nil
}

// ref is the size of what a $ref names, which must be in this schema and not lead back to the $ref.
func (w *walk) ref(ref, at string, depth int) (int, error) {
	path, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return 0, fmt.Errorf("%s: %.80q must be of this schema, like #/$defs/speed; write what is elsewhere into the schema itself", where(at), ref)
	}
	switch size, seen := w.sizes[path]; {
	case size < 0:
		return 0, fmt.Errorf("%s: %.80q leads back to itself; say what is in it as deep as it may be", where(at), ref)
	case seen:
		return size, nil
	}
	v := w.root
	for name := range strings.SplitSeq(path, "/") {
		name, err := url.PathUnescape(name)
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		switch in := v.(type) {
		case map[string]any:
			v, ok = in[name]
		case []any:
			i, e := strconv.Atoi(name)
			if ok = e == nil && i >= 0 && i < len(in); ok {
				v = in[i]
			}
		default:
			ok = false
		}
		if !ok || err != nil {
			return 0, fmt.Errorf("%s: there is no %.80q in this schema", where(at), ref)
		}
	}
	w.sizes[path] = -1
	size, err := w.schema(v, "/"+path, depth)
	w.sizes[path] = size
	return size, err
}

// pattern bounds what regular expressions take when they are compiled: (a{1000}){…} is short and large.
func (w *walk) pattern(s, at string) error {
	if len(s) > maxPattern {
		return fmt.Errorf("%s: a regular expression has %d bytes, at most %d are taken", where(at), len(s), maxPattern)
	}
	re, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return fmt.Errorf("%s: %w (regular expressions are those of RE2: without look-around and back references)", where(at), err)
	}
	p, err := syntax.Compile(re.Simplify())
	if err != nil {
		return fmt.Errorf("%s: %w", where(at), err)
	}
	if w.program += len(p.Inst); w.program > maxProgram {
		return fmt.Errorf("%s: the regular expressions repeat too much; write smaller numbers into {…}", where(at))
	}
	return nil
}

// where is a place in the schema, said.
func where(at string) string {
	if at == "" {
		return "the schema"
	}
	return "#" + at
}
