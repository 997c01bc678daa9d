package store

import (
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A projection is a tree of the keys to keep; a nil projection keeps everything.
type projection map[string]projection

func newProjection(paths []string) projection {
	if len(paths) == 0 {
		return nil
	}
	root := projection{}
	for _, path := range append([]string{keyID}, paths...) {
		root.add(path)
	}
	return root
}

func (p projection) apply(doc bson.Raw) bson.Raw {
	if p == nil {
		return doc
	}
	return finish(p.appendTo(make([]byte, 4, len(doc)), doc), 0)
}

func (p projection) appendTo(dst, doc []byte) []byte {
	eachElement(doc, func(key []byte, v bson.RawValue) bool {
		inner, ok := p[string(key)]
		if !ok {
			return true
		}
		head := append(append(append(dst, byte(v.Type)), key...), 0)
		switch {
		case inner == nil:
			dst = append(head, v.Value...)
		case v.Type == bson.TypeEmbeddedDocument:
			from := len(head)
			dst = finish(inner.appendTo(append(head, 0, 0, 0, 0), v.Value), from)
		case v.Type == bson.TypeArray:
			from := len(head)
			dst = finish(inner.appendArray(append(head, 0, 0, 0, 0), v.Value), from)
		}
		return true
	})
	return dst
}

func (p projection) appendArray(dst, array []byte) []byte {
	n := 0
	eachElement(array, func(_ []byte, v bson.RawValue) bool {
		if v.Type == bson.TypeEmbeddedDocument {
			dst = append(dst, byte(v.Type))
			dst = append(fmt.Append(dst, n), 0)
			from := len(dst)
			dst = finish(p.appendTo(append(dst, 0, 0, 0, 0), v.Value), from)
			n++
		}
		return true
	})
	return dst
}

func (p projection) add(path string) {
	for {
		name, rest, deeper := strings.Cut(path, ".")
		inner, ok := p[name]
		switch {
		case ok && inner == nil: // all of it is kept already
			return
		case !deeper:
			p[name] = nil
			return
		case !ok:
			inner = projection{}
			p[name] = inner
		}
		p, path = inner, rest
	}
}
