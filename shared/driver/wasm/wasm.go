// Package wasm runs payload drivers that are WebAssembly core modules, on wazero. A module sees the message it is given, a clock
// that stands at the message's time, random numbers that follow from the message, and a log; no files, no network, no
// environment. Nothing of one call is seen by the next. docs/drivers-wasm.md is the interface, for those who write drivers.
//
// A module's endless loop cannot be interrupted here (checks in every loop would cost all drivers a multiple): whoever cannot
// trust a module runs the engine in a process that can be killed (package sandbox).
package wasm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"
)

// Limits bound a driver. Zero fields have defaults.
type Limits struct {
	Memory int // bytes of its linear memory: 32 MiB; at most 256 MiB
	Input  int // bytes of what it is given in a call: 1 MiB
	Output int // bytes of a result: driver.MaxOutput
}

func (l Limits) withDefaults() Limits {
	or := func(v *int, otherwise int) {
		if *v <= 0 {
			*v = otherwise
		}
	}
	or(&l.Memory, 32<<20)
	or(&l.Input, 1<<20)
	or(&l.Output, driver.MaxOutput)
	l.Memory = min(l.Memory, maxPages*page)
	return l
}

// An Engine runs one driver. Its methods are called one after the other, but for Interrupt.
type Engine struct {
	limits  Limits
	module  wazero.CompiledModule
	exports map[driver.Op]string // those that it has
	globals []string             // under these names its globals can be read and set
	lasting string               // why an instance serves one call only; "" = it can be restored
	stopped atomic.Bool

	instance *instance
}

// An instance is a module with its memory.
type instance struct {
	module api.Module
	memory *memory
	before *snapshot // nil = it serves one call
	used   bool      // since it was made or restored

	alloc      api.Function
	operations map[driver.Op]api.Function
}

// New reads and compiles a module. One that is none, is not of this interface or wants what is not there is refused with the reason.
func New(module []byte, l Limits) (*Engine, error) {
	e := &Engine{limits: l.withDefaults()}
	if len(module) > driver.MaxModule {
		return nil, fmt.Errorf("the module has %d bytes, at most %d are taken", len(module), driver.MaxModule)
	}
	b, err := read(module)
	if err != nil {
		return nil, err
	}
	if err := b.check(uint64(e.limits.Memory)); err != nil {
		return nil, err
	}
	e.lasting = b.lasting
	changed, names := b.withGlobals()
	for _, g := range b.globals {
		if g.mutable && len(names) == 0 {
			e.lasting = "a global that is no number"
		}
	}
	e.globals = names
	r, err := machine()
	if err != nil {
		return nil, err
	}
	if e.module, err = r.CompileModule(context.Background(), changed); err != nil {
		return nil, fmt.Errorf("the module is not valid: %s", firstLine(err))
	}
	if err := e.checkTypes(); err != nil {
		_ = e.module.Close(context.Background())
		return nil, err
	}
	return e, nil
}

// Ready takes away what the last call left. Call does so too.
func (e *Engine) Ready() error {
	i := e.instance
	if i == nil || !i.used {
		return nil
	}
	if i.before == nil || !i.before.restore(i.module.Memory()) {
		e.Reset()
	}
	i.used = false
	return nil
}

// Held is how many bytes the driver's instance has, with what it is restored from.
func (e *Engine) Held() int {
	if e.instance == nil {
		return 0
	}
	return cap(e.instance.memory.b) + cap(e.instance.memory.base)
}

// Reset gives the instance back; the next call makes another.
func (e *Engine) Reset() {
	if e.instance != nil {
		_ = e.instance.module.Close(context.Background())
		e.instance = nil
	}
}

// Close gives everything back. The engine is not called again.
func (e *Engine) Close() {
	e.Reset()
	_ = e.module.Close(context.Background())
}

// Interrupt makes the call under way fail, if only once it comes to its end or calls what is outside the module.
func (e *Engine) Interrupt() { e.stopped.Store(true) }

// maxSnapshot is how much memory is copied for each call; a module with more has a new one, which the system clears as it is used.
const maxSnapshot = 8 << 20

