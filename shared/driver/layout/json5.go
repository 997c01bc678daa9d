package layout

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A json5 reads JSON5 (json5.org), in which ChirpStack's tests are written: JSON with comments, names without quotes, hexadecimal
// numbers and last commas.
type json5 struct {
	text string
	at   int
	deep int
}

// maxDepth bounds lists within lists.
const maxDepth = 1000

func parseJSON5(text string) (any, error) {
	p := json5{text: strings.ToValidUTF8(strings.TrimPrefix(text, "\ufeff"), "\ufffd")}
	v, err := p.value()
	if err == nil {
		if err = p.space(); err == nil && p.at < len(p.text) {
			err = errors.New("there is more after the end")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", 1+strings.Count(p.text[:min(p.at, len(p.text))], "\n"), err)
	}
	return v, nil
}

// space skips what stands between.
func (p *json5) space() error {
	for p.at < len(p.text) {
		rest := p.text[p.at:]
		r, n := utf8.DecodeRuneInString(rest)
		switch {
		case strings.HasPrefix(rest, "//"):
			if n = strings.IndexAny(rest, "\r\n"); n < 0 {
				n = len(rest)
			}
		case strings.HasPrefix(rest, "/*"):
			if n = strings.Index(rest[2:], "*/") + 4; n < 4 {
				return errors.New("a comment has no end")
			}
		case !unicode.IsSpace(r) && r != '\ufeff':
			return nil
		}
		p.at += n
	}
	return nil
}

// next is the character after space, 0 at the end.
func (p *json5) next() (byte, error) {
	if err := p.space(); err != nil || p.at == len(p.text) {
		return 0, err
	}
	return p.text[p.at], nil
}

func (p *json5) value() (any, error) {
	c, err := p.next()
	switch {
	case err != nil:
		return nil, err
	case c == '{':
		return p.object()
	case c == '[':
		return p.list()
	case c == '"' || c == '\'':
		return p.quoted()
	}
	word := p.word()
	switch word {
	case "null":
		return nil, nil
	case "true", "false":
		return word == "true", nil
	}
	return number5(word)
}

// word is what goes on to the next mark or space.
func (p *json5) word() string {
	n := strings.IndexFunc(p.text[p.at:], func(r rune) bool { return strings.ContainsRune(",:[]{}\"'/", r) || unicode.IsSpace(r) })
	if n < 0 {
		n = len(p.text) - p.at
	}
	p.at += n
	return p.text[p.at-n : p.at]
}

func number5(word string) (any, error) {
	digits := strings.TrimLeft(word, "+-")
	sign := 1.0
	if strings.HasPrefix(word, "-") {
		sign = -1
	}
	wrong := fmt.Errorf("%.40q is no value", word)
	switch {
	case len(word)-len(digits) > 1 || digits == "" || strings.ContainsRune(digits, '_'):
		return nil, wrong
	case digits == "Infinity":
		return math.Inf(int(sign)), nil
	case digits == "NaN":
		return math.NaN(), nil
	case len(digits) > 2 && (digits[:2] == "0x" || digits[:2] == "0X"):
		n, err := strconv.ParseUint(digits[2:], 16, 64)
		if err != nil {
			return nil, wrong
		}
		return sign * float64(n), nil
	case !strings.ContainsRune("0123456789.", rune(digits[0])):
		return nil, wrong
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, wrong
	}
	return sign * f, nil
}

// members reads what stands between two marks, with f for each.
func (p *json5) members(end byte, f func() error) error {
	p.at++
	if p.deep++; p.deep > maxDepth {
		return errors.New("it goes too deep")
	}
	defer func() { p.deep-- }()
	for {
		switch c, err := p.next(); {
		case err != nil:
			return err
		case c == end:
			p.at++
			return nil
		case p.at == len(p.text):
			return fmt.Errorf("%q is missing at the end", end)
		}
		if err := f(); err != nil {
			return err
		}
		switch c, err := p.next(); {
		case err != nil:
			return err
		case c == ',':
			p.at++
		case c != end:
			return fmt.Errorf("a comma or %q is missing", end)
		}
	}
}

func (p *json5) list() (any, error) {
	list := []any{}
	err := p.members(']', func() error {
		v, err := p.value()
		list = append(list, v)
		return err
	})
	return list, err
}

func (p *json5) object() (any, error) {
	object := map[string]any{}
	err := p.members('}', func() (err error) {
		key := ""
		if c := p.text[p.at]; c == '"' || c == '\'' {
			key, err = p.quoted()
		} else {
			key, err = p.name()
		}
		if err != nil {
			return err
		}
		switch c, err := p.next(); {
		case err != nil:
			return err
		case c != ':':
			return fmt.Errorf("a colon is missing after %.40q", key)
		}
		p.at++
		object[key], err = p.value()
		return err
	})
	return object, err
}

// name is one without quotes, in which \u0061 is an a.
func (p *json5) name() (string, error) {
	word := json5{text: p.word()}
	var b strings.Builder
	for word.at < len(word.text) {
		c := word.text[word.at]
		word.at++
		switch {
		case c != '\\':
			b.WriteByte(c)
		case !strings.HasPrefix(word.text[word.at:], "u"):
			return "", fmt.Errorf(`after \ in %.40q only a character like u0061 may stand`, word.text)
		default:
			if err := word.escape(&b); err != nil {
				return "", err
			}
		}
	}
	if b.Len() == 0 {
		return "", errors.New("a name is missing")
	}
	return b.String(), nil
}

func (p *json5) quoted() (string, error) {
	quote := p.text[p.at]
	p.at++
	var b strings.Builder
	for p.at < len(p.text) {
		switch c := p.text[p.at]; c {
		case quote:
			p.at++
			return b.String(), nil
		case '\n':
			return "", errors.New("a text has no end")
		case '\\':
			p.at++
			if err := p.escape(&b); err != nil {
				return "", err
			}
		default:
			b.WriteByte(c)
			p.at++
		}
	}
	return "", errors.New("a text has no end")
}

func (p *json5) escape(b *strings.Builder) error {
	rest := p.text[p.at:]
	if rest == "" {
		return errors.New("a text has no end")
	}
	p.at++
	switch c := rest[0]; c {
	case '\r':
		if strings.HasPrefix(rest, "\r\n") {
			p.at++
		}
	case '\n': // the text goes on in the next line
	case 'x', 'u':
		r, n, err := code(rest)
		if err != nil {
			return err
		}
		p.at += n - 1
		b.WriteRune(r)
	default:
		if i := strings.IndexByte("bfnrtv0", c); i >= 0 {
			c = "\b\f\n\r\t\v\x00"[i]
		}
		b.WriteByte(c)
	}
	return nil
}

// code reads x41, u00e9, or two halves of a character: ud83d\ude00.
func code(s string) (r rune, n int, err error) {
	n = 3
	if s[0] == 'u' {
		n = 5
	}
	if len(s) < n {
		return 0, 0, errors.New("a text has no end")
	}
	v, err := strconv.ParseUint(s[1:n], 16, 16)
	if err != nil {
		return 0, 0, fmt.Errorf("%.6q is no character", `\`+s[:n])
	}
	if v >= 0xd800 && v < 0xdc00 && len(s) >= n+6 && s[n:n+2] == `\u` {
		if low, err := strconv.ParseUint(s[n+2:n+6], 16, 16); err == nil && low >= 0xdc00 && low < 0xe000 {
			return rune((v-0xd800)<<10|(low-0xdc00)) + 0x10000, n + 6, nil
		}
	}
	return rune(v), n, nil
}
