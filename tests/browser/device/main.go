// Command device plays one device for the browser's stories: it provisions itself with a claim, then reads from standard input
// what it shall measure or log, one JSON object per line, and says "stored" when the platform has it.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/castor-iot/castor/agent/device"
	"github.com/castor-iot/castor/shared/api"
)

// A line is one thing to report: values, or a line of an app's log.
type line struct {
	Data map[string]any `json:"data"`
	Ago  int64          `json:"ago"` // milliseconds: how long since it was measured

	App   string `json:"app"`
	Level string `json:"level"`
	Text  string `json:"text"`
}

func main() {
	claim := flag.String("claim", "", "claim file")
	serial := flag.String("serial", "", "serial of the device")
	dir := flag.String("dir", "", "where the device keeps its key; empty = in memory")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *claim, *serial, *dir); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, claimFile, serial, dir string) error {
	b, err := os.ReadFile(claimFile)
	if err != nil {
		return err
	}
	var claim api.ClaimFile
	if err := json.Unmarshal(b, &claim); err != nil {
		return fmt.Errorf("%s: %w", claimFile, err)
	}
	d, err := device.Start(device.Config{Claim: claim, Serial: serial, Model: "story", Dir: dir})
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Ready(ctx); err != nil {
		return err
	}
	fmt.Println("twin", d.Twin())
	lines := make(chan []byte)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- append([]byte(nil), in.Bytes()...)
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case b, more := <-lines:
			if !more {
				return nil
			}
			if err := report(ctx, d, b); err != nil {
				return err
			}
			fmt.Println("stored")
		}
	}
}

func report(ctx context.Context, d *device.Device, b []byte) error {
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return err
	}
	at := time.Now().Add(-time.Duration(l.Ago) * time.Millisecond)
	var err error
	if l.App != "" {
		_, err = d.LogLine(at, l.App, l.Level, l.Text)
	} else {
		_, err = d.Measure(at, l.Data)
	}
	if err != nil {
		return err
	}
	return d.Drain(ctx)
}
