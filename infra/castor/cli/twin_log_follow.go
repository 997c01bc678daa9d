package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/spf13/cobra"
)

const (
	followEvery = time.Second
	followPage  = 200   // lines that are asked for at a time
	followMost  = 2_000 // new lines between two looks; of more the newest are shown
)

// A logFollower shows the lines of a log that came since it looked last. The history is in the order in which devices' clocks have
// them, so a line may come before those that were shown: what counts is whether it was shown.
type logFollower struct {
	c      *api.Client
	q      api.HistoryQuery
	wanted func(logLine) bool
	shown  map[logLine]bool // of the newest lines, as many as were looked at last
}

// followLog shows the newest lines and then those that come, until it is interrupted, which is no error.
func (a *app) followLog(ctx context.Context, c *api.Client, cmd *cobra.Command, q api.HistoryQuery, limit int, wanted func(logLine) bool) error {
	if a.output != asTable && a.output != asJSON {
		return errors.New("--follow goes with --output table or json, which is one line of JSON for each line of the log")
	}
	q.Limit = followPage
	f := logFollower{c: c, q: q, wanted: wanted}
	lines, err := f.newer(ctx)
	lines = lines[max(0, len(lines)-limit):]
	every := time.NewTicker(followEvery)
	defer every.Stop()
	away := false
	for {
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, api.ErrUnavailable) && f.shown != nil: // a platform that is started again is waited for
			if !away {
				hint(cmd, "The platform does not answer; waiting for it.")
			}
		case err != nil:
			return err
		}
		away = err != nil
		for _, l := range lines {
			if err := a.printLine(cmd.OutOrStdout(), l); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		lines, err = f.newer(ctx)
	}
}

// newer are the lines that were not shown yet, newest last.
func (f *logFollower) newer(ctx context.Context) (lines []logLine, err error) {
	seen := map[logLine]bool{}
	q := f.q
	for {
		page, err := f.c.History(ctx, q)
		if err != nil {
			return nil, err
		}
		news := false
		for _, r := range page.Items {
			l := logLineOf(r)
			if seen[l] = true; f.shown[l] {
				continue
			}
			if news = true; f.wanted(l) {
				lines = append(lines, l)
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" || !news || len(seen) >= followMost {
			break
		}
	}
	f.shown = seen
	slices.Reverse(lines)
	return lines, nil
}

// printLine prints one line: a table of lines that are yet to come cannot know how wide they are.
func (a *app) printLine(w io.Writer, l logLine) error {
	if a.output == asJSON {
		b, err := json.Marshal(l)
		if err == nil {
			_, err = fmt.Fprintf(w, "%s\n", escaped(b))
		}
		return err
	}
	_, err := fmt.Fprintf(w, "%s  %-5s  %-8s  %s\n", stamp(l.At), plain(l.Level), plain(l.App), plain(l.Text))
	return err
}
