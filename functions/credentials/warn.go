package credentials

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
)

// warnBefore is how long before the end of a credential somebody hears that it was not renewed; of short lives it is the last
// sixth. A device asks for a new one when two thirds are over.
const warnBefore = 14 * 24 * time.Hour

// warn plans the warning for the proof that the device shows.
func (v *credential) warn() {
	p := &v.Proofs[0]
	if v.Warn = (time.Time{}); p.Expires.IsZero() {
		return // it never ends by itself
	}
	v.Warn = p.Expires.Add(-min(warnBefore, p.Expires.Sub(p.Issued)/6))
}

// warnAll tells of credentials that will end and were not renewed: each once.
func (c *credentials) warnAll(ctx context.Context) error {
	now := c.p.Time()
	page, err := c.creds.Find(ctx, store.Query{Index: "by-warn", Filter: store.And(store.Gt("warn", time.UnixMilli(0)), store.Lte("warn", now)), Limit: 100})
	faults := []error{err}
	for _, v := range page.Items {
		faults = append(faults, c.warnOf(ctx, v))
	}
	return errors.Join(faults...)
}

func (c *credentials) warnOf(ctx context.Context, v credential) error {
	t, err := c.twins.Get(ctx, string(v.Twin))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil && t.Deleted.IsZero() && t.Definition.Owner != "" {
		_, err := c.p.API.Notify(ctx, api.Notification{Key: fmt.Sprintf("credential-ends:%s:%d", v.Ref, v.Version), Owner: t.Definition.Owner,
			Title: fmt.Sprintf("The %s of %s ends on %s", v.Kind, v.Twin, v.Proofs[0].Expires.Format(time.DateOnly)),
			Text:  "The device has not renewed it. If it is not connected by then, it has to be provisioned anew: reset its provisioning run.",
			Link:  "/twins/" + string(v.Twin)})
		if err != nil {
			return err
		}
	}
	version := v.Version
	_, err = c.creds.Update(ctx, string(v.Twin), func(v *credential) error {
		if v.Version != version {
			return store.Unchanged
		}
		v.Warn = time.Time{}
		return nil
	})
	return err
}
