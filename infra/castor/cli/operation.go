package cli

import (
	"context"
	"fmt"

	"github.com/castor-iot/castor/shared/api"
	"github.com/spf13/cobra"
)

func (a *app) operationCommand() *cobra.Command {
	return noun("operation", "Operations that should have gone on by now, which the watchdog tries again",
		list(a, "List operations that are overdue", "  castor operation list\n  castor operation list -o json", []column[api.WatchedOperation]{
			{"kind", func(o api.WatchedOperation) string { return o.Kind }},
			{"id", func(o api.WatchedOperation) string { return o.ID }},
			{"of", func(o api.WatchedOperation) string { return o.Function }},
			{"twin", func(o api.WatchedOperation) string { return string(o.Twin) }},
			{"overdue since", func(o api.WatchedOperation) string { return a.ago(o.Since) }},
			{"retries", func(o api.WatchedOperation) string { return fmt.Sprint(o.Retries) }},
			{"next", func(o api.WatchedOperation) string {
				if o.Next.IsZero() {
					return ""
				}
				return stamp(o.Next)
			}},
			{"alarm", func(o api.WatchedOperation) string { return o.Alarm }},
			{"reason", func(o api.WatchedOperation) string { return a.short(o.Reason) }},
		}, func(ctx context.Context, c *api.Client, cursor string) (api.Page[api.WatchedOperation], error) {
			return c.Watched(ctx, cursor)
		}))
}
