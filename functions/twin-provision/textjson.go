package twinprovision

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxNested bounds how deep a JSON text may be; a model is not deeper than that.
const maxNested = 20

// jsonNode reads JSON into nodes that know their places, as the YAML parser makes them.
func jsonNode(body []byte) (*yaml.Node, error) {
	r := &jsonReader{body: body, dec: json.NewDecoder(bytes.NewReader(body)), line: 1, column: 1}
	r.dec.UseNumber()
	n, err := r.value(0)
	if err != nil {
		return nil, r.failed(err)
	}
	if _, err := r.dec.Token(); err != io.EOF {
		r.to(int(r.dec.InputOffset()))
		return nil, r.failed(errors.New("there is something behind the JSON value"))
	}
	return n, nil
}

// jsonReader reads tokens, and counts the lines and columns up to them.
type jsonReader struct {
	body         []byte
	dec          *json.Decoder
	at           int
	line, column int
}

// to moves the place to an offset.
func (r *jsonReader) to(offset int) {
	for r.at < min(offset, len(r.body)) {
		c, size := utf8.DecodeRune(r.body[r.at:])
		if r.at, r.column = r.at+size, r.column+1; c == '\n' {
			r.line, r.column = r.line+1, 1
		}
	}
}

// failed is err at the present place.
func (r *jsonReader) failed(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		r.to(int(syntax.Offset) - 1)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		r.to(len(r.body))
		err = errors.New("it ends too early")
	}
	return &syntaxError{fmt.Sprintf("this is not the JSON expected here: %.200s", err), r.line, r.column}
}

// next is the next token; the place is where it begins.
func (r *jsonReader) next() (json.Token, error) {
	start := int(r.dec.InputOffset())
	for start < len(r.body) && bytes.IndexByte([]byte(" \t\r\n,:"), r.body[start]) >= 0 {
		start++
	}
	t, err := r.dec.Token()
	if err == nil {
		r.to(start)
	}
	return t, err
}

func (r *jsonReader) value(depth int) (*yaml.Node, error) {
	t, err := r.next()
	if err != nil {
		return nil, err
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: r.line, Column: r.column}
	switch t := t.(type) {
	case nil:
		n.Tag = "!!null"
	case bool:
		n.Value = fmt.Sprint(t)
	case json.Number:
		n.Value = t.String()
	case string:
		n.Value, n.Style = t, yaml.DoubleQuotedStyle
	case json.Delim:
		n.Kind = map[json.Delim]yaml.Kind{'{': yaml.MappingNode, '[': yaml.SequenceNode}[t]
		if depth > maxNested {
			return nil, fmt.Errorf("it is more than %d deep", maxNested)
		}
		for r.dec.More() {
			item, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, item)
		}
		if _, err := r.dec.Token(); err != nil {
			return nil, err
		}
	}
	return n, nil
}
