package credentials

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
)

// An occurrence is what the log of a device's twin is to have of it. It is kept by the write that made it happen, and forgotten once the
// log has it; the log takes the same line of the same time once, so that it is told once however often it is told.
type occurrence struct {
	At   time.Time `bson:"at"`
	Text string    `bson:"text"`
}

const (
	maxUntold  = 50              // that one credential keeps; while the log cannot be written the newest count
	noteWithin = 2 * time.Second // that people wait for the log; the sweep has more time
)

// happened keeps what the twin's log is to have.
func (v *credential) happened(text string, now time.Time) {
	if len(v.Untold) == 0 {
		v.UntoldSince = now
	}
	v.Untold = append(v.Untold, occurrence{now.Truncate(time.Millisecond), text})
	v.Untold = v.Untold[max(0, len(v.Untold)-maxUntold):]
}

// note writes what has happened to the twin's log; what cannot be written is left to the sweep.
func (c *credentials) note(ctx context.Context, v credential) {
	bounded, cancel := context.WithTimeout(ctx, noteWithin)
	defer cancel()
	if err := c.tellLog(bounded, v); err != nil {
		c.p.Log.WarnContext(ctx, "a twin's log is written later", "function", c.p.Part, "twin", v.Twin, "error", err)
	}
}

// noteAll writes what the logs of twins do not have yet.
func (c *credentials) noteAll(ctx context.Context, which store.Filter) (n int, err error) {
	page, err := c.creds.Find(ctx, store.Query{Index: "by-untold", Filter: which, Limit: 1000})
	faults := []error{err}
	for _, v := range page.Items {
		faults = append(faults, c.tellLog(ctx, v))
	}
	return len(page.Items), errors.Join(faults...)
}

// tellLog writes what has happened to the twin's log, and forgets it then.
func (c *credentials) tellLog(ctx context.Context, v credential) error {
	if len(v.Untold) == 0 {
		return nil
	}
	var lines []api.LogLine
	for _, o := range v.Untold {
		lines = append(lines, api.LogLine{Twin: v.Twin, At: o.At, App: "platform", Level: "info", Text: o.Text, Happened: true})
	}
	if err := c.p.API.WriteLog(ctx, api.LogLines{Lines: lines}); err != nil {
		return err
	}
	last := v.Untold[len(v.Untold)-1]
	_, err := c.creds.Update(ctx, string(v.Twin), func(v *credential) error {
		for i := len(v.Untold) - 1; i >= 0; i-- {
			if v.Untold[i].At.Equal(last.At) && v.Untold[i].Text == last.Text {
				if v.Untold = v.Untold[i+1:]; len(v.Untold) == 0 {
					v.Untold, v.UntoldSince = nil, time.Time{}
				}
				return nil
			}
		}
		return store.Unchanged
	})
	return err
}
