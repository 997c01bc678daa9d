package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/shared/twin"
)

const (
	programFor  = 10 * time.Minute // how long a program may run
	programEnds = 5 * time.Second  // for its output after it was killed: children may hold it open
	programMost = 64 << 10         // bytes of its output that are kept
)

// programs makes handlers of NAME=PROGRAM: only programs that the owner of the machine named, by absolute path, are run.
func programs(given []string) (map[string]agent.Handler, error) {
	all := map[string]agent.Handler{}
	for _, g := range given {
		name, path, ok := strings.Cut(g, "=")
		switch {
		case !ok || !twin.CommandPattern.MatchString(name):
			return nil, fmt.Errorf("--command %q must be NAME=PROGRAM, the name of letters, digits, '.', '_' and '-'", g)
		case !filepath.IsAbs(path):
			return nil, fmt.Errorf("--command %q: the program must be named by its absolute path", g)
		case all[name] != nil:
			return nil, fmt.Errorf("--command %s is given twice", name)
		}
		if _, err := exec.LookPath(path); err != nil {
			return nil, fmt.Errorf("--command %q: %w", g, err)
		}
		all[name] = func(ctx context.Context, c agent.Command) (any, error) { return runProgram(ctx, path, c) }
	}
	return all, nil
}

// runProgram runs a program without shell, arguments and the agent's environment; the input comes on its standard input.
func runProgram(ctx context.Context, path string, c agent.Command) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, programFor)
	defer cancel()
	var out, diag limited
	p := exec.CommandContext(ctx, path)
	p.Env, p.Dir, p.WaitDelay = []string{"CASTOR_COMMAND=" + c.ID}, filepath.Dir(path), programEnds
	p.Stdin, p.Stdout, p.Stderr = bytes.NewReader(c.Input), &out, &diag
	if err := p.Run(); err != nil {
		if text := strings.TrimSpace(string(diag.kept)); text != "" {
			err = fmt.Errorf("%w: %s", err, text)
		}
		return nil, err
	}
	if out.over {
		return nil, errors.New("the program did it, but printed more than 64 KiB")
	}
	text := bytes.TrimSpace(out.kept)
	switch {
	case len(text) == 0:
		return nil, nil
	case json.Valid(text):
		return json.RawMessage(text), nil
	}
	return strings.ToValidUTF8(string(text), "\uFFFD"), nil
}

// limited keeps the beginning of what is written. It is no bytes.Buffer, whose ReadFrom would keep all of it.
type limited struct {
	kept []byte
	over bool
}

func (l *limited) Write(b []byte) (int, error) {
	n := min(len(b), programMost-len(l.kept))
	l.kept, l.over = append(l.kept, b[:n]...), l.over || n < len(b)
	return len(b), nil
}
