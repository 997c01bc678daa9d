package link

import (
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// readJSON reads one JSON value (RFC 8259) with nothing behind it, to what encoding/json makes of it: of a key that comes
// twice the last counts, and what is not UTF-8 becomes U+FFFD. Every telemetry message comes this way, so it is read in one
// pass; encoding/json takes two to three times as long. A number that a float64 may not hold exactly stays a json.Number.
func readJSON(text []byte) (any, error) {
	r := jsonReader{text: text}
	v := r.value(0)
	if r.space(); r.bad || r.at < len(r.text) {
		return nil, errNotJSON
	}
	return v, nil
}

var errNotJSON = errors.New("the payload is not JSON")

// maxJSONDepth is deeper than anything Flatten takes.
const maxJSONDepth = 64

// A jsonReader is at one place of its text. Once something is bad, whatever it returns is void.
type jsonReader struct {
	text []byte
	at   int
	bad  bool
}

func (r *jsonReader) fail() any { r.bad = true; return nil }

func (r *jsonReader) space() {
	for r.at < len(r.text) && (r.text[r.at] == ' ' || r.text[r.at] == '\n' || r.text[r.at] == '\t' || r.text[r.at] == '\r') {
		r.at++
	}
}

// next is the byte at the place, 0 at the end.
func (r *jsonReader) next() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

// take goes on behind c, if it is next.
func (r *jsonReader) take(c byte) bool {
	if r.next() != c {
		return false
	}
	r.at++
	return true
}

func (r *jsonReader) value(depth int) any {
	if r.space(); depth > maxJSONDepth {
		return r.fail()
	}
	switch c := r.next(); c {
	case '{':
		return r.object(depth)
	case '[':
		return r.array(depth)
	case '"':
		return r.string()
	case 't':
		return r.word("true", true)
	case 'f':
		return r.word("false", false)
	case 'n':
		return r.word("null", nil)
	}
	return r.number()
}

func (r *jsonReader) word(word string, v any) any {
	if end := r.at + len(word); end <= len(r.text) && string(r.text[r.at:end]) == word {
		r.at = end
		return v
	}
	return r.fail()
}

func (r *jsonReader) object(depth int) any {
	r.at++
	m := map[string]any{}
	if r.space(); r.take('}') {
		return m
	}
	for !r.bad {
		if r.space(); r.next() != '"' {
			break
		}
		key := r.string()
		if r.space(); !r.take(':') {
			break
		}
		m[key] = r.value(depth + 1)
		if r.space(); r.take('}') {
			return m
		}
		if !r.take(',') {
			break
		}
	}
	return r.fail()
}

func (r *jsonReader) array(depth int) any {
	r.at++
	list := []any{}
	if r.space(); r.take(']') {
		return list
	}
	for !r.bad {
		list = append(list, r.value(depth+1))
		if r.space(); r.take(']') {
			return list
		}
		if !r.take(',') {
			break
		}
	}
	return r.fail()
}

// exactDigits is how many decimal digits a float64 always holds.
const exactDigits = 15

func (r *jsonReader) number() any {
	from := r.at
	r.take('-')
	whole := r.at
	if !r.take('0') {
		r.digits()
	}
	integer := true
	if r.take('.') {
		integer = false
		r.digits()
	}
	if r.take('e') || r.take('E') {
		integer = false
		if !r.take('+') {
			r.take('-')
		}
		r.digits()
	}
	text := r.text[from:r.at]
	if r.bad {
		return nil
	}
	if !integer || r.at-whole > exactDigits {
		if f, err := strconv.ParseFloat(string(text), 64); err == nil && !integer {
			return f
		}
		return json.Number(text)
	}
	n := 0
	for _, c := range r.text[whole:r.at] {
		n = 10*n + int(c-'0')
	}
	f := float64(n)
	if whole > from {
		f = -f // -0 too
	}
	return f
}

// digits takes one or more.
func (r *jsonReader) digits() {
	from := r.at
	for r.at < len(r.text) && r.text[r.at]-'0' <= 9 {
		r.at++
	}
	r.bad = r.bad || r.at == from
}

// string takes a string; most have nothing escaped and are cut out whole.
func (r *jsonReader) string() string {
	r.at++
	from := r.at
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return string(r.text[from : r.at-1])
		case c == '\\' || c >= utf8.RuneSelf:
			return r.escaped(from)
		case c < ' ':
			r.fail()
			return ""
		}
	}
	r.fail()
	return ""
}

// escaped is string for what does not stay as it is, from where the string begins.
func (r *jsonReader) escaped(from int) string {
	out := append([]byte(nil), r.text[from:r.at]...)
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return string(out)
		case c < ' ':
			r.fail()
			return ""
		case c == '\\':
			r.at++
			if out = r.escape(out); r.bad {
				return ""
			}
		case c < utf8.RuneSelf:
			out = append(out, c)
			r.at++
		default:
			char, n := utf8.DecodeRune(r.text[r.at:])
			out = utf8.AppendRune(out, char) // U+FFFD for what is none
			r.at += n
		}
	}
	r.fail()
	return ""
}

func (r *jsonReader) escape(out []byte) []byte {
	c := r.next()
	r.at++
	switch c {
	case '"', '\\', '/':
		return append(out, c)
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'u':
		char := r.unit()
		if utf16.IsSurrogate(char) {
			before := r.at
			if r.take('\\') && r.take('u') {
				if pair := utf16.DecodeRune(char, r.unit()); pair != utf8.RuneError {
					return utf8.AppendRune(out, pair)
				}
			}
			r.at = before // half a pair: what follows stands for itself, if it can
		}
		return utf8.AppendRune(out, char)
	}
	r.fail()
	return out
}

// unit takes the four hexadecimal digits of a UTF-16 unit.
func (r *jsonReader) unit() rune {
	if r.at+4 > len(r.text) {
		r.fail()
		return 0
	}
	n, err := strconv.ParseUint(string(r.text[r.at:r.at+4]), 16, 16)
	if err != nil {
		r.fail()
	}
	r.at += 4
	return rune(n)
}
