// Package javascript runs payload codecs as LoRa vendors publish them (LoRa Alliance TS013-1.0.0, and the older forms of The
// Things Network and ChirpStack) on QuickJS. It bounds memory and recursion and can be interrupted, but not inside a built-in
// function of the language: whoever cannot trust a codec runs the engine in a process that can be killed (package sandbox).
package javascript

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"modernc.org/quickjs"
	"modernc.org/quickjs/intl"
)

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
	setup    []byte   // bytecode of the prelude
	script   []byte   // bytecode of a codec that is evaluated as the script it is, in each heap anew
	wrapped  []byte   // bytecode of a function that gives the codec's functions; it also makes the codec, unless that is a script
	extras   [][]byte // bytecode of the extras that its text names
	isolated bool     // the codec gets a heap of its own for each call

	vm    *quickjs.VM
	run   quickjs.Value
	clock quickjs.Value // of the prelude
	calls int
	under atomic.Pointer[quickjs.VM] // vm, for Interrupt
}

// New reads a codec. A text that is no script is refused with driver.Invalid's reason: the line and what is wrong.
func New(source []byte, l Limits) (*Engine, error) {
	if len(source) > driver.MaxCode {
		return nil, fmt.Errorf("the script has %d bytes, at most %d are taken", len(source), driver.MaxCode)
	}
	e := &Engine{limits: l.withDefaults(), source: text(source)}
	if strings.HasPrefix(e.source, "#!") { // for a shell
		e.source = "//" + e.source[2:]
	}
	e.isolated = tampers.MatchString(e.source) || lastMatch.MatchString(e.source)
	if err := e.compile(); err != nil {
		return nil, err
	}
	return e, nil
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
	run, clock, err := e.prepare(vm)
	if err != nil {
		_ = vm.Close()
		return err
	}
	e.vm, e.run, e.clock, e.calls = vm, run, clock, 0
	e.under.Store(vm)
	return nil
}

// prepare makes the function that answers calls, and the one that sets the clock before a script is evaluated.
func (e *Engine) prepare(vm *quickjs.VM) (run, clock quickjs.Value, err error) {
	if locale.MatchString(e.source) {
		if err := intl.Register(vm); err != nil {
			return run, clock, err
		}
	}
	made, err := vm.EvalBytecodeValue(e.setup)
	if err != nil {
		return run, clock, err
	}
	defer made.Free()
	for _, extra := range e.extras {
		v, err := vm.EvalBytecodeValue(extra)
		if err != nil {
			return run, clock, err
		}
		v.Free()
	}
	if !e.isolated {
		freeze, err := property(vm, made, "freeze")
		if err != nil {
			return run, clock, err
		}
		defer freeze.Free()
		if frozen, err := freeze.Call(quickjs.UndefinedValue); err != nil || frozen != true {
			return run, clock, fmt.Errorf("javascript: the language's objects cannot be closed: %v", err)
		}
	}
	maker, err := vm.EvalBytecodeValue(e.wrapped)
	if err != nil {
		return run, clock, err
	}
	defer maker.Free()
	serve, err := property(vm, made, "serve")
	if err != nil {
		return run, clock, err
	}
	defer serve.Free()
	if run, err = serve.CallValue(quickjs.UndefinedValue, maker.Dup(), !e.isolated); err != nil {
		return run, clock, err
	}
	if clock, err = property(vm, made, "clock"); err != nil {
		run.Free()
	}
	return run, clock, err
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
		e.clock.Free()
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
	Command   string            `json:"command,omitempty"`  // beside what TS013 knows: which command data is the input of
	Data      any               `json:"data,omitempty"`
	Variables map[string]string `json:"variables"`
}

type question struct {
	Op    driver.Op `json:"op"`
	Now   int64     `json:"now"`
	Seed  uint32    `json:"seed"`
	Input input     `json:"input"`
}

func ask(c driver.Call) question {
	in := input{Command: c.Command, Data: c.Data, Variables: c.Variables}
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
	return question{Op: c.Op, Now: now.UnixMilli(), Seed: h.Sum32(), Input: in}
}

// Call asks the codec and returns its answer as JSON, which Read understands.
func (e *Engine) Call(c driver.Call) (answer string) {
	q := ask(c)
	text, err := json.Marshal(q)
	if err != nil {
		return refuse(driver.Invalid, err.Error())
	}
	answer, full := e.try(q, string(text))
	if full { // of what calls before it have left lying about, perhaps, and that is not its fault
		answer, _ = e.try(q, string(text))
	}
	return answer
}

// try is one try of a call. full tells that there was no memory for it in a heap that had served before: that heap is gone, and in a new one
// the call has all the memory that there is.
func (e *Engine) try(q question, text string) (answer string, full bool) {
	if err := e.Ready(); err != nil {
		return failed(err), false
	}
	used := e.calls > 0
	e.calls++
	if e.script != nil {
		if err := e.evaluate(q); err != nil {
			e.Close()
			return failed(err), false
		}
	}
	out, err := e.run.Call(quickjs.UndefinedValue, text)
	s, ok := out.(string)
	spoilt := err != nil || !ok || strings.HasSuffix(s, `,"spoilt":true}`)
	if spoilt && err == nil {
		e.isolated = true // it leaves things that cannot be taken away
	}
	answer = e.said(s, ok, err)
	memory := (err != nil || strings.HasPrefix(s, `{"thrown":`)) && Read(q.Op, answer).Failure == driver.Memory
	if spoilt || memory || e.isolated || e.calls >= e.limits.Calls {
		e.Close()
	}
	return answer, memory && used
}

// said is the answer of which s came, if it is a text.
func (e *Engine) said(s string, ok bool, err error) string {
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

// evaluate runs the codec's script in the heap, at the time of the call.
func (e *Engine) evaluate(q question) error {
	if _, err := e.clock.Call(quickjs.UndefinedValue, float64(q.Now), float64(q.Seed)); err != nil {
		return err
	}
	v, err := e.vm.EvalBytecodeValue(e.script)
	if err == nil {
		v.Free()
	}
	return err
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
