package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) modelSimulate() *cobra.Command {
	var events, set []string
	var kept string
	c := &cobra.Command{Use: "simulate FILE", Short: "Tell what would become of a device in a provisioning model",
		Example: `  castor model simulate mine.yaml --event approved@2h --event gateway-ready --event device-confirm
  castor model simulate --model semi-automatic --event declined:"not ours"
  castor model simulate mine.yaml --set facts.firmware=2 --set identity.maker=acme --event refuse:check-location
  castor model simulate mine.yaml --event answered:grade=a,score=7 --event timer@73h`, Args: cobra.MaximumNArgs(1),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			in := api.Simulate{Model: kept}
			switch {
			case (len(args) == 0) == (kept == ""):
				return errors.New("name a file, or a model that is kept by --model")
			case len(args) == 1:
				body, _, err := modelText(cmd, args[0])
				if err != nil {
					return err
				}
				in.Text = string(body)
			}
			var err error
			if in.Sample, err = sampleOf(set); err != nil {
				return err
			}
			for _, e := range events {
				one, err := eventOf(e)
				if err != nil {
					return err
				}
				in.Events = append(in.Events, one)
			}
			out, err := c.SimulateModel(ctx, in)
			var p *api.Problem
			if errors.As(err, &p) && len(p.Faults) > 0 && len(args) == 1 {
				return faults(cmd, args[0], p.Faults)
			}
			if err != nil {
				return err
			}
			if a.output != asTable {
				return printOne(a, cmd.OutOrStdout(), out)
			}
			return a.printSimulation(cmd.OutOrStdout(), out)
		})}
	c.Flags().StringVar(&kept, "model", "", "a model that is kept on the platform, in place of a file")
	c.Flags().StringArrayVar(&events, "event", nil, "what happens, in order: TRIGGER, refuse:ACTION or fail:ACTION, with :REASON or :NAME=VALUE,… and @AFTER")
	c.Flags().StringArrayVar(&set, "set", nil, "what is known of the device: identity.maker=acme, claim.batch=b, request.serial=P-1, facts.x=y, location.region=eu")
	a.outputFlag(c, asTable, asYAML, asJSON)
	return c
}

func (a *app) printSimulation(w io.Writer, s provision.Simulation) error {
	err := printAll(a, w, s.Steps, []column[provision.Step]{
		{"after", func(st provision.Step) string { return twin.Duration(st.At.Sub(s.Begun)).String() }},
		{"state", func(st provision.Step) string { return st.State }},
		{"action", func(st provision.Step) string { return string(st.Action) }},
		{"outcome", func(st provision.Step) string { return st.Outcome }},
		{"reason", func(st provision.Step) string { return st.Reason }},
	})
	after := func(t time.Time) string { return twin.Duration(t.Sub(s.Begun)).String() + " after the beginning" }
	end := s.Begun
	if n := len(s.Steps); n > 0 {
		end = s.Steps[n-1].At
	}
	fmt.Fprintf(w, "\nThe way: %s\n", strings.Join(s.Path, " → "))
	switch {
	case s.Outcome == provision.Completed:
		fmt.Fprintf(w, "The device is in, %s.\n", after(end))
	case s.Outcome != "":
		fmt.Fprintf(w, "The device is rejected, %s: %s\n", after(end), s.Reason)
	case len(s.Awaits) > 0:
		fmt.Fprintf(w, "It waits in state %s for %s, until %s.\n", s.State, either(s.Awaits), after(s.Due))
		if s.Asks != nil {
			fmt.Fprintf(w, "%s is asked: %s\n", strings.Replace(s.Asks.By, "group:", "group ", 1), s.Asks.Text)
		}
	default:
		fmt.Fprintf(w, "It rests in state %s, and goes on %s.\n", s.State, after(s.Due))
	}
	for _, e := range s.Unused {
		switch {
		case e.When == provision.Refuse || e.When == provision.Fail:
			fmt.Fprintf(w, "%s of %s changed nothing: the action was not come to.\n", e.When, cmp.Or(string(e.Do), "an action"))
		case s.Outcome != "":
			fmt.Fprintf(w, "%s changed nothing: nothing waited for it, or all was over.\n", e.When)
		default:
			fmt.Fprintf(w, "%s changed nothing: nothing waited for it.\n", e.When)
		}
	}
	return err
}

// either is "approved or declined".
func either(all []provision.Trigger) string {
	words := make([]string, len(all))
	for i, t := range all {
		words[i] = string(t)
	}
	return strings.Join(words, " or ")
}

// eventOf reads an event: "approved@2h", "answered:grade=a", "refuse:check-claim", "declined:not ours".
func eventOf(s string) (e provision.Event, err error) {
	if i := strings.LastIndex(s, "@"); i >= 0 {
		if err := e.After.UnmarshalText([]byte(s[i+1:])); err != nil {
			return e, fmt.Errorf("event %q: %w", s, err)
		}
		s = s[:i]
	}
	name, rest, _ := strings.Cut(s, ":")
	e.When = provision.Trigger(name)
	switch {
	case rest == "":
	case e.When == provision.Refuse || e.When == provision.Fail:
		action, reason, _ := strings.Cut(rest, ":")
		e.Do, e.Reason = provision.Action(action), reason
	case e.When == provision.Answered || e.When == provision.DeviceAsked:
		e.Answer, e.Facts = map[string]any{}, map[string]string{}
		for pair := range strings.SplitSeq(rest, ",") {
			k, v, ok := strings.Cut(pair, "=")
			if !ok {
				return e, fmt.Errorf("event %q: %q must be NAME=VALUE", s, pair)
			}
			e.Answer[k], e.Facts[k] = valueOf(v), v
		}
		if e.When == provision.Answered {
			e.Facts = nil
		} else {
			e.Answer = nil
		}
	default:
		e.Reason = rest
	}
	return e, nil
}

// valueOf is a value as JSON has it, or the text.
func valueOf(s string) (v any) {
	if json.Unmarshal([]byte(s), &v) != nil {
		return s
	}
	return v
}

// sampleOf reads what is known of a device: "identity.maker=acme".
func sampleOf(set []string) (s provision.Sample, err error) {
	doc := map[string]map[string]any{"identity": {}, "claim": {}, "request": {}, "facts": {}, "location": {}}
	for _, line := range set {
		path, v, ok := strings.Cut(line, "=")
		of, name, dotted := strings.Cut(path, ".")
		if !ok || !dotted || doc[of] == nil {
			return s, fmt.Errorf("%q must be like identity.maker=acme; there are identity, claim, request, facts and location", line)
		}
		doc[of][name] = any(v)
		if of == "claim" && name == "temporary" || of == "location" {
			doc[of][name] = valueOf(v)
		}
	}
	doc["request"]["facts"] = doc["facts"]
	whole := map[string]any{"known": map[string]any{"identity": doc["identity"], "claim": doc["claim"]}, "request": doc["request"]}
	if len(doc["location"]) > 0 {
		whole["location"] = doc["location"]
	}
	b, err := json.Marshal(whole)
	if err != nil {
		return s, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("what is known of the device: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return s, nil
}
