package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

// ofNoTwin says which parked messages that belong to no twin a command is about, and whether it deletes them.
type ofNoTwin struct {
	is, remove, all, sure bool
	ref, via              device.Ref
	older                 time.Duration
}

func (o *ofNoTwin) flags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&o.is, "no-twin", false, "messages that belong to no twin")
	f.StringVar((*string)(&o.ref), "ref", "", "with --no-twin: of this device reference")
	f.StringVar((*string)(&o.via), "via", "", "with --no-twin: of all devices that this one speaks for; its twin, or its reference")
	f.BoolVar(&o.remove, "delete", false, "with --no-twin: delete them instead, for ever")
	durationVar(f, &o.older, "older-than", "with --delete: those that came so long ago or earlier, like 12h or 7d")
	f.BoolVar(&o.all, "all", false, "with --delete: all of them")
	f.BoolVarP(&o.sure, "yes", "y", false, "with --delete: do not ask (where there is no terminal nobody is asked)")
}

// check tells what does not go together; named: a twin is.
func (o *ofNoTwin) check(named bool) error {
	narrowed := o.ref != "" || o.via != "" || o.older > 0
	switch {
	case named && o.remove:
		return errors.New("what is parked of a twin is deleted with the twin; --delete goes with --no-twin")
	case o.is == named:
		return errors.New("name the twin, or say --no-twin for what belongs to none")
	case !o.is && (narrowed || o.all || o.sure):
		return errors.New("--ref, --via, --older-than, --all and --yes go with --no-twin")
	case o.ref != "" && o.via != "":
		return errors.New("--ref is one device, --via all those that one speaks for: say one of the two")
	case !o.remove && (o.older > 0 || o.all || o.sure):
		return errors.New("--older-than, --all and --yes go with --delete")
	case o.remove && o.all == narrowed:
		return errors.New("say which are to be deleted: those of --ref or --via, those that are --older-than a time, both, or --all alone")
	}
	return nil
}

// speaker is the reference of the device that a twin, or itself, stands for.
func speaker(ctx context.Context, c *api.Client, named device.Ref) device.Ref {
	if facts, err := c.ListCredentials(ctx, twin.ID(named)); err == nil && len(facts.Items) > 0 {
		return facts.Items[0].Ref
	}
	return named
}

// String says in words which messages are meant.
func (o *ofNoTwin) String() string {
	s := "messages that belong to no twin"
	if o.all {
		s = "all " + s
	}
	if o.ref != "" {
		s += ", of reference " + string(o.ref)
	}
	if o.via != "" {
		s += ", of devices that " + string(o.via) + " speaks for"
	}
	if o.older > 0 {
		s += fmt.Sprintf(", older than %s", durationWord(o.older))
	}
	return s
}

// deleteOfNoTwin deletes messages that belong to no twin, and tells how many.
func (a *app) deleteOfNoTwin(ctx context.Context, c *api.Client, cmd *cobra.Command, o *ofNoTwin) error {
	if err := ask(cmd, o.sure, "nothing was deleted", "Delete %s for ever?", o); err != nil {
		return err
	}
	which := api.StrayParked{Ref: o.ref, Via: o.via, All: o.all}
	if o.older > 0 {
		which.Before = a.now().Add(-o.older)
	}
	var all api.DeletedParked
	for {
		did, err := c.DeleteStray(ctx, which)
		if all.Deleted += did.Deleted; err != nil {
			if all.Deleted > 0 {
				err = fmt.Errorf("%s deleted, then: %w", count(all.Deleted, "message"), err)
			}
			return err
		}
		if !did.More {
			err := printDone(a, cmd, all, "%s deleted", count(all.Deleted, "message"))
			if err == nil && all.Deleted == 0 {
				a.noSuchRef(cmd, o)
			}
			return err
		}
		if a.output == asTable {
			hint(cmd, "%s deleted so far", count(all.Deleted, "message"))
		}
	}
}

// noSuchRef tells, where nothing was found of a reference, where references are seen: people know their devices by other names.
func (a *app) noSuchRef(cmd *cobra.Command, o *ofNoTwin) {
	if o.ref == "" || a.output != asTable {
		return
	}
	old := ""
	if o.older > 0 {
		old = " older than " + durationWord(o.older)
	}
	hint(cmd, "No message%s of reference %s is kept; see REFERENCE in castor twin parked --no-twin, where TOPIC ends with the EUI of a LoRaWAN device.", old, o.ref)
}

func (a *app) adoptCommand() *cobra.Command {
	c := &cobra.Command{Use: "adopt TWIN", Short: "Make messages a twin's that its device sent before it had the twin", Args: cobra.ExactArgs(1),
		Long: `Make messages a twin's that its device sent before it had the twin: they were kept of no twin under the device's reference. They are parked of
the twin then, and castor driver redrive reads them.

Only what came by a gateway where the device has its place is adopted, and only telemetry and state.`,
		Example: "  castor twin adopt th-7\n  castor driver redrive --twin th-7", ValidArgsFunction: first(twinIDs(a, twin.Instance)),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			id := twin.ID(args[0])
			var all api.AdoptedParked
			for cursor, more := "", true; more; {
				did, err := c.AdoptParked(ctx, id, cursor)
				if err != nil {
					if all.Adopted > 0 {
						err = fmt.Errorf("%s adopted, then: %w", count(all.Adopted, "message"), err)
					}
					return err
				}
				all.Ref, all.Adopted, all.Left = did.Ref, all.Adopted+did.Adopted, all.Left+did.Left
				if cursor, more = did.Next, did.Next != ""; more && a.output == asTable {
					hint(cmd, "%s adopted so far", count(all.Adopted, "message"))
				}
			}
			if err := printDone(a, cmd, all, "%s of reference %s adopted by %s", count(all.Adopted, "message"), all.Ref, id); err != nil || a.output != asTable {
				return err
			}
			switch {
			case all.Adopted > 0:
				hint(cmd, "Have them read: castor driver redrive --twin %s", id)
			case all.Left == 0:
				hint(cmd, "Nothing is kept of its device from before it had the twin.")
			}
			if all.Left > 0 {
				hint(cmd, "%s of that reference still belong to no twin: they cannot be read, or came by a gateway that is not the device's.", count(all.Left, "message"))
			}
			return nil
		})}
	a.outputFlag(c, asTable, asJSON, asYAML)
	return c
}
