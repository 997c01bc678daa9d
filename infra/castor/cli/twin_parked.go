package cli

import (
	"context"
	"encoding/hex"
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
	c := &cobra.Command{Use: "parked TWIN", Short: "List messages of a twin that could not be decoded, newest first; they are kept as they came", Args: cobra.ExactArgs(1),
		Example: "  castor twin parked pump-7\n  castor twin parked pump-7 -o json", ValidArgsFunction: first(twinIDs(a, twin.Instance)),
		RunE: a.run(func(ctx context.Context, c *api.Client, cmd *cobra.Command, args []string) error {
			items, more, err := pages(ctx, c, func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.ParkedMessage], error) {
				return c.ListParked(ctx, twin.ID(args[0]), cursor)
			}, 100, false)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(items, func(m api.ParkedMessage) bool { return len(m.Raw) > maxPayload }) && a.output == asTable {
				hint(cmd, "Payloads that end with … are longer; -o json has them whole, for castor driver run DIR PAYLOAD --base64.")
			}
			if more {
				hint(cmd, "These are the newest 100.")
			}
			return printAll(a, cmd.OutOrStdout(), items, []column[api.ParkedMessage]{
				{"received", func(m api.ParkedMessage) string { return a.ago(m.Received) }},
				{"topic", func(m api.ParkedMessage) string { return m.Topic }},
				{"port", func(m api.ParkedMessage) string { return nonzero(m.Port) }},
				{"bytes", func(m api.ParkedMessage) string { return fmt.Sprint(len(m.Raw)) }},
				{"payload", func(m api.ParkedMessage) string { return payload(m.Raw) }},
				{"reason", func(m api.ParkedMessage) string { return m.Reason }},
			})
		})}
	a.outputFlag(c, asTable, asJSON, asYAML, asCSV)
	return c
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
