package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// A browser is Chromium, driven by tests/browser/bench, a program of Node's that takes an order per line and answers each with a line.
type browser struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

// An order is what the browser shall do: "load", "scroll", "watch" or "seen".
type order struct {
	Do       string `json:"do"`
	URL      string `json:"url,omitempty"`
	Name     string `json:"name,omitempty"`
	Password string `json:"password,omitempty"`
	View     string `json:"view,omitempty"`
	Twin     string `json:"twin,omitempty"`
	Value    int    `json:"value,omitempty"`
}

// browserDir is where the driver and what it needs are.
const browserDir = "tests/browser"

// openBrowser builds the console and starts a browser; it is nil where there is no Node.js or no Chromium, which is said.
func (b *bench) openBrowser(ctx context.Context) (*browser, error) {
	if b.castor == "" { // else it has the console that it was built with
		if said, err := exec.CommandContext(ctx, "make", "console").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("make console: %w\n%s", err, said)
		}
	}
	if said, err := b.buildDriver(ctx); err != nil {
		fmt.Printf("left out: what needs a browser, for its driver cannot be built, which needs Node.js >= 20: %v %.300s\n", err, bytes.TrimSpace(said))
		return nil, nil
	}
	w := &browser{cmd: exec.CommandContext(ctx, "node", "node_modules/.cache/bench/main.js")}
	w.cmd.Dir, w.cmd.Stderr = browserDir, os.Stderr
	var err error
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.out = json.NewDecoder(out)
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	if err := w.ask(order{Do: "open"}, nil); err != nil {
		why, _, _ := strings.Cut(err.Error(), "\n")
		fmt.Println("left out: what needs a browser:", why)
		w.close()
		return nil, nil
	}
	return w, nil
}

func (b *bench) buildDriver(ctx context.Context) (said []byte, err error) {
	install := exec.CommandContext(ctx, "make", browserDir+"/node_modules/.package-lock.json")
	if said, err = install.CombinedOutput(); err != nil {
		return said, err
	}
	build := exec.CommandContext(ctx, "npm", "run", "--silent", "bench")
	build.Dir = browserDir
	return build.CombinedOutput()
}

// ask gives an order and waits until it is done.
func (w *browser) ask(o order, answer any) error {
	if err := json.NewEncoder(w.in).Encode(o); err != nil {
		return fmt.Errorf("browser: %s: %w", o.Do, err)
	}
	var said struct {
		Error  string          `json:"error"`
		Answer json.RawMessage `json:"answer"`
	}
	if err := w.out.Decode(&said); err != nil {
		return fmt.Errorf("browser: %s: %w", o.Do, err)
	}
	if said.Error != "" {
		return fmt.Errorf("browser: %s: %w", o.Do, errors.New(said.Error))
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(said.Answer, answer)
}

// close ends the browser: its driver ends with its input.
func (w *browser) close() {
	_ = w.in.Close()
	_ = w.cmd.Wait()
}
