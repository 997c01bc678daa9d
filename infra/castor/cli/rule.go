package cli

import (
	"context"
	"errors"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) ruleCommand() *cobra.Command {
	columns := []column[monitor.Rule]{
		{"id", func(r monitor.Rule) string { return r.ID }},
		{"target", func(r monitor.Rule) string { return string(r.Target) }},
		{"condition", func(r monitor.Rule) string { return r.Condition.String() }},
		{"severity", func(r monitor.Rule) string { return string(r.Severity) }},
		{"name", func(r monitor.Rule) string { return r.Name }},
		{"enabled", func(r monitor.Rule) string { return yes(!r.Disabled) }},
		{"by", func(r monitor.Rule) string { return r.By }},
		{"changed", func(r monitor.Rule) string { return a.ago(r.Updated) }},
	}
	var target string
	rules := func(ctx context.Context, c *api.Client, cursor string) (api.Page[monitor.Rule], error) {
		return c.ListRules(ctx, twin.ID(target), cursor)
	}
	ls := list(a, "List rules", "  castor rule list --target pump", columns, rules)
	ls.Flags().StringVar(&target, "target", "", "only those of this twin, type or aggregate")
	check(ls.RegisterFlagCompletionFunc("target", twinIDs(a, "")))
	complete := ids(a, rules, func(r monitor.Rule) string { return r.ID })
	one := func(ctx context.Context, c *api.Client, id string) (monitor.Rule, error) { return c.GetRule(ctx, id) }
	return noun("rule", "Rules: when a twin raises an alarm", ls,
		get(a, "Show a rule", "  castor rule get hot", complete, one, nil),
		a.createRule(), a.setRule(complete),
		apply(a, "rule", "Make rules, or change them", `  castor rule apply -f rules.yaml

  # rules.yaml
  id: hot
  target: pump
  condition: temp > 80 for 1m clear 70
  severity: critical`, putRule),
		remove(a, "rule", "Delete rules; their alarms end", "  castor rule delete hot", complete,
			func(ctx context.Context, c *api.Client, id string) error { return c.DeleteRule(ctx, id) }))
}

// A ruleFile describes a rule. What `castor rule get` prints is one too: what only the platform says is read and ignored.
type ruleFile struct {
	api.NewRule
	Version any `json:"version,omitempty"`
	By      any `json:"by,omitempty"`
	Created any `json:"created,omitempty"`
	Updated any `json:"updated,omitempty"`
}

// putRule makes a rule, or changes the one of its id.
func putRule(ctx context.Context, c *api.Client, file ruleFile) (id, outcome string, err error) {
	v := file.NewRule
	if v.ID == "" {
		return "", "", errors.New("id is missing: by it the rule is found when the file is applied again")
	}
	old, err := c.GetRule(ctx, v.ID)
	if errors.Is(err, api.ErrNotFound) {
		_, err := c.CreateRule(ctx, v)
		return v.ID, "created", err
	}
	if err != nil {
		return v.ID, "", err
	}
	if v.Target != old.Target {
		return v.ID, "", errors.New("rule " + v.ID + " has target " + string(old.Target) + ", which cannot be changed; delete it first")
	}
	if v.Severity == "" {
		v.Severity = monitor.Warning
	}
	now, err := c.UpdateRule(ctx, v.ID, old.Version, map[string]any{"name": v.Name, "condition": v.Condition, "severity": v.Severity, "disabled": v.Disabled})
	if err == nil && now.Version == old.Version {
		return v.ID, "unchanged", nil
	}
	return v.ID, "changed", err
}

func (a *app) createRule() *cobra.Command {
	var in api.NewRule
	c := &cobra.Command{Use: "create TARGET CONDITION", Short: "Make a rule for a twin, or for all below a type or aggregate", Args: cobra.ExactArgs(2),
		ValidArgsFunction: first(twinIDs(a, "")),
		Example: `  castor rule create host "cpu.percent > 80 for 1m clear 70" --severity critical
  castor rule create pump-7 "rpm < 100" --name "pump 7 stands still"`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) (err error) {
			in.Target = twin.ID(args[0])
			if in.Condition, err = monitor.ParseCondition(args[1]); err != nil {
				return err
			}
			r, err := c.CreateRule(ctx, in)
			if err != nil {
				return err
			}
			return printDone(a, cmd, r, "rule %s created: %s raises a %s alarm when %s", r.ID, r.Target, r.Severity, r.Condition)
		})}
	f := c.Flags()
	f.StringVar(&in.ID, "id", "", "id (default made up)")
	f.StringVar(&in.Name, "name", "", "name for people")
	f.StringVar((*string)(&in.Severity), "severity", "", "info, warning or critical (default warning)")
	f.BoolVar(&in.Disabled, "disabled", false, "make it without letting it watch")
	check(c.RegisterFlagCompletionFunc("severity", severities))
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

var severities = cobra.FixedCompletions([]cobra.Completion{"info", "warning", "critical"}, cobra.ShellCompDirectiveNoFileComp)

func (a *app) setRule(complete cobra.CompletionFunc) *cobra.Command {
	var condition, name, severity string
	var enabled bool
	c := &cobra.Command{Use: "set ID", Short: "Change a rule", Args: cobra.ExactArgs(1), ValidArgsFunction: first(complete),
		Example: `  castor rule set hot --condition "temp > 85 for 1m"
  castor rule set hot --enabled=false`,
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			patch := map[string]any{}
			for flag, v := range map[string]any{"condition": condition, "name": name, "severity": severity} {
				if cmd.Flags().Changed(flag) {
					patch[flag] = v
				}
			}
			if cmd.Flags().Changed("enabled") {
				patch["disabled"] = !enabled
			}
			if len(patch) == 0 {
				return errors.New("nothing is to be changed: use --condition, --name, --severity or --enabled")
			}
			r, err := c.UpdateRule(ctx, args[0], 0, patch)
			if err != nil {
				return err
			}
			return printDone(a, cmd, r, "rule %s changed: %s", r.ID, r.Condition)
		})}
	f := c.Flags()
	f.StringVar(&condition, "condition", "", "new condition")
	f.StringVar(&name, "name", "", "new name")
	f.StringVar(&severity, "severity", "", "new severity")
	f.BoolVar(&enabled, "enabled", true, "whether it watches")
	check(c.RegisterFlagCompletionFunc("severity", severities))
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}
