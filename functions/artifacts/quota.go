package artifacts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// What a group may have if no maintainer says otherwise, and the most a maintainer can say.
const (
	defaultBytes = 10 << 30
	defaultCount = 10_000
	mostBytes    = 1 << 50
	mostCount    = 1_000_000
)

// A quota is what the artifacts of one group may take, and take. Bytes and Count are changed by guarded increments, so that
// no two uploads pass the limit together. A crash may leave them too high, never too low; counting anew mends that.
type quota struct {
	Group    string `bson:"_id"`
	MaxBytes int64  `bson:"maxBytes"`
	MaxCount int64  `bson:"maxCount"`
	Bytes    int64  `bson:"bytes"`
	Count    int64  `bson:"count"`

	// Changes counts the increments, Recounts the counts. Each is how the one notices that the other came in between.
	Changes   int64     `bson:"changes"`
	Recounts  int64     `bson:"recounts"`
	Recounted time.Time `bson:"recounted"`
}

func (q quota) api() api.ArtifactQuota {
	return api.ArtifactQuota{Group: q.Group, MaxBytes: q.MaxBytes, MaxCount: q.MaxCount, Bytes: max(q.Bytes, 0), Count: max(q.Count, 0)}
}

// quota returns a group's quota; the first time it is made.
func (f *function) quota(ctx context.Context, group string) (quota, error) {
	q, err := f.quotas.Get(ctx, group)
	if !errors.Is(err, store.ErrNotFound) {
		return q, err
	}
	err = f.quotas.Insert(ctx, quota{Group: group, MaxBytes: defaultBytes, MaxCount: defaultCount, Recounted: f.p.Time()})
	if err != nil && !errors.Is(err, store.ErrExists) {
		return q, err
	}
	return f.quotas.Get(ctx, group)
}

// take takes room for one artifact, or tells that there is not enough. It returns the quota as it is then.
func (f *function) take(ctx context.Context, group string, size int64) (quota, error) {
	for {
		q, err := f.quota(ctx, group)
		if err != nil {
			return q, err
		}
		if q.Count >= q.MaxCount || q.Bytes > q.MaxBytes-size {
			return q, fmt.Errorf("%w: group %s has %d artifacts of %d bytes; %d artifacts of %d bytes in all are its quota, and this one has %d: delete some, or ask a maintainer for more",
				api.ErrConflict, group, q.Count, q.Bytes, q.MaxCount, q.MaxBytes, size)
		}
		q, err = f.quotas.Apply(ctx, group, store.And(store.Eq("maxBytes", q.MaxBytes), store.Eq("maxCount", q.MaxCount),
			store.Lte("bytes", q.MaxBytes-size), store.Lt("count", q.MaxCount)), map[string]int64{"bytes": size, "count": 1, "changes": 1})
		if !errors.Is(err, store.ErrConflict) {
			return q, err
		}
		if err := ctx.Err(); err != nil {
			return q, err
		}
	}
}

// give gives back what an artifact had taken when the quota was q. If all was counted anew since, the count has done so.
func (f *function) give(ctx context.Context, q quota, size int64) error {
	_, err := f.quotas.Apply(ctx, q.Group, store.Eq("recounts", q.Recounts), map[string]int64{"bytes": -size, "count": -1, "changes": 1})
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// pay gives back what an artifact that has ended owes, once: whoever strikes the debt out pays. A crash between the two leaves
// the quota too high until the next count.
func (f *function) pay(ctx context.Context, v artifact) error {
	q, err := f.quota(ctx, v.Owner)
	if err != nil {
		return err
	}
	mine := false
	_, err = f.artifacts.Update(ctx, v.ID, func(v *artifact) error {
		if mine = v.Owed; !mine {
			return store.Unchanged
		}
		v.Owed = false
		return nil
	})
	if err != nil || !mine {
		return err
	}
	return f.give(ctx, q, v.Size)
}

// recount counts what the artifacts of a group take. Where that has changed meanwhile, it is left to the next time.
func (f *function) recount(ctx context.Context, group string) error {
	q, err := f.quota(ctx, group)
	if err != nil {
		return err
	}
	var bytes, count int64
	err = f.artifacts.Scan(ctx, store.Query{Index: "by-owner", Filter: store.Eq("owner", group), Fields: []string{"size", "state", "owed"}}, func(v artifact) error {
		if v.Owed || v.lives() {
			bytes, count = bytes+v.Size, count+1
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = f.quotas.Update(ctx, group, func(now *quota) error {
		if now.Changes != q.Changes {
			return store.Unchanged
		}
		now.Bytes, now.Count, now.Recounted = bytes, count, f.p.Time()
		now.Recounts++
		return nil
	})
	return err
}

func (f *function) getQuota(ctx context.Context, c *faas.Call, _ faas.None) (api.ArtifactQuota, error) {
	group := c.Var("group")
	if !platform.ValidGroup(group) || !slices.Contains(c.Caller.Groups, group) && !c.Caller.Is(access.Maintainer) {
		return api.ArtifactQuota{}, platform.NotFound("group", group)
	}
	if err := f.known(ctx, group); err != nil {
		return api.ArtifactQuota{}, err
	}
	q, err := f.quota(ctx, group)
	return q.api(), err
}

// putQuota sets a limit. One below what is taken lets nothing more in, and removes nothing.
func (f *function) putQuota(ctx context.Context, c *faas.Call, in api.NewArtifactQuota) (api.ArtifactQuota, error) {
	group := c.Var("group")
	switch {
	case in.MaxBytes < 0 || in.MaxBytes > mostBytes:
		return api.ArtifactQuota{}, api.Invalid("maxBytes %d must be 0 to %d", in.MaxBytes, int64(mostBytes))
	case in.MaxCount < 0 || in.MaxCount > mostCount:
		return api.ArtifactQuota{}, api.Invalid("maxCount %d must be 0 to %d", in.MaxCount, mostCount)
	case !platform.ValidGroup(group):
		return api.ArtifactQuota{}, platform.NotFound("group", group)
	}
	if err := f.known(ctx, group); err != nil {
		return api.ArtifactQuota{}, err
	}
	if _, err := f.quota(ctx, group); err != nil {
		return api.ArtifactQuota{}, err
	}
	q, err := f.quotas.Update(ctx, group, func(q *quota) error {
		q.MaxBytes, q.MaxCount = in.MaxBytes, in.MaxCount
		return nil
	})
	return q.api(), err
}

func (f *function) known(ctx context.Context, group string) error {
	_, err := f.p.API.GetGroup(ctx, group)
	if errors.Is(err, api.ErrNotFound) {
		return platform.NotFound("group", group)
	}
	return err
}
