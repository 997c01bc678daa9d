package cli

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/spf13/cobra"
)

func (a *app) parkedCommand() *cobra.Command {
	var o ofNoTwin
	c := &cobra.Command{Use: "parked TWIN", Short: "List messages of a twin that could not be decoded, newest first; they are kept as they came", Args: cobra.MaximumNArgs(1),
		Long: `List messages of a twin that could not be decoded, newest first; they are kept as they came.

With --no-twin the list is of messages that belong to no twin, for maintainers: nobody has brought their device in. A twin that the
device gets later adopts them: castor twin adopt. The newest 10,000 are kept, of one reference 1,000 and of one that speaks for others
2,500; --delete deletes them: those of --ref or --via, those that are --older-than a time, or --all.

What is parked of all devices of a type, or because of a driver: castor driver parked.`,
		Example: `  castor twin parked pump-7
  castor twin parked pump-7 -o json
  castor twin parked --no-twin
  castor twin parked --no-twin --via tts-1
  castor twin parked --no-twin --ref r-7kq2 --delete
  castor twin parked --no-twin --older-than 7d --delete`, ValidArgsFunction: first(twinIDs(a, twin.Instance)),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			if err := o.check(len(args) == 1); err != nil {
				return err
			}
			if o.via != "" {
				o.via = speaker(ctx, c, o.via)
			}
			if o.remove {
				return a.deleteOfNoTwin(ctx, c, cmd, &o)
			}
			of := twin.ID(strings.Join(args, ""))
			items, more, err := pages(ctx, c, func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.ParkedMessage], error) {
				switch {
				case o.via != "":
					return c.ListStrayVia(ctx, o.via, cursor)
				case o.is:
					return c.ListStray(ctx, o.ref, cursor)
				}
				return c.ListParked(ctx, of, cursor)
			}, 100, false)
			if o.is && errors.Is(err, api.ErrNotFound) {
				return errors.New("what belongs to no twin is for maintainers to see: log in as one, or name a twin")
			}
			if err != nil {
				return err
			}
			a.longPayloads(cmd, items)
			if len(items) == 0 {
				a.noSuchRef(cmd, &o)
			}
			if len(items) == 0 && of != "" {
				if _, err := c.GetTwin(ctx, of); err != nil {
					return err
				}
			}
			if more {
				hint(cmd, "These are the newest 100.")
			}
			columns := a.parkedColumns()
			if o.is {
				columns = slices.Insert(columns, 1, column[api.ParkedMessage]{"reference", func(m api.ParkedMessage) string { return string(m.Ref) }},
					column[api.ParkedMessage]{"via", func(m api.ParkedMessage) string { return string(m.Via) }})
			}
			return printAll(a, cmd.OutOrStdout(), items, columns)
		})}
	o.flags(c)
	a.outputFlag(c, asTable, asJSON, asYAML, asCSV)
	return c
}

// parkedColumns are what a table has of parked messages.
func (a *app) parkedColumns() []column[api.ParkedMessage] {
	return []column[api.ParkedMessage]{
		{"received", func(m api.ParkedMessage) string { return a.ago(m.Received) }},
		{"topic", func(m api.ParkedMessage) string { return m.Topic }},
		{"port", func(m api.ParkedMessage) string { return nonzero(m.Port) }},
		{"bytes", func(m api.ParkedMessage) string { return fmt.Sprint(len(m.Raw)) }},
		{"payload", func(m api.ParkedMessage) string { return payload(m.Raw) }},
		{"reason", func(m api.ParkedMessage) string { return m.Reason }},
	}
}

// longPayloads tells where payloads are whole that a table cuts.
func (a *app) longPayloads(cmd *cobra.Command, items []api.ParkedMessage) {
	if slices.ContainsFunc(items, func(m api.ParkedMessage) bool { return len(m.Raw) > maxPayload }) && a.output == asTable {
		hint(cmd, "Payloads that end with … are longer; -o json has them whole, for castor driver run DIR PAYLOAD --base64.")
	}
}

// maxPayload is how many bytes of a payload a table shows.
const maxPayload = 64

// payload is a payload as castor driver run takes it: text that can be read as it is, anything else hexadecimal.
func payload(raw []byte) string {
	shown, rest := raw, ""
	if len(raw) > maxPayload {
		shown, rest = raw[:maxPayload], "…"
	}
	if readable(raw) {
		return strings.ToValidUTF8(string(shown), "") + rest
	}
	return hex.EncodeToString(shown) + rest
}

// readable tells whether a payload is text that a table shows as it is.
func readable(raw []byte) bool {
	return len(raw) > 0 && utf8.Valid(raw) && !strings.ContainsFunc(string(raw), func(r rune) bool { return !unicode.IsPrint(r) })
}
