package twins

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// A spoken is what is read of function credentials' documents: of a device that another one speaks for, that one's twin, and the one's that it is
// moving to.
type spoken struct {
	Twin   twin.ID `bson:"_id"`
	Via    twin.ID `bson:"viaTwin,omitempty"`
	Moving string  `bson:"moving,omitempty"` // "TWIN/NAME"
}

// maxTold is up to how many devices people are told of by number.
const maxTold = 1000

// eachDevice gives the twins of the devices that the one of twin id speaks for, and of those that are moving to it, to each, in pages of at most
// so many, until that has enough.
func (f *function) eachDevice(ctx context.Context, id twin.ID, limit int, each func([]twin.Twin) (enough bool)) error {
	for _, q := range []store.Query{{Index: "by-via", Filter: store.Eq("viaTwin", id)}, {Index: "by-moving", Filter: store.Prefix("moving", string(id)+"/")}} {
		for q.Limit = limit; ; {
			page, err := f.spoken.Find(ctx, q)
			if err != nil {
				return err
			}
			var ids []string
			for _, s := range page.Items {
				if q.Index == "by-via" || s.Via != id { // else it is to be called otherwise there
					ids = append(ids, string(s.Twin))
				}
			}
			found, err := f.twins.GetMany(ctx, ids)
			if err != nil {
				return err
			}
			if each(slices.DeleteFunc(found, func(t twin.Twin) bool { return !t.Deleted.IsZero() })) {
				return nil
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
	}
	return nil
}

// speaksFor counts the devices that the one of twin id speaks for and that are not on their way out themselves, up to maxTold.
func (f *function) speaksFor(ctx context.Context, id twin.ID) (n int, err error) {
	err = f.eachDevice(ctx, id, maxTold, func(found []twin.Twin) bool {
		for i := range found {
			if found[i].Definition.Phase != twin.Retired {
				n++
			}
		}
		return n >= maxTold
	})
	return n, err
}

// alone refuses what would leave the devices behind that a twin's device speaks for: nobody could reach them, and nothing would say so.
// What the platform does itself, like undoing a bridge that never came in, is its own to mend.
func (f *function) alone(ctx context.Context, c access.Caller, t *twin.Twin) error {
	if t.Kind != twin.Instance || c.Kind == access.Part && c.For == nil {
		return nil
	}
	n, err := f.speaksFor(ctx, t.ID)
	if err != nil || n == 0 {
		return err
	}
	return fmt.Errorf("%w: twin %s speaks for %s, which nobody could reach without it: decommission it with them (withDevices; castor twin decommission %[2]s --with-devices), "+
		"or have another speak for them first (castor device move); castor device list --via %[2]s shows them", api.ErrConflict, t.ID, numbered(n))
}

// mayAll counts the devices that a twin's device speaks for, and refuses if the caller may not change all of their twins.
func (f *function) mayAll(ctx context.Context, c access.Caller, id twin.ID) (n int, err error) {
	others := 0
	err = f.eachDevice(ctx, id, store.MaxLimit, func(found []twin.Twin) bool {
		for i := range found {
			if n++; f.p.May(ctx, c, access.Write, access.Twin(&found[i]), "twin") != nil {
				others++
			}
		}
		return false
	})
	if err == nil && others > 0 {
		err = fmt.Errorf("%w: twin %s speaks for %s, of which %d are not yours to decommission; have somebody who may do that, or have another speak for them (castor device move)",
			access.ErrDenied, id, numbered(n), others)
	}
	return n, err
}

// numbered is "1 device" or "7 devices" in people's words.
func numbered(n int) string {
	switch {
	case n == 1:
		return "1 device"
	case n >= maxTold:
		return "1,000 devices or more"
	}
	return strconv.Itoa(n) + " devices"
}
