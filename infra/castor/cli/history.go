package cli

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) historyCommand() *cobra.Command {
	var q api.HistoryQuery
	var from, to string
	var all bool
	c := &cobra.Command{
		Use: "history TWIN [PROPERTY]", Short: "What a twin reported, as it was or in steps", Args: cobra.RangeArgs(1, 2),
		ValidArgsFunction: a.completeHistory,
		Example: `  castor history host-1 cpu.percent
  castor history host-1 cpu.percent --from 24h --step 15m --agg avg,max
  castor history host-1 --from 2026-03-21 --to 2026-03-22 --all -o csv > day.csv
  castor history host-1 --kind log --reverse --limit 20`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) (err error) {
			q.Twin = twin.ID(args[0])
			if len(args) > 1 {
				q.Property = args[1]
			}
			if q.From, err = a.when("--from", from); err == nil {
				q.To, err = a.when("--to", to)
			}
			if err != nil {
				return err
			}
			if q.Step > 0 {
				if q.Property == "" {
					return errors.New("--step needs a property: castor history TWIN PROPERTY --step 1m")
				}
				return a.steps(ctx, c, cmd, q)
			}
			if cmd.Flags().Changed("agg") {
				return errors.New("--agg needs --step: castor history TWIN PROPERTY --step 1m --agg " + q.Agg)
			}
			q.Agg = ""
			return a.records(ctx, c, cmd, q, all)
		}),
	}
	f := c.Flags()
	f.StringVar(&from, "from", "1h", "beginning: so long ago (90m, 7d), a date or an RFC 3339 time")
	f.StringVar(&to, "to", "", "end, which is not included; as --from (default now)")
	durationVar(f, &q.Step, "step", "length of the steps in which values are put together, like 1m or 1d (default none: as it was)")
	f.StringVar(&q.Agg, "agg", "avg", "with --step: min, max, avg, last, count, sum, p50, p95 …; several by comma")
	f.StringVar(&q.Kind, "kind", "", "log, presence, event, response or all (default measured values)")
	f.IntVar(&q.Limit, "limit", 1000, "how many messages to show at most; one may have several values")
	f.BoolVar(&all, "all", false, "show all messages, however many there are")
	f.BoolVar(&q.Reverse, "reverse", false, "newest first")
	a.outputFlag(c, asTable, asCSV, asJSON, asYAML)
	return c
}

func (a *app) completeHistory(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return twinIDs(a, twin.Instance)(cmd, args, begun)
	case 1:
		return ids(a, func(ctx context.Context, c *api.Client, _ string) (api.Page[twin.Reading], error) {
			t, err := c.GetTwin(ctx, twin.ID(args[0]))
			return api.Page[twin.Reading]{Items: t.Live.Reported}, err
		}, func(r twin.Reading) string { return r.Property })(cmd, args, begun)
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// when reads a time: a span before now, a date (UTC) or RFC 3339; "" is the zero time.
func (a *app) when(flag, s string) (time.Time, error) {
	if s == "" || s == "now" {
		return time.Time{}, nil
	}
	if d, err := parseDuration(s); err == nil {
		return a.now().Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %q must be like 90m or 7d, 2026-03-21 or 2026-03-21T10:00:00Z", flag, s)
}

// A point is one value of one message.
type point struct {
	At       time.Time  `json:"at"`
	Property string     `json:"property"`
	Value    any        `json:"value"`
	Flag     twin.Flag  `json:"flag,omitempty"`
	Received time.Time  `json:"received"`
	Order    twin.Order `json:"order"`
	Trace    string     `json:"trace,omitempty"` // finds the message's way in the logs
}

var pointColumns = []column[point]{
	{"at", func(p point) string { return stamp(p.At) }},
	{"property", func(p point) string { return p.Property }},
	{"value", func(p point) string { return value(p.Value) }},
	{"flag", func(p point) string { return string(p.Flag) }},
}

// stamp is a time that can be read and sorted.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// records prints messages as they were. As CSV they are printed page by page: a year need not fit into memory.
func (a *app) records(ctx context.Context, c *api.Client, cmd *cobra.Command, q api.HistoryQuery, all bool) error {
	left := q.Limit
	if left < 1 {
		return errors.New("--limit must be 1 or more")
	}
	var points []point
	n, asked := 0, q
	out := csv.NewWriter(cmd.OutOrStdout())
	if a.output == asCSV {
		if err := out.Write([]string{"at", "property", "value", "flag"}); err != nil {
			return err
		}
	}
	for {
		if q.Limit = min(left, 1000); all {
			q.Limit = 1000
		}
		page, err := c.History(ctx, q)
		if err != nil {
			return err
		}
		for _, r := range page.Items {
			for _, s := range r.Samples {
				if q.Property != "" && s.Property != q.Property {
					continue
				}
				n++
				p := point{r.At, s.Property, s.Value, r.Flag, r.Received, r.Order, r.Trace}
				if a.output != asCSV {
					points = append(points, p)
				} else if err := out.Write([]string{stamp(p.At), p.Property, value(p.Value), string(p.Flag)}); err != nil {
					return err
				}
			}
		}
		left -= len(page.Items)
		q.Cursor = page.Next
		if q.Cursor == "" || !all && left <= 0 {
			break
		}
	}
	if out.Flush(); a.output == asCSV {
		if err := out.Error(); err != nil {
			return err
		}
	} else if err := printAll(a, cmd.OutOrStdout(), points, pointColumns); err != nil {
		return err
	}
	if n == 0 {
		a.whyNothing(ctx, c, cmd, asked)
	}
	if q.Cursor != "" {
		hint(cmd, "There is more; use --all, or a higher --limit.")
	}
	return nil
}

// steps prints one property's values put together.
func (a *app) steps(ctx context.Context, c *api.Client, cmd *cobra.Command, q api.HistoryQuery) error {
	q.Limit = 0
	var all []api.Bucket
	for {
		page, err := c.Aggregate(ctx, q)
		if err != nil {
			return err
		}
		all = append(all, page.Items...)
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	columns := []column[api.Bucket]{{"at", func(b api.Bucket) string { return stamp(b.At) }}}
	for _, agg := range strings.Split(q.Agg, ",") {
		agg = strings.TrimSpace(agg)
		columns = append(columns, column[api.Bucket]{agg, func(b api.Bucket) string {
			if v, ok := b.Values[agg]; ok {
				return value(v)
			}
			return ""
		}})
	}
	columns = append(columns, column[api.Bucket]{"values", func(b api.Bucket) string { return fmt.Sprint(b.Count) }})
	if err := printAll(a, cmd.OutOrStdout(), all, columns); err != nil {
		return err
	}
	if len(all) == 0 {
		a.whyNothing(ctx, c, cmd, q)
	}
	return nil
}
