// Package javascript runs payload codecs as LoRa vendors publish them (LoRa Alliance TS013-1.0.0, and the older forms of The
// Things Network and ChirpStack) on QuickJS. It bounds memory and recursion and can be interrupted, but not inside a built-in
// function of the language: whoever cannot trust a codec runs the engine in a process that can be killed (package sandbox).
package javascript

import (
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/driver"
	"modernc.org/quickjs"
	"modernc.org/quickjs/intl"
)

//go:embed prelude.js
var prelude string

//go:embed buffer.js
var buffer string

// Limits bound a codec. Zero fields have defaults.
type Limits struct {
	Memory int // bytes of the codec's heap: 32 MiB
	Stack  int // calls within calls: the engine's own bound
	Output int // bytes of a result: driver.MaxOutput
	Calls  int // after so many the codec gets a new heap: 10,000
}

func (l Limits) withDefaults() Limits {
	or := func(v *int, otherwise int) {
		if *v <= 0 {
			*v = otherwise
		}
	}
	or(&l.Memory, 32<<20)
	or(&l.Output, driver.MaxOutput)
	or(&l.Calls, 10_000)
	return l
}

// An Engine runs one codec. Its methods are called one after the other, but for Interrupt.
type Engine struct {
	limits   Limits
	source   string
	setup    []byte // bytecode of the prelude
	wrapped  []byte // bytecode of the codec, in a function that makes it
	extras   []string
	isolated bool // the codec gets a heap of its own for each call

	vm    *quickjs.VM
	run   quickjs.Value
	calls int
	under atomic.Pointer[quickjs.VM] // vm, for Interrupt
}

// tampers tells that a codec may change the language's own objects, look at them in ways that a closed heap would show, or leave
// work behind: it is given a heap of its own for each call.
var tampers = regexp.MustCompile(`\b(Object|Function|Array|String|Number|Boolean|Date|RegExp|Math|JSON|Error|Promise|Map|Set|Symbol|Buffer|[A-Za-z0-9]+Array)(\.prototype)?(\.\w+|\s*\[[^\]]*\])\s*=[^=]` +
	`|\.prototype\s*\[|__proto__|setPrototypeOf|definePropert|globalThis|Reflect|Promise|\basync\b|\bawait\b|\beval\b|\bFunction\s*\(|WeakRef|FinalizationRegistry|Symbol\.for|\bthis\.\w+\s*=[^=]`)

// wanted are globals that a codec gets if its text names them.
var locale = regexp.MustCompile(`\btoLocale|\bIntl\b`)

// New reads a codec. A text that is no script is refused with driver.Invalid's reason: the line and what is wrong.
func New(source []byte, l Limits) (*Engine, error) {
	if !utf8.Valid(source) {
		return nil, errors.New("the script is not UTF-8 text")
	}
	if len(source) > driver.MaxCode {
		return nil, fmt.Errorf("the script has %d bytes, at most %d are taken", len(source), driver.MaxCode)
	}
	e := &Engine{limits: l.withDefaults(), source: string(source)}
	e.isolated = tampers.MatchString(e.source)
	if strings.Contains(e.source, "Buffer") {
		e.extras = append(e.extras, buffer)
	}
	vm, err := e.empty()
	if err != nil {
		return nil, err
	}
	defer vm.Close()
	// A text that is a whole script stays within the function that is put around it.
	if _, err := vm.Compile(e.source, quickjs.EvalGlobal); err != nil {
		return nil, syntax(err)
	}
	if e.setup, err = vm.Compile(prelude, quickjs.EvalGlobal); err != nil {
		return nil, fmt.Errorf("javascript: prelude: %w", err)
	}
	if e.wrapped, err = vm.Compile(wrap(e.source), quickjs.EvalGlobal); err != nil {
		return nil, syntax(err)
	}
	return e, nil
}

var functions = []string{"decodeUplink", "encodeDownlink", "decodeDownlink", "normalizeUplink", "Decoder", "Encoder", "Decode", "Encode"}

func wrap(source string) string {
	var b strings.Builder
	b.WriteString("(function () { ")
	b.WriteString(source)
	b.WriteString("\n;return {")
	for _, f := range functions {
		fmt.Fprintf(&b, "%s: typeof %s === 'function' ? %s : undefined, ", f, f, f)
	}
	b.WriteString("}; })")
	return b.String()
}

func syntax(err error) error {
	var js *quickjs.Error
	if errors.As(err, &js) && js.LineNumber > 0 {
		return fmt.Errorf("line %d: %s: %s", js.LineNumber, js.Name, js.Message)
	}
	return errors.New(err.Error())
}

// Isolated tells whether each call gets a heap of its own, because the codec may change what calls share.
func (e *Engine) Isolated() bool { return e.isolated }

func (e *Engine) empty() (*quickjs.VM, error) {
	vm, err := quickjs.NewVM()
	if err != nil {
		return nil, err
	}
	vm.SetMemoryLimit(uintptr(e.limits.Memory))
	if e.limits.Stack > 0 {
		vm.SetMaxStackSize(uintptr(e.limits.Stack))
	}
	return vm, nil
}

// Ready makes the heap in which the codec is called, if there is none. Call does so too.
func (e *Engine) Ready() error {
	if e.vm != nil {
		return nil
	}
	vm, err := e.empty()
	if err != nil {
		return err
	}
	run, err := e.prepare(vm)
	if err != nil {
		_ = vm.Close()
		return err
	}
	e.vm, e.run, e.calls = vm, run, 0
	e.under.Store(vm)
	return nil
}