// begin makes an instance: the module initialises itself, in a world that is the same each time.
func (e *Engine) begin() error {
	r, err := machine()
	if err != nil {
		return err
	}
	m := &memory{limit: uint64(e.limits.Memory)}
	ctx, h := newHost(time.Unix(0, 0), nil, &e.stopped)
	made, err := r.InstantiateModule(experimental.WithMemoryAllocator(ctx, m), e.module, wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize"))
	if err != nil {
		return &failure{err, m.refused, h.lines()}
	}
	e.instance = &instance{module: made, memory: m, alloc: made.ExportedFunction("alloc"), operations: make(map[driver.Op]api.Function)}
	for op, export := range e.exports {
		e.instance.operations[op] = made.ExportedFunction(export)
	}
	if e.lasting != "" || len(m.b) > maxSnapshot {
		return nil
	}
	globals := make([]api.MutableGlobal, len(e.globals))
	for i, n := range e.globals {
		globals[i] = made.ExportedGlobal(n).(api.MutableGlobal)
	}
	e.instance.before = takeSnapshot(m, globals)
	return nil
}

// Call asks the driver and returns its answer, which Read understands.
func (e *Engine) Call(c driver.Call) (answer string) {
	e.stopped.Store(false)
	if e.exports[c.Op] == "" {
		return refuse(driver.Missing, fmt.Sprintf("the module exports no function %s", exportOf[c.Op]), nil)
	}
	in, err := question(c)
	if err == nil && len(in) > e.limits.Input {
		err = fmt.Errorf("what the driver is to be given has %d bytes, at most %d are taken", len(in), e.limits.Input)
	}
	if err != nil {
		return refuse(driver.Invalid, err.Error(), nil)
	}
	_ = e.Ready()
	if e.instance == nil {
		if err := e.begin(); err != nil {
			return e.failed(fmt.Errorf("its initialisation: %w", err), nil, false)
		}
	}
	i := e.instance
	i.used, i.memory.refused = true, false
	ctx, h := newHost(moment(c), in, &e.stopped)
	out, err := i.ask(ctx, c.Op, in, e.limits.Output)
	log := h.lines()
	if err != nil || e.stopped.Load() {
		answer = e.failed(err, log, i.memory.refused)
		e.Reset()
		return answer
	}
	answer = pack(reply{Out: out, Log: log})
	if i.before == nil {
		e.Reset()
	}
	return answer
}

// ask writes the input where the module wants it, and copies what it answers.
func (i *instance) ask(ctx context.Context, op driver.Op, in []byte, most int) (out []byte, err error) {
	at, err := i.alloc.Call(ctx, uint64(len(in)))
	if err != nil {
		return nil, err
	}
	if at[0] = uint64(uint32(at[0])); at[0] == 0 || !i.module.Memory().Write(uint32(at[0]), in) {
		return nil, wrongf("alloc(%d) returned %d, which is no place for so many bytes in a memory of %d", len(in), at[0], i.module.Memory().Size())
	}
	packed, err := i.operations[op].Call(ctx, at[0], uint64(len(in)))
	if err != nil {
		return nil, err
	}
	where, length := uint32(packed[0]>>32), uint32(packed[0])
	switch {
	case length == 0:
		return nil, wrongf("%s returned nothing; a map with data, or with errors, is needed", exportOf[op])
	case int64(length) > int64(most):
		return nil, &misconduct{driver.Output, fmt.Sprintf("the result has %d bytes, at most %d are taken", length, most)}
	}
	said, ok := i.module.Memory().Read(where, length)
	if !ok {
		return nil, wrongf("%s returned pointer %d and length %d, which is outside its memory of %d bytes", exportOf[op], where, length, i.module.Memory().Size())
	}
	return append([]byte(nil), said...), nil
}

// A misconduct is a failure that has its kind.
type misconduct struct {
	kind   driver.Failure
	reason string
}

func (m *misconduct) Error() string { return m.reason }

func wrongf(format string, a ...any) error {
	return &misconduct{driver.Invalid, fmt.Sprintf(format, a...)}
}

// A failure is what came of an initialisation.
type failure struct {
	error
	refused bool
	log     []string
}

func (f *failure) Unwrap() error { return f.error }

// failed says in an answer why there is none. refused tells that the module was denied memory.
func (e *Engine) failed(err error, log []string, refused bool) string {
	var f *failure
	if errors.As(err, &f) {
		refused, log = f.refused, f.log
	}
	var m *misconduct
	var exit *sys.ExitError
	switch {
	case e.stopped.Load():
		return refuse(driver.Timeout, errStopped.Error(), log)
	case refused:
		return refuse(driver.Memory, fmt.Sprintf("it wanted more memory than it may have, %d MiB", e.limits.Memory>>20), log)
	case errors.As(err, &m):
		return refuse(m.kind, m.reason, log)
	case errors.As(err, &exit):
		return refuse(driver.Exception, fmt.Sprintf("it ended itself with code %d", exit.ExitCode())+begin(log), log)
	default:
		return refuse(driver.Exception, firstLine(err)+begin(log), log)
	}
}

// begin tells how a log begins: who panics says why there.
func begin(log []string) string {
	if len(log) == 0 {
		return ""
	}
	return "; its log begins with: " + log[0]
}

// firstLine leaves out where in the module it was, which only helps who has its source.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimSuffix(strings.TrimSpace(line), " (recovered by wazero)")
}
