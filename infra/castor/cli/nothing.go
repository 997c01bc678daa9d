package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/spf13/cobra"
)

// whyNothing hints why a history is empty: the property is another, or the time is. Where it cannot tell it says nothing.
func (a *app) whyNothing(ctx context.Context, c *api.Client, cmd *cobra.Command, q api.HistoryQuery) {
	if q.Property != "" && q.Kind == "" {
		t, err := c.GetTwin(ctx, q.Twin)
		if err != nil {
			return
		}
		var names []string
		for _, r := range t.Live.Reported {
			names = append(names, r.Property)
		}
		if len(names) > 0 && !slices.Contains(names, q.Property) {
			slices.Sort(names)
			hint(cmd, "%s reports no %s; it reports: %s", q.Twin, plain(q.Property), plain(strings.Join(names, ", ")))
			return
		}
	}
	newest := q
	newest.From, newest.To, newest.Step, newest.Agg, newest.Cursor = time.UnixMilli(1), time.Time{}, 0, "", ""
	newest.Limit, newest.Reverse = 1, true
	p, err := c.History(ctx, newest)
	if err != nil {
		return
	}
	to := cmp.Or(q.To, a.now()).UTC()
	from := cmp.Or(q.From, to.Add(-time.Hour)).UTC() // as the platform has it
	if len(p.Items) == 0 {
		hint(cmd, "Nothing from %s to %s; there are no such records of %s at all.", from.Format(time.RFC3339), to.Format(time.RFC3339), q.Twin)
		return
	}
	at := p.Items[0].At.UTC()
	hint(cmd, "Nothing from %s to %s; the newest record is of %s, try: --from %s", from.Format(time.RFC3339), to.Format(time.RFC3339),
		at.Format(time.RFC3339), at.Format(time.DateOnly))
}
