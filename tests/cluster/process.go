package cluster

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// A Process is one program of the platform. One that ends by itself, or by Crash, is started again, as orchestrators do.
type Process struct {
	Name string

	cluster *Cluster
	file    string
	args    []string
	env     []string
	metrics string // address of /metrics and /readyz

	mu     sync.Mutex
	cmd    *exec.Cmd     // nil while it does not run
	over   chan struct{} // closed when cmd has ended
	wanted bool
}

// again is how long an orchestrator takes to start what has ended.
const again = 200 * time.Millisecond

// Start starts the program unless it runs.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = true
	return p.start()
}

func (p *Process) start() error {
	if p.cmd != nil {
		return nil
	}
	cmd := exec.Command(p.file, p.args...)
	cmd.Env, cmd.Dir = p.env, p.cluster.config.Dir
	cmd.Stdout, cmd.Stderr = p.cluster.log, p.cluster.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it never outlives the test, however that ends
	if err := p.cluster.starter.start(cmd); err != nil {
		return err
	}
	over := make(chan struct{})
	p.cmd, p.over = cmd, over
	go p.watch(cmd, over)
	return nil
}

// watch waits for the end of a program and starts it again if it is still wanted.
func (p *Process) watch(cmd *exec.Cmd, over chan struct{}) {
	err := cmd.Wait()
	p.mu.Lock()
	p.cmd = nil
	wanted := p.wanted
	p.mu.Unlock()
	close(over)
	for wanted {
		fmt.Fprintf(p.cluster.log, "%s ended (%v) and is started again\n", p.Name, err)
		<-time.After(again)
		p.mu.Lock()
		wanted = p.wanted && p.start() != nil
		p.mu.Unlock()
	}
}

// Crash ends the program as a power cut would; it comes back soon.
func (p *Process) Crash() { <-p.signal(syscall.SIGKILL, false) }

// Kill is Crash of a program that stays away until Start.
func (p *Process) Kill() { <-p.signal(syscall.SIGKILL, true) }

// Stop has the program end by itself, and returns an error when it takes longer than 20 s.
func (p *Process) Stop() error {
	over := p.signal(syscall.SIGTERM, true)
	select {
	case <-over:
		return nil
	case <-time.After(20 * time.Second):
		p.Kill()
		return errors.New(p.Name + " did not end within 20 s of SIGTERM")
	}
}

// Running tells whether the program runs.
func (p *Process) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil
}

// signal sends a signal and returns what is closed when the program has ended.
func (p *Process) signal(s syscall.Signal, stay bool) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if stay {
		p.wanted = false
	}
	if p.cmd == nil {
		ended := make(chan struct{})
		close(ended)
		return ended
	}
	_ = p.cmd.Process.Signal(s)
	return p.over
}

// A starter starts programs from one thread that lives as long as the cluster: a child is killed when the thread that started
// it ends (Pdeathsig), not when the process does.
type starter struct{ ask chan func() }

func newStarter() *starter {
	s := &starter{ask: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for f := range s.ask {
			f()
		}
	}()
	return s
}

func (s *starter) start(cmd *exec.Cmd) error {
	err := make(chan error, 1)
	s.ask <- func() { err <- cmd.Start() }
	return <-err
}

// pid is the program's number; 0 while it does not run.
func (p *Process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}
