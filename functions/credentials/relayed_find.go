package credentials

import (
	"context"
	"errors"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// A search is how far the sweep has looked for relayed devices that do not know whose device speaks for them: their credentials were made before
// that was kept. Once it is done nobody looks again.
type search struct {
	ID    string     `bson:"_id"`
	After device.Ref `bson:"after,omitempty"`
	Done  bool       `bson:"done,omitempty"`
}

const (
	speakers     = "speakers"
	searchAtOnce = 200 // credentials looked at by one sweep
)

// findSpeakers notes at the next relayed devices whose device speaks for them, where that is not known, so that they are listed with that one
// and go with it. Nobody has the reference any more by which some know it: whoever moves those, or brings them in anew, says it.
func (c *credentials) findSpeakers(ctx context.Context) (found int, err error) {
	if c.searched.Load() {
		return 0, nil
	}
	at, err := c.searches.Get(ctx, speakers)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	page, err := c.creds.Find(ctx, store.Query{Index: "by-ref", Limit: searchAtOnce, Filter: store.And(store.Prefix("ref", device.RelayedPrefix), store.Gt("ref", at.After))})
	if err != nil {
		return 0, err
	}
	var vias []device.Ref
	for _, v := range page.Items {
		if v.Kind == device.Relayed && v.ViaTwin == "" {
			vias = append(vias, v.Via)
		}
	}
	of, err := c.twinsOf(ctx, vias)
	if err != nil {
		return 0, err
	}
	for _, v := range page.Items {
		if v.Kind != device.Relayed || v.ViaTwin != "" || of[v.Via] == "" {
			continue
		}
		_, err := c.creds.Update(ctx, string(v.Twin), func(now *credential) error {
			if now.Via != v.Via || now.ViaTwin != "" {
				return store.Unchanged
			}
			now.ViaTwin = of[v.Via]
			return nil
		})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return found, err
		}
		found++
	}
	at, err = c.searches.Upsert(ctx, speakers, func(s *search, _ bool) error {
		if n := len(page.Items); n > 0 {
			s.After = page.Items[n-1].Ref
		}
		s.Done = s.Done || page.Next == ""
		return nil
	})
	c.searched.Store(at.Done)
	return found, err
}

// twinsOf are the twins of the devices that have these references now.
func (c *credentials) twinsOf(ctx context.Context, refs []device.Ref) (map[device.Ref]twin.ID, error) {
	of := map[device.Ref]twin.ID{}
	if len(refs) == 0 {
		return of, nil
	}
	page, err := c.creds.Find(ctx, store.Query{Index: "by-ref", Filter: store.In("ref", refs...), Limit: searchAtOnce})
	for _, v := range page.Items {
		of[v.Ref] = v.Twin
	}
	return of, err
}
