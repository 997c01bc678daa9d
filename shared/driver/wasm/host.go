package wasm

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// A host is what a module sees of the world during one call: a clock that stands, random numbers that follow from the call, and
// a log. It is made anew for each call.
type host struct {
	now     time.Time
	passed  time.Duration // of the clock that only goes forward: a little each time it is looked at
	random  *rand.ChaCha8
	log     []string
	more    int             // lines that found no room in log
	last    strings.Builder // what was written without an end of line yet
	stopped *atomic.Bool
}

type hostKey struct{}

func newHost(now time.Time, seed []byte, stopped *atomic.Bool) (context.Context, *host) {
	h := &host{now: now, random: rand.NewChaCha8(sha256.Sum256(seed)), stopped: stopped}
	return context.WithValue(context.Background(), hostKey{}, h), h
}

func hostOf(ctx context.Context) *host {
	h := ctx.Value(hostKey{}).(*host)
	if h.stopped.Load() {
		panic(errStopped)
	}
	return h
}

var errStopped = errors.New("it computed longer than it may")

// Bounds of a log, as of a driver's other words.
const (
	maxLine  = 500 // bytes
	maxLines = driver.MaxNotes - 1
)

// write takes text of which lines are made.
func (h *host) write(text []byte) {
	for _, b := range text {
		switch {
		case b == '\n':
			h.line()
		case h.last.Len() <= maxLine && h.more == 0:
			h.last.WriteByte(b)
		}
	}
}

func (h *host) line() {
	if len(h.log) < maxLines {
		h.log = append(h.log, h.last.String())
	} else {
		h.more++
	}
	h.last.Reset()
}

// lines is the log, bounded.
func (h *host) lines() []string {
	if h.last.Len() > 0 {
		h.line()
	}
	if h.more > 0 {
		h.log = append(h.log, fmt.Sprintf("and %d more", h.more))
		h.more = 0
	}
	return driver.Notes(h.log)
}

// machine is what all modules of the process run on: the compiler and the functions that they may call.
var machine = sync.OnceValues(func() (wazero.Runtime, error) {
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithMemoryLimitPages(maxPages))
	_, err := r.NewHostModuleBuilder("castor").NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(log), []api.ValueType{api.ValueTypeI32, api.ValueTypeI32}, nil).Export("log").Instantiate(ctx)
	if err != nil {
		return nil, err
	}
	return r, wasi(ctx, r)
})

func log(ctx context.Context, m api.Module, stack []uint64) {
	h := hostOf(ctx)
	text, ok := m.Memory().Read(uint32(stack[0]), uint32(stack[1]))
	if !ok {
		panic(fmt.Errorf("castor.log: pointer %d with length %d is outside the memory", uint32(stack[0]), uint32(stack[1])))
	}
	h.write(text[:min(len(text), maxLines*maxLine)])
	h.line()
}
