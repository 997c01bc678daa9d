package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) alarmCommand() *cobra.Command {
	columns := []column[api.Alarm]{
		{"id", func(x api.Alarm) string { return x.ID }},
		{"severity", func(x api.Alarm) string { return string(x.Severity) }},
		{"state", func(x api.Alarm) string { return string(x.State) }},
		{"about", about},
		{"alarm", func(x api.Alarm) string { return x.Title }},
		{"value", func(x api.Alarm) string { return value(x.Value) }},
		{"raised", func(x api.Alarm) string { return a.ago(x.RaisedAt) }},
		{"cleared", func(x api.Alarm) string { return a.ago(x.ClearedAt) }},
		{"taken on by", func(x api.Alarm) string { return x.AcknowledgedBy }},
	}
	var q api.AlarmQuery
	alarms := func(state string) fetch[api.Alarm] {
		return func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.Alarm], error) {
			return c.ListAlarms(ctx, api.AlarmQuery{State: state, Cursor: cursor})
		}
	}
	ls := list(a, "List alarms, newest first", `  castor alarm list
  castor alarm list --state "" --twin pump-7     also those that are over`, columns, func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.Alarm], error) {
		q := q
		q.Cursor = cursor
		return c.ListAlarms(ctx, q)
	})
	ls.Flags().StringVar(&q.State, "state", "open", `open, raised, acknowledged, cleared; "" = all`)
	ls.Flags().StringVar((*string)(&q.Twin), "twin", "", "only those of this twin, or of what is below this type or aggregate")
	check(ls.RegisterFlagCompletionFunc("twin", twinIDs(a, "")))
	check(ls.RegisterFlagCompletionFunc("state", cobra.FixedCompletions([]cobra.Completion{"open", "raised", "acknowledged", "cleared"}, cobra.ShellCompDirectiveNoFileComp)))
	id := func(x api.Alarm) string { return x.ID }
	return noun("alarm", "Alarms: what is wrong, and who has taken it on", ls,
		get(a, "Show an alarm with its context, and who was told", "  castor alarm get pump-7:hot:3", ids(a, alarms(""), id),
			func(ctx context.Context, c *api.Client, id string) (api.Alarm, error) { return c.GetAlarm(ctx, id) }, a.describeAlarm),
		a.acknowledge(ids(a, alarms(string(monitor.Raised)), id)))
}

func about(x api.Alarm) string {
	if x.Twin == "" {
		return x.Name
	}
	return string(x.Twin)
}

func (a *app) acknowledge(complete cobra.CompletionFunc) *cobra.Command {
	var note string
	c := &cobra.Command{Use: "acknowledge ID…", Aliases: []string{"ack"}, Short: "Take alarms on", Args: cobra.MinimumNArgs(1), ValidArgsFunction: complete,
		Example: `  castor alarm acknowledge pump-7:hot:3 --note "on my way"`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			out := outcomes{a: a, cmd: cmd}
			for _, id := range args {
				x, err := c.AcknowledgeAlarm(ctx, id, note)
				if err != nil {
					return out.end(err)
				}
				out.add("alarm", x.ID, "taken on by "+x.AcknowledgedBy)
			}
			return out.end(nil)
		})}
	a.outputFlag(c, asTable, asYAML, asJSON)
	c.Flags().StringVar(&note, "note", "", "what you are doing about it")
	return c
}

// describeAlarm is an alarm for people.
func (a *app) describeAlarm(ctx context.Context, c *api.Client, w io.Writer, x api.Alarm) error {
	facts := []fact{{"id", x.ID}, {"about", about(x)}, {"alarm", x.Title}, {"severity", string(x.Severity)}, {"state", string(x.State)}}
	if x.Value != nil {
		facts = append(facts, fact{"value", x.Property + " = " + value(x.Value)})
	}
	facts = append(facts, fact{"raised", a.ago(x.RaisedAt)}, fact{"cleared", a.ago(x.ClearedAt)},
		fact{"taken on", strings.TrimSpace(x.AcknowledgedBy + " " + a.ago(x.AcknowledgedAt))}, fact{"note", x.Note}, fact{"location", x.Location.String()})
	if err := printFacts(w, facts); err != nil {
		return err
	}
	if len(x.Before) > 0 {
		fmt.Fprintln(w)
		if err := printAll(a, w, x.Before, []column[twin.Occurrence]{
			{"when", func(o twin.Occurrence) string { return a.ago(o.At) }},
			{"what happened before", func(o twin.Occurrence) string { return o.What }}}); err != nil {
			return err
		}
	}
	told, err := c.ListDeliveries(ctx, x.ID)
	if err != nil || len(told.Items) == 0 {
		return err
	}
	fmt.Fprintln(w)
	return printAll(a, w, told.Items, []column[api.Delivery]{
		{"told", func(d api.Delivery) string {
			if d.To != "" {
				return d.To
			}
			return "webhook of " + d.Route
		}},
		{"of its", func(d api.Delivery) string {
			if d.Raised {
				return "beginning"
			}
			return "end"
		}},
		{"state", func(d api.Delivery) string { return d.State }},
		{"attempts", func(d api.Delivery) string { return fmt.Sprint(d.Attempts) }},
		{"sent", func(d api.Delivery) string { return a.ago(d.Sent) }},
		{"next", func(d api.Delivery) string { return a.ago(d.Next) }},
		{"reason", func(d api.Delivery) string { return d.Reason }},
	})
}
