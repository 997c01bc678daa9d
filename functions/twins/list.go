package twins

import (
	"context"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// Bounds of one page: how many twins are looked at for it, and how many readings it holds.
const (
	maxExamined = 10_000
	maxReadings = 50_000
)

// list pages through the twins the caller may see, by id.
func (f *function) list(ctx context.Context, c *faas.Call, _ faas.None) (api.Page[twin.Twin], error) {
	out := api.Page[twin.Twin]{Items: []twin.Twin{}}
	limit, err := c.Limit()
	if err != nil {
		return out, err
	}
	q, err := read(c.Query)
	if err != nil {
		return out, err
	}
	after, err := decodeCursor(c.Query.Get("cursor"), q)
	if err != nil {
		return out, err
	}
	scope, err := f.p.Visible(ctx, c.Caller)
	if err != nil {
		return out, err
	}
	walk, err := f.walk(ctx, scope, q, after, min(limit+1, 200))
	if err != nil {
		return out, err
	}
	var ids []string
	at := after // the last twin that was decided about
	for examined := 0; len(ids) < limit && examined < maxExamined; examined++ {
		t, err := walk.next(ctx)
		if err != nil {
			return out, err
		}
		if t == nil {
			at = ""
			break
		}
		if at = string(t.ID); q.matches(t) && scope.Allows(access.Twin(t)) {
			ids = append(ids, at)
		}
	}
	if at != "" {
		if t, err := walk.next(ctx); err != nil {
			return out, err
		} else if t == nil {
			at = ""
		}
	}
	return f.fill(ctx, q, ids, at)
}

// fill reads the twins of a page whole. A page of twins with very many readings ends early.
func (f *function) fill(ctx context.Context, q query, ids []string, at string) (api.Page[twin.Twin], error) {
	out := api.Page[twin.Twin]{Items: []twin.Twin{}}
	readings := 0
	for chunk := range slices.Chunk(ids, 50) {
		if readings > maxReadings {
			at = string(out.Items[len(out.Items)-1].ID)
			break
		}
		twins, err := f.twins.GetMany(ctx, chunk)
		if err != nil {
			return out, err
		}
		for _, t := range twins {
			readings += len(t.Live.Reported)
			if t.Deleted.IsZero() {
				out.Items = append(out.Items, t)
			}
		}
	}
	if at != "" {
		out.Next = encodeCursor(at, q)
	}
	return out, nil
}

// query selects twins.
type query struct {
	kind      twin.Kind
	of        twin.TypeID
	aggregate twin.ID
	owner     string
	phase     twin.Phase
	tag       string
	prefix    string
	online    string
}

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{0,64}$`)

// read takes the query's parameters; what no twin can have is refused, because it is a mistake.
func read(v url.Values) (query, error) {
	q := query{twin.Kind(v.Get("kind")), twin.TypeID(v.Get("type")), twin.ID(v.Get("aggregate")), v.Get("owner"),
		twin.Phase(v.Get("phase")), v.Get("tag"), v.Get("prefix"), v.Get("online")}
	return q, q.check()
}

func (q *query) check() error {
	for _, id := range []struct {
		name string
		id   twin.ID
	}{{"type", q.of}, {"aggregate", q.aggregate}} {
		if id.id != "" && id.id.Valid() != nil {
			return fmt.Errorf("%s: %w", id.name, id.id.Valid())
		}
	}
	switch {
	case q.kind != "" && q.kind != twin.Instance && q.kind != twin.Type && q.kind != twin.Aggregate:
		return api.Invalid("kind %.40q must be instance, type or aggregate", q.kind)
	case q.phase != "" && !q.phase.Valid():
		return api.Invalid("phase %.40q must be onboarding, provisioning, operational, suspended or retired", q.phase)
	case q.online != "" && q.online != "true" && q.online != "false":
		return api.Invalid("online %.40q must be true or false", q.online)
	case !prefixPattern.MatchString(q.prefix):
		return api.Invalid("prefix %.80q must be the beginning of an id", q.prefix)
	case len(q.owner) > 64 || len(q.tag) > 64 || strings.ToValidUTF8(q.owner+q.tag, "") != q.owner+q.tag:
		return api.Invalid("owner and tag may have 64 bytes of text")
	}
	return nil
}

// matches tells whether the query selects t.
func (q *query) matches(t *twin.Twin) bool {
	d := &t.Definition
	return t.Deleted.IsZero() &&
		(q.kind == "" || t.Kind == q.kind) &&
		(q.of == "" || d.Type == q.of) &&
		(q.aggregate == "" || slices.Contains(d.Aggregates, q.aggregate)) &&
		(q.owner == "" || d.Owner == q.owner) &&
		(q.phase == "" || d.Phase == q.phase) &&
		(q.tag == "" || slices.Contains(d.Tags, q.tag)) &&
		strings.HasPrefix(string(t.ID), q.prefix) &&
		(q.online == "" || t.Kind == twin.Instance && t.Live.Presence.Online() == (q.online == "true"))
}

// narrowest is the index that leaves the fewest twins, as far as one can tell by the query.
func (q *query) narrowest() (index string, f store.Filter) {
	switch {
	case q.aggregate != "":
		return "by-aggregate", store.Eq("definition.aggregates", q.aggregate)
	case q.tag != "":
		return "by-tag", store.Eq("definition.tags", q.tag)
	case q.owner != "":
		return "by-owner", store.Eq("definition.owner", q.owner)
	case q.of != "":
		return "by-type", store.Eq("definition.type", q.of)
	case q.phase != "":
		return "by-phase", store.Eq("definition.phase", q.phase)
	case q.kind != "":
		return "by-kind", store.Eq("kind", q.kind)
	}
	return "", store.Filter{}
}

// sum tells queries apart, so that a cursor of another one is found out.
func (q query) sum() string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q", q)
	return fmt.Sprintf("%016x", h.Sum64())
}

// A cursor is the last id that was decided about. A forged one can at most begin the page elsewhere.
func encodeCursor(id string, q query) string {
	return base64.RawURLEncoding.EncodeToString([]byte(q.sum() + id))
}

func decodeCursor(s string, q query) (after string, err error) {
	if s == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(s) > 200 || len(b) < 17 || twin.ID(b[16:]).Valid() != nil {
		return "", api.Invalid("cursor: this is not one; take it from the page before")
	}
	if string(b[:16]) != q.sum() {
		return "", api.Invalid("cursor belongs to another query; keep the other parameters as they were")
	}
	return string(b[16:]), nil
}
