package twins

import (
	"context"
	"regexp"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

const (
	advertiseEvery = 10 * time.Second
	advertised     = 120 // seconds that an advertisement is good
	advertiseAt    = 500 // types in one call
	maxWords       = 64  // capabilities of one type
)

var wordPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/+-]{0,63}$`)

// advertise renews what the types say in the service directory of their instances: which properties they have, and
// nothing else of them. Each instance of the function does it now and then, for all types.
func (f *function) advertise(ctx context.Context) error {
	now, last := f.p.Time().UnixMilli(), f.said.Load()
	if age := now - last; age >= 0 && age < advertiseEvery.Milliseconds() || !f.said.CompareAndSwap(last, now) {
		return nil
	}
	q := store.Query{Index: "by-kind", Filter: store.Eq("kind", twin.Type), Limit: advertiseAt, Fields: []string{"definition.model", "definition.location", "deleted"}}
	for {
		page, err := f.twins.Find(ctx, q)
		if err != nil {
			return err
		}
		var all []api.Advertisement
		for i := range page.Items {
			if t := &page.Items[i]; t.Deleted.IsZero() {
				all = append(all, advertisement(t))
			}
		}
		if len(all) > 0 {
			if err := f.p.API.RegisterMany(ctx, all); err != nil {
				return err
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return nil
		}
	}
}

// advertisement is what a type offers: its interface, and its properties as far as they can be words of the directory.
func advertisement(t *twin.Twin) api.Advertisement {
	a := api.Advertisement{ID: "twins:" + string(t.ID), Kind: "twin", Name: string(t.ID), Capabilities: []string{}, TTL: advertised}
	if w := "castor:" + string(t.ID); wordPattern.MatchString(w) {
		a.Interfaces = []string{w}
	}
	if t.Definition.Model == nil {
		return a
	}
	for _, p := range t.Definition.Model.Properties {
		if w := "property:" + p.Name; wordPattern.MatchString(w) && len(a.Capabilities) < maxWords {
			a.Capabilities = append(a.Capabilities, w)
		}
	}
	slices.Sort(a.Capabilities)
	return a
}
