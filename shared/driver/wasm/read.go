package wasm

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/fxamacker/cbor/v2"
)

// strict reads what modules say: no tags, no names twice, nothing deep.
var strict = func() cbor.DecMode {
	m, err := cbor.DecOptions{DefaultMapType: reflect.TypeFor[map[string]any](), DupMapKey: cbor.DupMapKeyEnforcedAPF, TagsMd: cbor.TagsForbidden,
		MaxNestedLevels: 32, MaxArrayElements: 1 << 16, MaxMapPairs: 1 << 14}.DecMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return m
}()

// Read makes a result of an answer of Call. The module has had a hand in it, so nothing of it is believed unchecked.
func Read(op driver.Op, answer string) driver.Result {
	var a reply
	if err := strict.Unmarshal([]byte(answer), &a); err != nil {
		return driver.Result{Failure: driver.Invalid, Reason: "what the worker answered cannot be read: " + err.Error()}
	}
	log := driver.Notes(a.Log)
	if a.Failure != "" {
		return driver.Result{Failure: a.Failure, Reason: a.Reason, Log: log}
	}
	r, err := result(op, a.Out)
	if err != nil {
		r = driver.Result{Failure: driver.Invalid, Reason: driver.Notes([]string{err.Error()})[0]}
		if errTooLarge == err {
			r.Failure = driver.Output
		}
	}
	r.Log = log
	return r
}

var errTooLarge = fmt.Errorf("the result has more than %d bytes as JSON", driver.MaxOutput)

func result(op driver.Op, out []byte) (r driver.Result, err error) {
	var said map[string]any
	if err := strict.Unmarshal(out, &said); err != nil {
		return r, fmt.Errorf("what it returned cannot be read: %s; a CBOR map is needed", strings.TrimPrefix(err.Error(), "cbor: "))
	}
	f := fields{said: said}
	if v := f.integer("version", Version, Version); v != Version && f.err == nil {
		return r, fmt.Errorf("version is missing: it must be %d", Version)
	}
	r.Warnings, r.Errors = f.texts("warnings"), driver.Notes(f.texts("errors"))
	r.Port, r.Topic, r.Time = int(f.integer("port", 0, 255)), f.topic(), f.time("time")
	r.Bytes, r.State = f.bytes("bytes", driver.MaxInput), f.bytes("state", driver.MaxState)
	r.Data, r.Records, r.Commands = f.data(), f.records(), f.commands()
	if err := f.end(len(out)); err != nil {
		return driver.Result{}, err
	}
	if len(r.Errors) > 0 {
		return driver.Result{Errors: r.Errors, Warnings: driver.Notes(r.Warnings)}, nil
	}
	slices.Sort(f.notes) // maps have no order
	r.Warnings = driver.Notes(slices.Concat(r.Warnings, f.notes))
	switch {
	case op == driver.EncodeDownlink && r.Bytes == nil:
		return driver.Result{}, fmt.Errorf("bytes is missing: encode returns bytes, or errors")
	case op != driver.OnEvent && (r.State != nil || r.Commands != nil):
		return driver.Result{}, fmt.Errorf("state and commands are on_event's; %s returns neither", exportOf[op])
	case op != driver.EncodeDownlink && r.Bytes != nil:
		return driver.Result{}, fmt.Errorf("bytes is encode's; %s returns data", exportOf[op])
	}
	return r, nil
}

// fields takes the parts of an answer. After its first error it takes nothing more.
type fields struct {
	said  map[string]any
	taken int
	notes []string // about numbers that JSON does not have
	tree  []any    // what becomes JSON
	path  []step   // to the value that is looked at
	err   error
}

func take[T any](f *fields, key, want string) (v T, ok bool) {
	value, there := f.said[key]
	if !there || f.err != nil {
		return v, false
	}
	f.taken++
	if value == nil {
		return v, false
	}
	if v, ok = value.(T); !ok {
		f.err = fmt.Errorf("%s must be %s", key, want)
	}
	return v, ok
}

func (f *fields) fail(format string, a ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, a...)
	}
}

