package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

// A logLine is one line of a twin's log.
type logLine struct {
	At       time.Time `json:"at"`
	Level    string    `json:"level"`
	App      string    `json:"app"`
	Text     string    `json:"text"`
	Received time.Time `json:"received"`
	Trace    string    `json:"trace,omitempty"` // finds the message's way in the logs
}

// levels are those of a log, the worst last.
var levels = []string{"debug", "info", "warn", "error"}

func (a *app) logCommand() *cobra.Command {
	q := api.HistoryQuery{Kind: "log", Reverse: true, Limit: 1000}
	var from, to, of, level string
	var limit int
	var follow bool
	c := &cobra.Command{Use: "log TWIN", Short: "What a twin's device and the platform wrote into its log, newest last", Args: cobra.ExactArgs(1),
		ValidArgsFunction: first(twinIDs(a, twin.Instance)),
		Long: `What a twin's device and the platform wrote into its log, newest last. App driver says which messages could not be read, and why; castor twin
parked has them. App platform says what has become of the device: that another one speaks for it now, or calls it otherwise.

With --follow the command goes on and shows each line when it comes, until Ctrl-C.`,
		Example: `  castor twin log pump-7
  castor twin log pump-7 --app driver --from 7d
  castor twin log pump-7 --level warn -o json
  castor twin log pump-7 --follow --limit 10`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) (err error) {
			q := q
			q.Twin = twin.ID(args[0])
			if q.From, err = a.when("--from", from); err == nil {
				q.To, err = a.when("--to", to)
			}
			switch {
			case err != nil:
				return err
			case limit < 1:
				return errors.New("--limit must be 1 or more")
			case level != "" && !slices.Contains(levels, level):
				return fmt.Errorf("--level %.20q must be %s", level, strings.Join(levels, ", "))
			}
			wanted := func(l logLine) bool { return (of == "" || l.App == of) && atLeast(l.Level, level) }
			switch {
			case follow && to != "":
				return errors.New("--follow shows what comes yet, so it does not go with --to")
			case follow:
				return a.followLog(ctx, c, cmd, q, limit, wanted)
			}
			lines, apps, more, err := logLines(ctx, c, q, limit, wanted)
			if err != nil {
				return err
			}
			if err := printAll(a, cmd.OutOrStdout(), lines, []column[logLine]{
				{"at", func(l logLine) string { return stamp(l.At) }},
				{"level", func(l logLine) string { return l.Level }},
				{"app", func(l logLine) string { return l.App }},
				{"text", func(l logLine) string { return l.Text }},
			}); err != nil {
				return err
			}
			switch {
			case more:
				hint(cmd, "There is more before; use a higher --limit.")
			case len(lines) == 0 && len(apps) == 0:
				a.whyNothing(ctx, c, cmd, q)
			case len(lines) == 0:
				hint(cmd, "No line is such a one; in this time there are lines of: %s", plain(strings.Join(apps, ", ")))
			}
			return nil
		})}
	f := c.Flags()
	f.StringVar(&of, "app", "", "only lines of this app: driver, platform, or one that runs on the device")
	f.StringVar(&level, "level", "", "only lines of this level or worse: "+strings.Join(levels, ", "))
	f.StringVar(&from, "from", "24h", "beginning: so long ago (90m, 7d), a date or an RFC 3339 time")
	f.StringVar(&to, "to", "", "end, which is not included; as --from (default now)")
	f.IntVar(&limit, "limit", 100, "how many lines to show at most, the newest")
	f.BoolVarP(&follow, "follow", "f", false, "go on and show each line when it comes")
	check(c.RegisterFlagCompletionFunc("level", cobra.FixedCompletions(levels, cobra.ShellCompDirectiveNoFileComp)))
	a.outputFlag(c, asTable, asJSON, asYAML, asCSV)
	return c
}

func logLineOf(r api.Record) logLine {
	l := logLine{At: r.At, Received: r.Received, Trace: r.Trace}
	for _, s := range r.Samples {
		switch s.Property {
		case "app":
			l.App = value(s.Value)
		case "level":
			l.Level = value(s.Value)
		case "text":
			l.Text = value(s.Value)
		}
	}
	return l
}

// logLines are the newest lines that are wanted, newest last; apps are those of all lines that were seen.
func logLines(ctx context.Context, c *api.Client, q api.HistoryQuery, limit int, wanted func(logLine) bool) (lines []logLine, apps []string, more bool, err error) {
	for {
		page, err := c.History(ctx, q)
		if err != nil {
			return nil, nil, false, err
		}
		for _, r := range page.Items {
			l := logLineOf(r)
			if !slices.Contains(apps, l.App) {
				apps = append(apps, l.App)
			}
			if !wanted(l) {
				continue
			}
			if more = len(lines) == limit; more {
				break
			}
			lines = append(lines, l)
		}
		if q.Cursor = page.Next; q.Cursor == "" || more {
			slices.Reverse(lines)
			return lines, apps, more, nil
		}
	}
}

// atLeast tells whether a line is of the level that is asked for, or worse. One whose level has another name is shown: nobody knows how
// bad it is.
func atLeast(level, asked string) bool {
	if asked == "" {
		return true
	}
	level = strings.ToLower(level)
	if level == "warning" {
		level = "warn"
	}
	at := slices.Index(levels, level)
	return at < 0 || at >= slices.Index(levels, asked)
}
