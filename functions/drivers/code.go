package drivers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/artifact"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// root is where code is in the object store, by its digest; other folders of the bucket are others'.
const root = "drivers/"

var digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// contentOf is what is kept of a driver beside its code.
func contentOf(d driver.Driver, now time.Time) (content, error) {
	v := content{Name: d.Name, Version: d.Version, Code: digestOf(d.Code), Pending: now}
	d.Code = nil
	var err error
	if v.Driver, err = json.Marshal(d); err != nil {
		return content{}, api.Invalid("tests: %v", err)
	}
	v.ID = fmt.Sprintf("%s@%s@%s", d.Name, d.Version, digestOf(append([]byte(v.Code), v.Driver...)))
	return v, nil
}

// keep stores what was published, before any driver names it. It may be there already.
func (f *function) keep(ctx context.Context, v content, code []byte) error {
	if err := f.p.Objects.Put(ctx, root+v.Code, bytes.NewReader(code), int64(len(code)), v.Code); err != nil {
		return fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	}
	_, err := f.contents.Upsert(ctx, v.ID, func(have *content, _ bool) error { *have = v; return nil })
	return err
}

// named says that a driver names the content, which nobody removes from then on. Whoever removed the same code a moment before,
// because nobody had named it, may have come in between: then it is put again.
func (f *function) named(ctx context.Context, v content, code []byte) error {
	_, err := f.contents.Update(ctx, v.ID, func(v *content) error {
		if v.Pending.IsZero() {
			return store.Unchanged
		}
		v.Pending = time.Time{}
		return nil
	})
	if err != nil || code == nil {
		return err
	}
	if _, err = f.p.Objects.Stat(ctx, root+v.Code); errors.Is(err, artifact.ErrNotFound) {
		err = f.p.Objects.Put(ctx, root+v.Code, bytes.NewReader(code), int64(len(code)), v.Code)
	}
	return err
}

// read is code by its digest.
func (f *function) read(ctx context.Context, digest string) ([]byte, error) {
	r, o, err := f.p.Objects.Get(ctx, root+digest)
	if errors.Is(err, artifact.ErrNotFound) {
		return nil, platform.NotFound("code", digest)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	}
	defer r.Close()
	if o.Size > driver.MaxModule {
		return nil, fmt.Errorf("code %s has %d bytes in the object store, no driver has more than %d", digest, o.Size, driver.MaxModule)
	}
	code, err := io.ReadAll(io.LimitReader(r, o.Size+1))
	if err != nil {
		return nil, fmt.Errorf("%w: code %s: %w", api.ErrUnavailable, digest, err)
	}
	if digestOf(code) != digest {
		return nil, fmt.Errorf("code %s is damaged in the object store: publish the driver again", digest)
	}
	return code, nil
}

// whole is a version as it was published.
func (f *function) whole(ctx context.Context, v *version) (d driver.Driver, err error) {
	c, err := f.contents.Get(ctx, v.Content)
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(c.Driver, &d); err != nil {
		return d, fmt.Errorf("version %s of driver %s: %w", v.Version, v.Name, err)
	}
	d.Code, err = f.read(ctx, c.Code)
	return d, err
}

func (f *function) getVersion(ctx context.Context, c *faas.Call, _ faas.None) (driver.Driver, error) {
	_, v, err := f.findVersion(ctx, c.Caller, access.Read, c.Var("name"), c.Var("version"))
	if err != nil {
		return driver.Driver{}, err
	}
	return f.whole(ctx, v)
}

// code answers with code as it is. Connectors know a digest from /resolve; people must be able to read a driver that has it.
func (f *function) code(ctx context.Context, c *faas.Call, _ faas.None) (faas.Reply, error) {
	digest := c.Var("digest")
	if !digestPattern.MatchString(digest) {
		return faas.Reply{}, platform.NotFound("code", digest)
	}
	if c.Caller.Kind != access.Part {
		if err := f.mayReadCode(ctx, c.Caller, digest); err != nil {
			return faas.Reply{}, err
		}
	}
	code, err := f.read(ctx, digest)
	return faas.Bytes("application/octet-stream", code), err
}

func (f *function) mayReadCode(ctx context.Context, c access.Caller, digest string) error {
	page, err := f.contents.Find(ctx, store.Query{Index: "by-code", Filter: store.Eq("code", digest), Limit: 1000, Fields: []string{"name"}})
	if err != nil {
		return err
	}
	var names []string
	for _, v := range page.Items {
		names = append(names, v.Name)
	}
	slices.Sort(names)
	found, err := f.drivers.GetMany(ctx, slices.Compact(names))
	if err != nil {
		return err
	}
	for i := range found {
		has := slices.ContainsFunc(found[i].All, func(v version) bool { return v.Digest == digest })
		if has && f.may(ctx, c, access.Read, &found[i]) == nil {
			return nil
		}
	}
	return platform.NotFound("code", digest)
}

// drop removes the content that no driver names, and its code if no other has the same.
func (f *function) drop(ctx context.Context, v content) error {
	same, err := f.contents.Find(ctx, store.Query{Index: "by-code", Filter: store.Eq("code", v.Code), Limit: 2, Fields: []string{"code"}})
	if err != nil {
		return err
	}
	if len(same.Items) == 1 && same.Items[0].ID == v.ID {
		if err := f.p.Objects.Delete(ctx, root+v.Code); err != nil {
			return err
		}
	}
	err = f.contents.DeleteIf(ctx, v.ID, store.Eq("pending", v.Pending))
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
		return nil // it was published again meanwhile
	}
	return err
}
