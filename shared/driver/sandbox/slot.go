package sandbox

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/javascript"
	"github.com/castor-iot/castor/shared/driver/wasm"
)

// work is a place for one worker process: it is started when there is work, and again when a driver has cost it.
func (p *Pool) work(place int) {
	var worker *process
	defer func() {
		if worker != nil {
			worker.end()
		}
	}()
	for {
		j, q, n := p.next(place)
		if j == nil {
			return
		}
		if worker == nil {
			var err error
			if worker, err = start(p.config.Command, p.config.Megabytes); err != nil {
				j.err = err
				p.settle(j, q, 0, visit{}, false)
				continue
			}
			p.serves(place, worker)
		}
		before, began := j.at, worker.computed()
		grave, calls, failure := p.serve(worker, j, n)
		cost := visit{all: worker.computed() - began, calls: calls}
		if failure != nil {
			used := worker.clock > 1 && !errors.Is(failure, errLate)
			p.serves(place, nil)
			worker.end()
			worker = nil
			if p.over() {
				j.err = errClosed
				p.settle(j, q, 0, visit{}, false)
				continue
			}
			if errors.Is(failure, errFull) { // nobody's fault: a new one has room
				p.settle(j, q, j.at-before, cost, false)
				continue
			}
			if used && !j.again { // what it held may have left no room, or it was gone before: the calls have one more attempt, in a new one
				j.again = true
				p.settle(j, q, j.at-before, cost, false)
				continue
			}
			f := driver.Crash
			if errors.Is(failure, errLate) {
				f = driver.Timeout
			}
			upto := j.at + 1
			switch {
			case errors.Is(failure, errLoading), errors.Is(failure, errUnread):
				upto = len(j.calls) // none of them would fare better, and each attempt takes very long
			case errors.Is(failure, io.EOF):
				failure = errEnded
			default:
				failure = fmt.Errorf("its worker ended: %w", failure)
			}
			p.killed.Add(1)
			for ; j.at < upto; j.at++ {
				j.results[j.at] = driver.Result{Failure: f, Reason: failure.Error()}
			}
			p.config.Log.Warn("a payload driver has cost its worker", "driver", j.codec.key[:12], "failure", f, "error", failure)
		}
		p.settle(j, q, j.at-before, cost, grave || failure != nil)
	}
}

// serves notes the worker that runs at a place. One that came after the pool was closed is ended.
func (p *Pool) serves(place int, w *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serving[place] = w
	if w != nil && p.closed {
		w.kill()
	}
}

func (p *Pool) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// serve makes n calls of a job, or fewer, and tells how long the worker computed for them. grave tells that the driver misbehaved, in a way that the worker has outlived. An
// error is the end of the worker, in the call after those that have results.
func (p *Pool) serve(w *process, j *job, n int) (grave bool, calls time.Duration, err error) {
	c := j.codec
	q := request{Key: c.key, Kind: c.kind, Limit: c.limit, Calls: j.calls[j.at : j.at+n]}
	if w.clock++; w.loaded[c.key].at == 0 {
		q.Code, q.Drop = c.code, w.makeRoom(c.weight(), p.config.Drivers)
	}
	w.loaded[c.key] = held{w.clock, c.weight()}
	if err := send(w.in, q); err != nil && q.Code != nil {
		return true, 0, errUnread
	} else if err != nil {
		return false, 0, err
	}
	if q.Code != nil {
		if r, err := w.await(loading + time.Duration(len(q.Code)>>10)*loadingKiB); r.Full {
			return false, 0, errFull
		} else if errors.Is(err, errLate) {
			return true, 0, errLoading
		} else if errors.Is(err, io.EOF) {
			return true, 0, errUnread
		} else if err != nil {
			return true, 0, err
		} else if r.Refuse != "" {
			delete(w.loaded, c.key)
			for ; j.at < len(j.calls); j.at++ {
				j.results[j.at] = driver.Result{Failure: r.Refuse, Reason: r.Reason}
			}
			return false, 0, nil
		}
	}
	began := w.computed()
	for range n {
		r, err := w.await(c.limit + c.limit/4 + 50*time.Millisecond) // what the engine itself does not end
		if err == nil && r.Full {
			err = errFull
		}
		if err != nil {
			return grave, w.computed() - began, err
		}
		j.results[j.at] = readers[c.kind](j.calls[j.at].Op, string(r.Answer))
		grave = grave || r.Grave || j.results[j.at].Failure.Grave()
		if j.at++; r.Stop {
			break
		}
	}
	return grave, w.computed() - began, nil
}

// What a worker's end says of a driver, where nothing else is known. Whatever an engine can outlive, it answers itself.
var (
	errUnread = errors.New("it needs more memory to be compiled than a worker has: leave out what it does not need")
	errFull   = errors.New("it has no memory left for another call")
	errEnded  = errors.New("its worker ended: most likely it needed more memory than a worker has")
)

// readers make results of what engines answer.
var readers = map[driver.Kind]func(op driver.Op, answer string) driver.Result{
	driver.JavaScript: javascript.Read,
	driver.WASM:       wasm.Read,
}
