package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// A process is a worker as its parent sees it.
type process struct {
	cmd    *exec.Cmd
	in     *bufio.Writer
	closer io.Closer
	pipe   *os.File // what it answers
	out    *bufio.Reader
	loaded map[string]held // drivers it has
	clock  int64
	began  time.Time
}

// A held driver is one that a worker has: when it was last called, by the worker's count of requests, and its share of the room.
type held struct {
	at     int64
	weight int
}

// makeRoom forgets the drivers that were not called for longest, until one of this weight finds room.
func (p *process) makeRoom(weight, room int) (forgotten []string) {
	for _, h := range p.loaded {
		weight += h.weight
	}
	for weight > room && len(p.loaded) > 0 {
		least, oldest := p.clock, ""
		for key, h := range p.loaded {
			if h.at <= least {
				least, oldest = h.at, key
			}
		}
		weight -= p.loaded[oldest].weight
		delete(p.loaded, oldest)
		forgotten = append(forgotten, oldest)
	}
	return forgotten
}

func start(command []string, megabytes int) (*process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(command[0], append(command[1:len(command):len(command)], Argument, strconv.Itoa(megabytes))...)
	cmd.Env = []string{"GOMAXPROCS=2", "GOTRACEBACK=none", "TZ=UTC"}
	cmd.Dir = "/"
	cmd.Stdout, cmd.SysProcAttr = w, apart()
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	_ = w.Close()
	if err != nil {
		_ = r.Close()
		return nil, fmt.Errorf("a driver worker cannot be started: %w", err)
	}
	p := &process{cmd: cmd, in: bufio.NewWriter(in), closer: in, pipe: r, out: bufio.NewReader(r), loaded: make(map[string]held), began: time.Now()}
	if _, err := p.await(beginning); err != nil {
		p.end()
		return nil, fmt.Errorf("a driver worker does not begin: %w", err)
	}
	return p, nil
}

// How long a worker may compute until it has begun, and has read a driver: a module is compiled, which takes about 0.4 s per MiB.
var (
	beginning  = raceTime * 10 * time.Second
	loading    = raceTime * 5 * time.Second
	loadingKiB = raceTime * 2 * time.Millisecond // more for each KiB of code
)

// kill ends the worker's work; whoever waits for an answer learns of it.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// end kills the worker and waits for it.
func (p *process) end() {
	_ = p.closer.Close()
	p.kill()
	_ = p.cmd.Wait()
	_ = p.pipe.Close()
}

// computed is how long the worker has computed so far; where the system does not tell, how long it has been there.
func (p *process) computed() time.Duration {
	if t, err := computedBy(p.cmd.Process.Pid); err == nil {
		return t
	}
	return time.Since(p.began)
}

// errLate tells that a worker has computed longer than a call may.
var errLate = errors.New("it computed longer than it may")

// errLoading tells that this was before any call.
var errLoading = fmt.Errorf("reading the driver: %w", errLate)

// await reads the next reply. It gives up with errLate when the worker has computed for more than limit, or has neither
// computed nor answered for much longer. A machine that is busy with something else is not the driver's fault.
func (p *process) await(limit time.Duration) (reply, error) {
	pid, began := p.cmd.Process.Pid, time.Now()
	before, err := computedBy(pid)
	clock := err == nil
	look := limit
	var r reply
	for p.out.Buffered() == 0 {
		_ = p.pipe.SetReadDeadline(time.Now().Add(look))
		_, err := p.out.Peek(1)
		if err == nil {
			break
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return r, err
		}
		used := time.Since(began)
		if used > 10*limit+5*time.Second {
			return r, errLate
		}
		if clock {
			now, err := computedBy(pid)
			if err != nil {
				return r, io.EOF
			}
			used = now - before
		}
		if used > limit {
			return r, errLate
		}
		look = max(limit-used, 5*time.Millisecond)
	}
	_ = p.pipe.SetReadDeadline(time.Now().Add(10 * time.Second)) // the rest of what it has begun to say
	err = receive(p.out, maxReply, &r)
	return r, err
}

// maxReply bounds an answer: a result that is too large is refused by the engine; this is for one that is not itself any more.
const maxReply = 8 << 20