func (e *Engine) prepare(vm *quickjs.VM) (run quickjs.Value, err error) {
	if locale.MatchString(e.source) {
		if err := intl.Register(vm); err != nil {
			return run, err
		}
	}
	made, err := vm.EvalBytecodeValue(e.setup)
	if err != nil {
		return run, err
	}
	defer made.Free()
	for _, extra := range e.extras {
		if _, err := vm.Eval(extra, quickjs.EvalGlobal); err != nil {
			return run, err
		}
	}
	if !e.isolated {
		freeze, err := property(vm, made, "freeze")
		if err != nil {
			return run, err
		}
		defer freeze.Free()
		if frozen, err := freeze.Call(quickjs.UndefinedValue); err != nil || frozen != true {
			return run, fmt.Errorf("javascript: the language's objects cannot be closed: %v", err)
		}
	}
	maker, err := vm.EvalBytecodeValue(e.wrapped)
	if err != nil {
		return run, err
	}
	defer maker.Free()
	serve, err := property(vm, made, "serve")
	if err != nil {
		return run, err
	}
	defer serve.Free()
	return serve.CallValue(quickjs.UndefinedValue, maker.Dup(), !e.isolated)
}

func property(vm *quickjs.VM, of quickjs.Value, name string) (quickjs.Value, error) {
	atom, err := vm.NewAtom(name)
	if err != nil {
		return quickjs.Value{}, err
	}
	return of.GetPropertyValue(atom)
}

// Close gives the codec's memory back. The engine can be called again.
func (e *Engine) Close() {
	if e.vm != nil {
		e.under.Store(nil)
		e.run.Free()
		_ = e.vm.Close()
		e.vm = nil
	}
}

// Reset is Close: what an engine keeps between calls is its heap, whose size it does not tell.
func (e *Engine) Reset() { e.Close() }

// Held is 0: what a heap has is not known without walking through it.
func (e *Engine) Held() int { return 0 }

// Interrupt ends the call under way at the next step that is not inside a built-in function. It may be called at any time.
func (e *Engine) Interrupt() {
	if vm := e.under.Load(); vm != nil {
		vm.Interrupt()
	}
}

// An input is what the codec is given (TS013-1.0.0, 4.1.1 and 4.2.1).
type input struct {
	Bytes     []int             `json:"bytes,omitzero"`
	FPort     *int              `json:"fPort,omitempty"`
	RecvTime  *int64            `json:"recvTime,omitempty"` // Unix milliseconds; the codec gets a Date
	Data      any               `json:"data,omitempty"`
	Variables map[string]string `json:"variables,omitempty"`
}

type question struct {
	Op    driver.Op `json:"op"`
	Now   int64     `json:"now"`
	Seed  uint32    `json:"seed"`
	Input input     `json:"input"`
}

func ask(c driver.Call) ([]byte, error) {
	in := input{Data: c.Data, Variables: c.Variables}
	now := time.Now()
	if !c.Time.IsZero() {
		now = c.Time
		ms := now.UnixMilli()
		in.RecvTime = &ms
	}
	if c.Op == driver.DecodeUplink || c.Op == driver.DecodeDownlink {
		in.Bytes = make([]int, len(c.Bytes))
		for i, b := range c.Bytes {
			in.Bytes[i] = int(b)
		}
	}
	if c.Port != 0 {
		in.FPort = &c.Port
	}
	if in.Variables == nil {
		in.Variables = map[string]string{}
	}
	h := fnv.New32a()
	_, _ = h.Write(binary.BigEndian.AppendUint64(c.Bytes[:len(c.Bytes):len(c.Bytes)], uint64(now.UnixMilli())))
	return json.Marshal(question{Op: c.Op, Now: now.UnixMilli(), Seed: h.Sum32(), Input: in})
}

// Call asks the codec and returns its answer as JSON, which Read understands.
func (e *Engine) Call(c driver.Call) (answer string) {
	text, err := ask(c)
	if err != nil {
		return refuse(driver.Invalid, err.Error())
	}
	if err := e.Ready(); err != nil {
		return failed(err)
	}
	e.calls++
	out, err := e.run.Call(quickjs.UndefinedValue, string(text))
	s, ok := out.(string)
	spoilt := err != nil || !ok || strings.HasSuffix(s, `,"spoilt":true}`)
	if spoilt && err == nil {
		e.isolated = true // it leaves things that cannot be taken away
	}
	if spoilt || e.isolated || e.calls >= e.limits.Calls {
		e.Close()
	}
	switch {
	case err != nil:
		return failed(err)
	case !ok:
		return refuse(driver.Invalid, "what it returned cannot be said in JSON")
	case len(s) > e.limits.Output:
		return refuse(driver.Output, fmt.Sprintf("the result has %d bytes as JSON, at most %d are taken", len(s), e.limits.Output))
	}
	return s
}

// failed tells why the engine ended a call.
func failed(err error) string {
	switch said := err.Error(); {
	case strings.Contains(said, "interrupted"):
		return refuse(driver.Timeout, "it computed longer than it may")
	case strings.Contains(said, "out of memory"):
		return refuse(driver.Memory, "it wanted more memory than it may have")
	default:
		return refuse(driver.Exception, said)
	}
}

func refuse(f driver.Failure, reason string) string {
	b, _ := json.Marshal(reply{Failure: f, Reason: reason})
	return string(b)
}
