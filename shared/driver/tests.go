package driver

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
)

// A Test is an input of a driver and what must come of it.
type Test struct {
	Name string `json:"name,omitempty"`
	Call
	Want Want `json:"want"`
}

// Want is what a Test expects. What is nil or zero is not looked at, but for errors: they are expected or must not be there. An
// empty list is looked at: there must be none, so that it goes over the wire as one.
type Want struct {
	Data     any       `json:"data,omitempty"`
	Bytes    []byte    `json:"bytes,omitzero"`
	Port     int       `json:"port,omitempty"`
	Topic    string    `json:"topic,omitempty"`
	Time     time.Time `json:"time,omitzero"`
	Records  []Record  `json:"records,omitzero"`
	State    []byte    `json:"state,omitzero"`    // for the next OnEvent
	Commands []any     `json:"commands,omitzero"` // that OnEvent wants sent
	Warnings []string  `json:"warnings,omitzero"`
	Errors   []string  `json:"errors,omitempty"` // [""] = any
}

// A Difference is one place where a result is not what was wanted.
type Difference struct {
	Path string `json:"path"` // "data.temperature", "errors"
	Want string `json:"want"` // as JSON, or "nothing"; of a list without elements "none"
	Got  string `json:"got"`
}

// String is the difference for people.
func (d Difference) String() string { return fmt.Sprintf("%s: want %s, got %s", d.Path, d.Want, d.Got) }

// maxDifferences is how many a test tells; more help nobody.
const maxDifferences = 50

// Check compares a result with what the test wants; none = it passed.
func (t *Test) Check(r Result) []Difference {
	var c comparison
	switch {
	case r.Failure != "":
		if r.Failure != Exception || !slices.Equal(t.Want.Errors, []string{""}) {
			c.add("result", "an answer", string(r.Failure)+": "+r.Reason)
		}
		return c.found
	case len(t.Want.Errors) > 0 || len(r.Errors) > 0:
		if len(t.Want.Errors) != 1 || t.Want.Errors[0] != "" || len(r.Errors) == 0 {
			c.texts("errors", t.Want.Errors, r.Errors)
		}
		return c.found
	}
	if t.Want.Data != nil {
		got := r.Data
		if list, ok := t.Want.Data.([]any); ok && t.Op == NormalizeUplink && len(list) == 1 {
			if m, ok := got.(map[string]any); ok {
				got = []any{m} // one measurement may come without its list
			}
		}
		c.values("data", t.Want.Data, got)
	}
	c.bytes("bytes", t.Want.Bytes, r.Bytes)
	if t.Want.Port != 0 && t.Want.Port != r.Port {
		c.add("port", fmt.Sprint(t.Want.Port), fmt.Sprint(r.Port))
	}
	if t.Want.Topic != "" && t.Want.Topic != r.Topic {
		c.add("topic", t.Want.Topic, r.Topic)
	}
	if !t.Want.Time.IsZero() && !t.Want.Time.Equal(r.Time) {
		c.add("time", t.Want.Time.Format(time.RFC3339Nano), r.Time.Format(time.RFC3339Nano))
	}
	if t.Want.Records != nil {
		c.records(t.Want.Records, r.Records)
	}
	c.bytes("state", t.Want.State, r.State)
	if t.Want.Commands != nil {
		c.commands(t.Want.Commands, r.Commands)
	}
	if t.Want.Warnings != nil {
		c.texts("warnings", t.Want.Warnings, r.Warnings)
	}
	return c.found
}

type comparison struct{ found []Difference }

func (c *comparison) add(path, want, got string) {
	if len(c.found) < maxDifferences {
		c.found = append(c.found, Difference{path, want, got})
	}
}

// bytes compares where something is wanted, hexadecimal for people.
func (c *comparison) bytes(path string, want, got []byte) {
	if want != nil && !slices.Equal(want, got) {
		c.add(path, hexadecimal(want), hexadecimal(got))
	}
}

func (c *comparison) commands(want, got []any) {
	if len(want) != len(got) {
		c.add("commands", listed(want), listed(got))
		return
	}
	for i := range want {
		c.values(fmt.Sprintf("commands[%d]", i), want[i], got[i])
	}
}

func (c *comparison) records(want, got []Record) {
	if len(want) != len(got) {
		c.add("records", fmt.Sprint(len(want)), fmt.Sprint(len(got)))
		return
	}
	for i, w := range want {
		path := fmt.Sprintf("records[%d]", i)
		c.values(path+".data", w.Data, got[i].Data)
		if !w.Time.IsZero() && !w.Time.Equal(got[i].Time) {
			c.add(path+".time", w.Time.Format(time.RFC3339Nano), got[i].Time.Format(time.RFC3339Nano))
		}
	}
}

func (c *comparison) texts(path string, want, got []string) {
	if !slices.Equal(want, got) {
		c.add(path, listed(want), listed(got))
	}
}

// values compares as JSON has it: numbers by value, objects by their names, and a null is the same as nothing, because
// JavaScript's undefined is lost on the way.
func (c *comparison) values(path string, want, got any) {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			break
		}
		for _, k := range union(want, got) {
			w, g := want[k], got[k]
			_, isThere := got[k]
			if w != nil && g == nil && !isThere {
				c.add(path+"."+k, text(w), "nothing")
			} else if _, wanted := want[k]; g != nil && !wanted {
				c.add(path+"."+k, "nothing", text(g))
			} else {
				c.values(path+"."+k, w, g)
			}
		}
		return
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			break
		}
		for i := range want {
			c.values(fmt.Sprintf("%s[%d]", path, i), want[i], got[i])
		}
		return
	}
	if at, ok := want.(time.Time); ok { // written without quotes in YAML
		want = at.Format(time.RFC3339Nano)
	}
	if sameTime(want, got) {
		return
	}
	w, isNumber := number(want)
	if g, ok := number(got); ok && isNumber {
		if w != g && !(math.IsNaN(w) && math.IsNaN(g)) {
			c.add(path, text(want), text(got))
		}
		return
	}
	if !reflect.DeepEqual(want, got) {
		c.add(path, text(want), text(got))
	}
}

// sameTime tells whether two texts are one time: with .000 or without, and in whatever zone. A test that was written in YAML has lost the
// difference by the time it comes to the platform.
func sameTime(want, got any) bool {
	w, _ := want.(string)
	g, _ := got.(string)
	if len(w) < len("2006-01-02T15:04:05Z") || len(g) < len("2006-01-02T15:04:05Z") {
		return false
	}
	x, err := time.Parse(time.RFC3339Nano, w)
	y, other := time.Parse(time.RFC3339Nano, g)
	return err == nil && other == nil && x.Equal(y)
}

func union(a, b map[string]any) []string {
	var keys []string
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, strings.Compare)
	return keys
}
