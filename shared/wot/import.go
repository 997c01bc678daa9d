package wot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/twin"
)

// A Thing is what a Thing Model says, in the platform's words.
type Thing struct {
	Title   string
	Version string // version.model
	Model   twin.Model

	// Settings tells that the model says how the platform is to treat instances (castor:model): all of Model counts then. Without,
	// only its properties, commands and events do.
	Settings bool

	Ignored []Ignored
}

// Ignored is a part of a Thing Model that the platform has no use for, or not all use.
type Ignored struct {
	At  string `json:"at"`  // JSON Pointer (RFC 6901)
	Why string `json:"why"` // in words
}

// ErrInvalid marks what is no Thing Model that can be taken. Its text names the place and what would be right.
var ErrInvalid = errors.New("invalid Thing Model")

// Import reads a Thing Model. The model in the answer is not validated.
func Import(text []byte) (Thing, error) {
	o, err := parse(text)
	if err != nil {
		return Thing{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	r := reader{}
	if err := r.thing(o); err != nil {
		return Thing{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if more := r.ignored - maxIgnored; more > 0 {
		r.out.Ignored = append(r.out.Ignored, Ignored{place(""), fmt.Sprintf("%d more parts of it are not known here", more)})
	}
	return r.out, nil
}

// A reader takes a Thing Model apart.
type reader struct {
	out      Thing
	prefixes map[string]string // of the model's @context, without those that every model may use
	ignored  int
}

const unknown = "is not known here"

// without says why a type has no such part.
var without = map[string]string{
	"forms":               "devices are reached by the platform's gateways, not by addresses of their own",
	"security":            "devices prove who they are as provisioning has given them",
	"securityDefinitions": "devices prove who they are as provisioning has given them",
	"links":               "nothing is fetched or followed",
}

// maxIgnored bounds what is told of one by one.
const maxIgnored = 1_000

// ignore tells that something is not taken.
func (r *reader) ignore(at, why string) {
	if r.ignored++; r.ignored <= maxIgnored {
		r.out.Ignored = append(r.out.Ignored, Ignored{place(at), why})
	}
}

// rest ignores what is left of an object.
func (r *reader) rest(o object, at string) {
	for _, m := range o {
		why, ok := without[m.name]
		if !ok {
			why = unknown
		}
		r.ignore(below(at, m.name), why)
	}
}

func (r *reader) thing(o object) error {
	if err := whole(o, ""); err != nil {
		return err
	}
	if err := r.context(o.take("@context")); err != nil {
		return err
	}
	if !r.isModel(o.take("@type")) {
		return errors.New(`/@type: must be "tm:ThingModel": a Thing Description is about one thing, not about a type`)
	}
	if err := refuseExtension(o); err != nil {
		return err
	}
	if v := o.take("title"); v != nil {
		var err error
		if r.out.Title, err = words(v, "/title"); err != nil {
			return err
		}
	}
	if v := o.take("version"); v != nil {
		version, ok := v.(object)
		if r.out.Version, _ = version.take("model").(string); !ok {
			return errors.New(`/version: must be an object like {"model": "1.0.0"}`)
		}
		r.rest(version, "/version")
	}
	if v := o.take("castor:model"); v != nil {
		if err := r.settings(v); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		name string
		read func(name string, o object, at string) error
	}{{"properties", r.topProperty}, {"actions", r.action}, {"events", r.event}} {
		v := o.take(part.name)
		all, ok := v.(object)
		if !ok && v != nil {
			return fmt.Errorf("/%s: must be an object with a member for each", part.name)
		}
		for _, m := range all {
			at := below("/"+part.name, m.name)
			one, ok := m.value.(object)
			if !ok {
				return fmt.Errorf("%s: must be an object", place(at))
			}
			if err := part.read(m.name, one, at); err != nil {
				return err
			}
		}
	}
	r.rest(o, "")
	return nil
}

// whole refuses what stands for something that is not in the model.
func whole(v any, at string) error {
	switch v := v.(type) {
	case object:
		for _, m := range v {
			if _, named := m.value.(object); m.name == "tm:ref" && !named { // a property may have that name
				return fmt.Errorf("%s: nothing is fetched; write what it refers to in its place", place(below(at, m.name)))
			}
			if err := whole(m.value, below(at, m.name)); err != nil {
				return err
			}
		}
	case []any:
		for i, e := range v {
			if err := whole(e, fmt.Sprintf("%s/%d", at, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// refuseExtension: of a model that extends another, half would be missing.
func refuseExtension(o object) error {
	links, _ := o.get("links").([]any)
	for i, l := range links {
		if l, _ := l.(object); l.get("rel") == "tm:extends" {
			return fmt.Errorf("/links/%d: the model extends another one, and nothing is fetched; write what it extends into it, and take the link out", i)
		}
	}
	return nil
}

func (r *reader) context(v any) error {
	r.prefixes = map[string]string{}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	known := false
	for _, e := range list {
		switch e := e.(type) {
		case string:
			if e == context11 || e == context10 {
				known = true
				continue
			}
			r.ignore("/@context", fmt.Sprintf("%.200q is not fetched, so nothing is known of its terms", e))
		case object:
			for _, m := range e {
				iri, ok := m.value.(string)
				switch {
				case !ok || strings.HasPrefix(m.name, "@"):
					r.ignore("/@context", fmt.Sprintf("%.80q %s", m.name, unknown))
				case vocabularies[m.name] != iri:
					r.prefixes[m.name] = iri
				}
			}
		}
	}
	if !known {
		return fmt.Errorf("/@context: must name %s", context11)
	}
	return nil
}

func (r *reader) isModel(v any) bool {
	all, err := texts(v, "")
	for _, s := range all {
		if s != "tm:ThingModel" {
			r.ignore("/@type", fmt.Sprintf("%.80q %s", s, unknown))
		}
	}
	return err == nil && slices.Contains(all, "tm:ThingModel")
}

// texts reads a text, or a list of them.
func texts(v any, at string) (all []string, err error) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return nil, fmt.Errorf("%s: must be text, or a list of texts", place(at))
		}
		all = append(all, s)
	}
	return all, nil
}

// settings reads castor:model, which is a twin.Model without what the Thing Model says in its own words.
func (r *reader) settings(v any) error {
	text, err := encode(v)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r.out.Model); err != nil {
		return fmt.Errorf("/castor:model: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	m := &r.out.Model
	if len(m.Properties)+len(m.Commands)+len(m.Events) > 0 {
		return errors.New("/castor:model: properties, commands and events are said by the Thing Model's own properties, actions and events; leave them out here")
	}
	m.Properties, m.Commands, m.Events = nil, nil, nil
	r.out.Settings = true
	return nil
}

// words are text for people, or a value that must be text. A placeholder stands for a value that nobody has given yet.
func words(v any, at string) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%s: must be text", place(at))
	}
	return s, placeholder(v, at)
}

func placeholder(v any, at string) error {
	if s, _ := v.(string); strings.Contains(s, "{{") && strings.Contains(s, "}}") {
		return fmt.Errorf("%s: %.80q has a placeholder; write the value in its place", place(at), s)
	}
	return nil
}