func (f *fields) integer(key string, least, most int64) int64 {
	v, ok := take[any](f, key, "")
	n, whole := integer(v)
	if ok && (!whole || n < least || n > most) {
		f.fail("%s must be a whole number from %d to %d", key, least, most)
	}
	return n
}

func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case uint64:
		return int64(v), v <= math.MaxInt64
	case int64:
		return v, true
	}
	return 0, false
}

func (f *fields) bytes(key string, most int) []byte {
	v, _ := take[[]byte](f, key, "bytes")
	if len(v) > most {
		f.fail("%s has %d bytes, at most %d are taken", key, len(v), most)
	}
	return v
}

func (f *fields) texts(key string) (all []string) {
	list, _ := take[[]any](f, key, "a list of texts")
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			f.fail("%s must be a list of texts", key)
			return nil
		}
		all = append(all, s)
	}
	return all
}

func (f *fields) topic() string {
	s, _ := take[string](f, "topic", "text")
	if len(s) > 1024 || strings.ContainsAny(s, "+#\x00") {
		f.fail("topic must be a topic of MQTT without wildcards, of at most 1024 bytes")
	}
	return s
}

const lastMoment = 253402300799999 // the end of the year 9999, which is the last that RFC 3339 can say

func (f *fields) time(key string) time.Time {
	v, ok := take[any](f, key, "")
	if !ok {
		return time.Time{}
	}
	ms, whole := integer(v)
	if !whole || ms < 0 || ms > lastMoment {
		f.fail("%s must be milliseconds since 1970, before the year 10000", key)
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func (f *fields) data() any {
	v, ok := take[any](f, "data", "")
	if !ok {
		return nil
	}
	switch v.(type) {
	case map[string]any, []any:
		return f.plain(v, step{"data", -1})
	}
	f.fail("data must be a map or a list")
	return nil
}

func (f *fields) records() (all []driver.Record) {
	list, _ := take[[]any](f, "records", "a list of maps")
	for i, v := range list {
		m, ok := v.(map[string]any)
		in := fields{said: m}
		at := in.time("time")
		values, some := take[map[string]any](&in, "data", "a map")
		if !ok || in.err != nil || !some || in.taken != len(m) {
			f.fail("records[%d] must be a map with data (a map) and time (milliseconds since 1970) or without", i)
			return nil
		}
		made, _ := f.plain(values, step{"records", -1}, step{"", i}, step{"data", -1}).(map[string]any)
		all = append(all, driver.Record{Time: at, Data: made})
	}
	return all
}

func (f *fields) commands() (all []any) {
	list, _ := take[[]any](f, "commands", "a list of maps")
	if len(list) > driver.MaxCommands {
		f.fail("there are %d commands, at most %d are taken", len(list), driver.MaxCommands)
		return nil
	}
	for i, v := range list {
		if _, ok := v.(map[string]any); !ok {
			f.fail("commands[%d] must be a map", i)
			return nil
		}
		command := f.plain(v, step{"commands", -1}, step{"", i})
		if f.err == nil {
			if _, err := driver.CommandOf(command); err != nil {
				f.fail("commands[%d]: %w", i, err)
				return nil
			}
		}
		all = append(all, command)
	}
	return all
}

// end refuses names that are not known, and what is too large as JSON. CBOR of size bytes is at most ten times as many as JSON.
func (f *fields) end(size int) error {
	if f.err != nil {
		return f.err
	}
	if f.taken != len(f.said) {
		var unknown []string
		for k := range f.said {
			if !slices.Contains(known, k) {
				unknown = append(unknown, fmt.Sprintf("%.40q", k))
			}
		}
		slices.Sort(unknown)
		return fmt.Errorf("%s is not known; an answer has %s", strings.Join(unknown[:min(len(unknown), 5)], ", "), strings.Join(known, ", "))
	}
	if size > driver.MaxOutput/10 {
		b, err := json.Marshal(f.tree)
		if err != nil {
			return err
		}
		if len(b) > driver.MaxOutput {
			return errTooLarge
		}
	}
	return nil
}

// known are the names of an answer's parts.
var known = []string{"bytes", "commands", "data", "errors", "port", "records", "state", "time", "topic", "version", "warnings"}
