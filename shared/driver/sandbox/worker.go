package sandbox

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/javascript"
	"github.com/castor-iot/castor/shared/driver/wasm"
)

// Argument is what a program is started with to be a worker: PROGRAM driver-worker MEGABYTES.
const Argument = "driver-worker"

// An engine runs one driver in the worker.
type engine interface {
	Ready() error // makes what the next call needs, before its time is counted
	Call(c driver.Call) string
	Interrupt()
	Held() int // bytes that it keeps between calls, as far as that is known
	Reset()    // gives them back, and with them what an interruption may have left
	Close()    // the end
}

func load(kind driver.Kind, code []byte) (engine, error) {
	switch kind {
	case driver.JavaScript:
		return javascript.New(code, javascript.Limits{})
	case driver.WASM:
		return wasm.New(code, wasm.Limits{})
	default:
		return nil, fmt.Errorf("kind %q has no engine", kind)
	}
}

// Work is the whole life of a worker: it takes away what the process does not need, then answers requests until in ends. A
// program's main calls it, and nothing else, if Worker says so.
func Work(in io.Reader, out io.Writer, megabytes int) error {
	if err := confine(megabytes * raceMemory); err != nil {
		return fmt.Errorf("driver worker: %w", err)
	}
	w := worker{engines: make(map[string]engine), out: bufio.NewWriter(out), most: megabytes << 20 / 4, limit: megabytes * raceMemory << 20}
	if err := send(w.out, reply{}); err != nil { // it has begun
		return err
	}
	requests := make(chan request)
	go func() { // apart, so that a worker ends with its parent even while a driver computes
		r := bufio.NewReader(in)
		for {
			var q request
			if err := receive(r, maxFrame, &q); err != nil {
				os.Exit(0)
			}
			requests <- q
		}
	}()
	go w.watch()
	for q := range requests {
		if err := w.serve(q); err != nil {
			return err
		}
	}
	return nil
}

// Worker tells whether the program was started to be a worker, and with how much memory.
func Worker(args []string) (megabytes int, ok bool) {
	if len(args) != 3 || args[1] != Argument {
		return 0, false
	}
	_, err := fmt.Sscan(args[2], &megabytes)
	return megabytes, err == nil
}

// Main makes this process a worker, and does not return, if it was started to be one. A program that opens a pool calls it first.
func Main() {
	megabytes, ok := Worker(os.Args)
	if !ok {
		return
	}
	if err := Work(os.Stdin, os.Stdout, megabytes); err != nil {
		fmt.Fprintln(os.Stderr, "driver worker:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

type worker struct {
	engines map[string]engine
	out     *bufio.Writer
	most    int // bytes that all engines may keep between calls, of those that tell
	limit   int // bytes of private memory, by confine

	mu      sync.Mutex
	running *run // nil between calls, and once it is interrupted
}

// A run is one call under way.
type run struct {
	engine engine
	began  time.Duration // of the process's computing time
	limit  time.Duration
}

func (w *worker) serve(q request) error {
	if len(w.engines) > 0 && crowded(w.limit) {
		return send(w.out, reply{Full: true})
	}
	for _, key := range q.Drop {
		if e := w.engines[key]; e != nil {
			e.Close()
			delete(w.engines, key)
		}
	}
	e := w.engines[q.Key]
	if e == nil {
		var err error
		if e, err = load(q.Kind, q.Code); err == nil {
			err = e.Ready()
		}
		if err != nil {
			return send(w.out, reply{Refuse: driver.Invalid, Reason: err.Error()})
		}
		w.engines[q.Key] = e
		w.trim(q.Key)
		if err := send(w.out, reply{}); err != nil { // it is loaded
			return err
		}
	}
	began := time.Now()
	for _, c := range q.Calls {
		if err := e.Ready(); err != nil {
			return err
		}
		w.begin(&run{engine: e, began: computed(), limit: q.Limit})
		answer := e.Call(c)
		r := reply{Answer: []byte(answer), Grave: w.finish()}
		if r.Grave {
			e.Reset() // the interruption may have come after the call, and must not meet the next
		}
		r.Stop = r.Grave || time.Since(began) > 2*slice
		if err := send(w.out, r); err != nil || r.Stop {
			return err
		}
	}
	w.trim(q.Key)
	return nil
}

// trim has engines other than this one give back what they keep, if all together keep too much.
func (w *worker) trim(but string) {
	held := 0
	for _, e := range w.engines {
		held += e.Held()
	}
	for key, e := range w.engines {
		if held <= w.most {
			return
		}
		if key != but {
			held -= e.Held()
			e.Reset()
		}
	}
}

func (w *worker) begin(r *run) {
	w.mu.Lock()
	w.running = r
	w.mu.Unlock()
}

// finish tells whether the call was interrupted.
func (w *worker) finish() (interrupted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	interrupted = w.running == nil
	w.running = nil
	return interrupted
}

// watch interrupts calls that have computed for too long. What cannot be interrupted, the parent kills.
func (w *worker) watch() {
	const look = 5 * time.Millisecond
	for {
		time.Sleep(look)
		w.mu.Lock()
		if r := w.running; r != nil && computed()-r.began > r.limit {
			w.running = nil
			r.engine.Interrupt()
		}
		w.mu.Unlock()
	}
}
