// Command device plays one device for the browser's stories: it provisions itself with a claim, then reads from standard input
// what it shall measure or log, a JSON array per line, and says "stored" when the platform has it.
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

// A report is values, or a line of an app's log.
type report struct {
	Data map[string]any `json:"data"`
	Ago  int64          `json:"ago"` // milliseconds: how long since

	App   string `json:"app"`
	Level string `json:"level"`
	Text  string `json:"text"`
}

func main() {
	claim := flag.String("claim", "", "claim file")
	serial := flag.String("serial", "", "serial of the device")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *claim, *serial); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, claimFile, serial string) error {
	b, err := os.ReadFile(claimFile)
	if err != nil {
		return err
	}
	var claim api.ClaimFile
	if err := json.Unmarshal(b, &claim); err != nil {
		return fmt.Errorf("%s: %w", claimFile, err)
	}
	d, err := device.Start(device.Config{Claim: claim, Serial: serial, Model: "story"})
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Ready(ctx); err != nil {
		return err
	}
	fmt.Println("twin", d.Twin())
	lines := make(chan []byte)
	ctx, over := context.WithCancel(ctx)
	defer over()
	go func() {
		defer over() // who tells the device what to measure has gone: so does the device, whatever it waits for
		in := bufio.NewScanner(os.Stdin)
		in.Buffer(nil, 64<<20) // a day's values in one line
		for in.Scan() {
			select {
			case lines <- append([]byte(nil), in.Bytes()...):
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case b := <-lines:
			if err := tell(ctx, d, b); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
			fmt.Println("stored")
		}
	}
}

// tell reports all that a line holds, and waits until the platform has stored it.
func tell(ctx context.Context, d *device.Device, line []byte) error {
	var all []report
	if err := json.Unmarshal(line, &all); err != nil {
		return err
	}
	for _, r := range all {
		at := time.Now().Add(-time.Duration(r.Ago) * time.Millisecond)
		var err error
		if r.App != "" {
			_, err = d.LogLine(at, r.App, r.Level, r.Text)
		} else {
			_, err = d.Measure(at, r.Data)
		}
		if err != nil {
			return err
		}
	}
	return d.Drain(ctx)
}
