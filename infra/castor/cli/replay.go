package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/castor-iot/castor/infra/castor/replay"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
)

func (a *app) replayCommand() *cobra.Command {
	c := replay.Config{}
	var typeID string
	cmd := &cobra.Command{
		Use:   "replay FILE.csv",
		Short: "Provision devices and play a recorded series through them",
		Long: `Provisions devices as real ones come in, each with its own key and certificate, and sends the rows of a recording through
their MQTT connections. The first column is the time, every other column a property. It ends when every row of every
device is acknowledged as stored. A type that is not there yet is made with the recording's columns.`,
		Example: `  castor replay machine.csv --type machine
  castor replay machine.csv --type machine --devices 20 --speed 3600   an hour in a second
  castor replay machine.csv --type machine --now                       as if it ended just now`,
		Args: cobra.ExactArgs(1),
		RunE: a.run(func(ctx context.Context, client *api.Client, cmd *cobra.Command, args []string) error {
			c.API, c.Type = client, twin.TypeID(typeID)
			return a.playFile(ctx, cmd, c, args[0])
		}),
	}
	f := cmd.Flags()
	f.StringVar(&typeID, "type", "", "type of the devices (required)")
	f.IntVar(&c.Devices, "devices", 1, "how many devices play the recording, 1 to 1000")
	f.Float64Var(&c.Speed, "speed", 0, "times faster than recorded; 0 = as fast as it is taken")
	f.BoolVar(&c.Shift, "now", false, "move the recording so that it ends now")
	f.StringVar(&c.Owner, "owner", "operators", "group the devices will belong to")
	f.StringVar(&c.Prefix, "serial", "", "prefix of the serials (default made up, so that each replay has devices of its own)")
	a.outputFlag(cmd, asTable, asYAML, asJSON)
	check(cmd.MarkFlagRequired("type"))
	return cmd
}

// replayed is what a replay did, for programs.
type replayed struct {
	Rows     int           `json:"rows"`
	Devices  int           `json:"devices"`
	Messages int           `json:"messages"` // all stored
	Took     twin.Duration `json:"took"`
	From     time.Time     `json:"from"` // where the first device's history begins
	Twins    []twin.ID     `json:"twins"`
}

func (a *app) playFile(ctx context.Context, cmd *cobra.Command, c replay.Config, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if c.Rows, err = replay.Read(f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := ensureType(ctx, cmd, c); err != nil {
		return err
	}
	var bar *progressbar.ProgressBar
	phase := ""
	progress := make(chan func(), 64)
	drawn := make(chan struct{})
	go func() {
		defer close(drawn)
		for draw := range progress {
			draw()
		}
	}()
	c.Progress = func(now string, done, total int) {
		progress <- func() {
			if now != phase {
				phase = now
				bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(cmd.ErrOrStderr()), progressbar.OptionSetDescription(now),
					progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetWidth(30), progressbar.OptionOnCompletion(func() { fmt.Fprintln(cmd.ErrOrStderr()) }))
			}
			_ = bar.Set(done) // a bar that cannot be drawn stops nothing
		}
	}
	r, err := replay.Run(ctx, c)
	close(progress)
	<-drawn
	if err != nil {
		return err
	}
	if a.output != asTable {
		return printOne(a, cmd.OutOrStdout(), replayed{len(c.Rows), r.Devices, r.Messages, twin.Duration(r.Took), earliest(c), r.Twins})
	}
	done(cmd, "%s through %s: %s stored in %s (%.0f/s)", count(len(c.Rows), "row"), count(r.Devices, "device"), count(r.Messages, "message"),
		r.Took.Round(time.Millisecond), float64(r.Messages)/r.Took.Seconds())
	done(cmd, "the first device is twin %s; its history begins at %s", r.Twins[0], earliest(c).Format(time.RFC3339))
	return nil
}

// earliest is where the history of the first device begins.
func earliest(c replay.Config) time.Time {
	first := c.Rows[0].At
	for _, r := range c.Rows {
		if r.At.Before(first) {
			first = r.At
		}
	}
	return first.Add(c.Moved(time.Now()))
}

// ensureType makes the type with the recording's columns if it is not there.
func ensureType(ctx context.Context, cmd *cobra.Command, c replay.Config) error {
	_, err := c.API.GetTwin(ctx, c.Type)
	if !errors.Is(err, api.ErrNotFound) {
		return err
	}
	m := &twin.Model{}
	for _, name := range slices.Sorted(maps.Keys(c.Rows[0].Data)) {
		p := twin.Property{Name: name}
		switch c.Rows[0].Data[name].(type) {
		case bool:
			p.Type = "boolean"
		case string:
			p.Type = "string"
		}
		m.Properties = append(m.Properties, p)
	}
	if _, err := c.API.CreateTwin(ctx, api.NewTwin{ID: c.Type, Kind: twin.Type, Definition: twin.Definition{Name: "Replayed devices", Model: m}}); err != nil {
		return fmt.Errorf("type %s is not there, and cannot be made: %w", c.Type, err)
	}
	hint(cmd, "type %s is made, with properties %v", c.Type, slices.Sorted(maps.Keys(c.Rows[0].Data)))
	return nil
}
