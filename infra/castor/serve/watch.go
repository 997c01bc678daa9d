package serve

import (
	"bytes"
	"context"
	"time"

	"github.com/castor-iot/castor/infra/gateway"
)

// lookAgain is how often the file of functions is looked at. It is small; its content tells more than its time does.
const lookAgain = time.Second

// A watcher reads where functions are.
type watcher struct {
	Config
	last []byte // of the file of functions
}

// newWatcher reads the files for the first time.
func newWatcher(c Config) (*watcher, []gateway.Function, error) {
	w := &watcher{Config: c}
	if c.Functions != "" {
		b, err := read(c.Functions)
		if err != nil {
			return nil, nil, err
		}
		w.last = b
	}
	functions, err := w.merged()
	return w, functions, err
}

func (w *watcher) merged() ([]gateway.Function, error) {
	var stack Stack
	var places map[string]placed
	var err error
	if w.Stack != "" {
		if stack, err = ReadStack(w.Stack, w.Env); err != nil {
			return nil, err
		}
	}
	if w.Functions != "" {
		if places, err = parsePlaces(w.Functions, w.last); err != nil {
			return nil, err
		}
	}
	return merge(stack, places, w.Upstream)
}

// run applies what changes until ctx ends. Files that cannot be understood change nothing.
func (w *watcher) run(ctx context.Context, set func([]gateway.Function) error) {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		told := false
		select {
		case <-ctx.Done():
			return
		case <-w.Reload:
			told = true
		case <-tick.C:
		}
		if w.Functions != "" {
			b, err := read(w.Functions)
			if err != nil {
				if told {
					w.Log.Error("functions not read again; those that are known stay", "error", err)
				}
				continue
			}
			if !told && bytes.Equal(b, w.last) {
				continue
			}
			w.last = b
		} else if !told {
			continue
		}
		functions, err := w.merged()
		if err == nil {
			err = set(functions)
		}
		if err != nil {
			w.Log.Error("functions not read again; those that are known stay", "error", err)
			continue
		}
		w.Log.Info("functions read again", "functions", len(functions))
	}
}
