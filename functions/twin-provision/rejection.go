package twinprovision

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// keep notes a rejected request. The same one is kept once an hour, so that a device which asks and asks fills nothing; what
// it said is cut short, and its CSR left out.
func (f *function) keep(ctx context.Context, in api.ProvisionRequest, why string) {
	now := f.p.Time()
	short := func(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxDeviceText)], "�") }
	sum := sha256.Sum256([]byte(strings.Join([]string{in.Gateway, in.Claim, string(in.Type), in.Serial, why}, "\x00")))
	hour := now.Truncate(time.Hour)
	r := api.Rejection{ID: fmt.Sprintf("%011x-%s", hour.UnixMilli(), hex.EncodeToString(sum[:8])), Reason: short(why), At: now,
		Request: api.ProvisionRequest{Gateway: in.Gateway, Client: in.Client, Claim: in.Claim, Type: twin.TypeID(short(string(in.Type))),
			Serial: short(in.Serial), MAC: short(in.MAC), Model: short(in.Model)}}
	if err := f.rejections.PutMany(ctx, []api.Rejection{r}); err != nil {
		f.p.Log.ErrorContext(ctx, "rejection not kept", "gateway", in.Gateway, "claim", in.Claim, "reason", why, "error", err)
	}
}

// listRejections pages through the rejections: those of the newest hour first, and on each page the newest first.
func (f *function) listRejections(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[api.Rejection], error) {
	limit, err := c.Limit()
	if err != nil {
		return api.Page[api.Rejection]{}, err
	}
	page, err := f.rejections.Find(ctx, store.Query{Reverse: true, Limit: limit, Cursor: c.Query.Get("cursor")})
	if page.Items == nil {
		page.Items = []api.Rejection{}
	}
	slices.SortStableFunc(page.Items, func(a, b api.Rejection) int { return b.At.Compare(a.At) })
	return api.Page[api.Rejection](page), err
}

// trim keeps the newest rejections only.
func (f *function) trim(ctx context.Context) error {
	n, err := f.rejections.Count(ctx, store.Filter{}, "")
	if err != nil || n <= maxRejections {
		return err
	}
	_, err = f.rejections.DeleteRange(ctx, store.Query{Limit: min(n-maxRejections, store.MaxLimit)})
	return err
}

// maxRejectedOfClaim is how many rejected runs of devices that nobody knows are kept per claim.
const maxRejectedOfClaim = 20

// trimClaim has the oldest rejected runs of a claim give way to newer ones: a rejected device returns its use of the claim, so whoever
// has one could make a run of every serial they think of. Runs that came as far as a twin, or to people, are bounded by these and stay.
func (f *function) trimClaim(ctx context.Context, claim string) error {
	q := store.Query{Index: "by-claim", Filter: store.And(store.Eq("request.claim", claim), store.Eq("outcome", provision.Rejected),
		store.Eq("twin", nil), store.Eq("decision", nil), store.Eq("outbox.since", nil))}
	n, err := f.runs.Count(ctx, q.Filter, q.Index)
	if err != nil || n <= maxRejectedOfClaim {
		return err
	}
	q.Limit = min(n-maxRejectedOfClaim, store.MaxLimit)
	_, err = f.runs.DeleteRange(ctx, q)
	return err
}
