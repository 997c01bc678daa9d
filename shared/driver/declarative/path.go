package declarative

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A path is where a value is in JSON or CBOR: the singular queries of RFC 9535 and its wildcard. "$.a.b[0]['c d']" is from the
// root, "a.b" from where one is. One more than there: a star within a name stands for a part of it, "switch:*". In CBOR a whole number as a key is written as in JSON: "$.1".
type path struct {
	text  string
	root  bool
	steps []string
	wild  []bool // the step has a star
}

func parsePath(s string) (*path, error) {
	p := &path{text: s}
	bad := func() (*path, error) {
		return nil, fmt.Errorf("%.80q must be a path like $.readings[0].value, a.b or *['two words']", s)
	}
	rest, root := strings.CutPrefix(s, "$")
	if p.root = root; !root && s != "" && s[0] != '[' {
		rest = "." + s
	}
	for rest != "" {
		var name string
		wild := false
		switch {
		case rest[0] == '.':
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			name, rest = rest[1:1+end], rest[1+end:]
			wild = strings.Contains(name, "*")
			if strings.Count(name, "*") > 1 {
				return bad()
			}
		case strings.HasPrefix(rest, "['") || strings.HasPrefix(rest, `["`):
			end := strings.Index(rest[2:], rest[1:2]+"]")
			if end < 0 {
				return bad()
			}
			name, rest = rest[2:2+end], rest[4+end:]
		case rest[0] == '[':
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				return bad()
			}
			name, rest = rest[1:end], rest[end+1:]
			if wild = name == "*"; !wild {
				if _, err := strconv.Atoi(name); err != nil {
					return bad()
				}
			}
		default:
			return bad()
		}
		if name == "" || len(p.steps) == 16 {
			return bad()
		}
		p.steps, p.wild = append(p.steps, name), append(p.wild, wild)
	}
	if len(p.steps) == 0 && !root || len(s) > 256 || p.wilds() > 9 {
		return bad()
	}
	return p, nil
}

// wilds is how many wildcards the path has.
func (p *path) wilds() (n int) {
	for _, w := range p.wild {
		if w {
			n++
		}
	}
	return n
}

// walk calls found with each value at the path, and what the wildcards stood for, in the order of the document's keys.
// Each value that is looked at counts as work.
func (p *path) walk(c *cursor, found func(v any, stars []string) error) error {
	here := c.here
	if p.root {
		here = c.root
	}
	return p.from(c, 0, here, nil, found)
}

func (p *path) from(c *cursor, i int, v any, stars []string, found func(any, []string) error) error {
	for ; i < len(p.steps); i++ {
		if p.wild[i] {
			before, after, _ := strings.Cut(p.steps[i], "*")
			if c.work += length(v); c.work > maxWork {
				return fmt.Errorf("%w: %d fields", errLarge, maxWork)
			}
			return each(v, func(key string, e any) error {
				if len(key) < len(before)+len(after) || !strings.HasPrefix(key, before) || !strings.HasSuffix(key, after) {
					return nil
				}
				key = key[len(before) : len(key)-len(after)]
				return p.from(c, i+1, e, append(stars[:len(stars):len(stars)], key), found)
			})
		}
		switch at := v.(type) {
		case map[string]any:
			e, ok := at[p.steps[i]]
			if !ok {
				return nil
			}
			v = e
		case []any:
			n, err := strconv.Atoi(p.steps[i])
			if n < 0 {
				n += len(at)
			}
			if err != nil || n < 0 || n >= len(at) {
				return nil
			}
			v = at[n]
		default:
			return nil
		}
	}
	return found(v, stars)
}

// one is the first value at the path.
func (p *path) one(c *cursor) (v any, ok bool) {
	p.walk(c, func(e any, _ []string) error {
		v, ok = e, true
		return errFound
	})
	return v, ok
}

var errFound = errors.New("found")

// length is how many things are in an object or a list.
func length(v any) int {
	switch v := v.(type) {
	case map[string]any:
		return len(v)
	case []any:
		return len(v)
	}
	return 1
}

func each(v any, do func(key string, e any) error) error {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sorted(v) {
			if err := do(k, v[k]); err != nil {
				return err
			}
		}
	case []any:
		for i, e := range v {
			if err := do(strconv.Itoa(i), e); err != nil {
				return err
			}
		}
	}
	return nil
}
