package twins

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// query selects twins, in the words of api.TwinQuery.
type query struct {
	kind      twin.Kind
	of        twin.TypeID
	aggregate twin.ID
	owner     string
	phase     twin.Phase
	tag       string
	prefix    string
	online    string
	alarms    string
	search    string
	words     []string // of search, folded

	sort string // how the list is sorted; the selection is the same
}

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{0,64}$`)

// read takes the query's parameters; what no twin can have is refused, because it is a mistake.
func read(v url.Values) (query, error) {
	q := query{kind: twin.Kind(v.Get("kind")), of: twin.TypeID(v.Get("type")), aggregate: twin.ID(v.Get("aggregate")), owner: v.Get("owner"),
		phase: twin.Phase(v.Get("phase")), tag: v.Get("tag"), prefix: v.Get("prefix"), online: v.Get("online"),
		alarms: v.Get("alarms"), search: v.Get("q"), sort: v.Get("sort")}
	return q, q.check()
}

// check refuses what no twin can have, and makes the query ready to be asked whether it selects a twin.
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
	case q.alarms != "" && q.alarms != "open":
		return api.Invalid("alarms %.40q must be open, or left out", q.alarms)
	case !prefixPattern.MatchString(q.prefix):
		return api.Invalid("prefix %.80q must be the beginning of an id", q.prefix)
	case len(q.owner) > 64 || len(q.tag) > 64 || strings.ToValidUTF8(q.owner+q.tag, "") != q.owner+q.tag:
		return api.Invalid("owner and tag may have 64 bytes of text")
	case len(q.search) > maxSearched || strings.ToValidUTF8(q.search, "") != q.search:
		return api.Invalid("q may have %d bytes of text", maxSearched)
	}
	q.words = wordsIn(q.search)
	if len(q.words) > maxSearch {
		return api.Invalid("q may have %d words", maxSearch)
	}
	if q.search != "" && len(q.words) == 0 {
		return api.Invalid("q %.40q has no letter and no digit to search for", q.search)
	}
	_, err := sortingOf(q.sort)
	return err
}

// selects tells whether the query leaves anything out.
func (q query) selects() bool {
	return q.kind != "" || q.of != "" || q.aggregate != "" || q.owner != "" || q.phase != "" || q.tag != "" || q.prefix != "" ||
		q.online != "" || q.alarms != "" || len(q.words) > 0
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
		(q.online == "" || t.Kind == twin.Instance && t.Live.Presence.Online() == (q.online == "true")) &&
		(q.alarms == "" || t.Kind == twin.Instance && alarmed(t)) &&
		(len(q.words) == 0 || found(wordsOf(t), q.words))
}

// alarmed tells whether an alarm of the twin is raised.
func alarmed(t *twin.Twin) bool {
	return slices.ContainsFunc(t.Live.Rules, func(s twin.RuleState) bool { return s.Active })
}

// looks are the fields that deciding about a twin takes, and sorting it.
func (q *query) looks() []string {
	fields := []string{"kind", "definition.type", "definition.owner", "definition.aggregates", "definition.tags", "definition.phase", "live.presence", "deleted"}
	if s, _ := sortingOf(q.sort); s.by == "name" || len(q.words) > 0 {
		fields = append(fields, "definition.name", "definition.location")
	} else if s.by == "created" {
		fields = append(fields, "created")
	}
	if q.alarms != "" {
		fields = append(fields, "live.rules.active")
	}
	return fields
}

// filter is the query as far as the store can tell; matches has the last word. It spares reading what is not selected.
func (q *query) filter() store.Filter {
	var all []store.Filter
	add := func(path, value string) {
		if value != "" {
			all = append(all, store.Eq(path, value))
		}
	}
	add("kind", string(q.kind))
	add("definition.type", string(q.of))
	add("definition.aggregates", string(q.aggregate))
	add("definition.owner", q.owner)
	add("definition.phase", string(q.phase))
	add("definition.tags", q.tag)
	if q.prefix != "" {
		all = append(all, store.Prefix("_id", q.prefix))
	}
	switch q.online {
	case "true":
		all = append(all, store.Eq("kind", twin.Instance), online)
	case "false":
		all = append(all, store.Eq("kind", twin.Instance), store.Not(online))
	}
	if q.alarms != "" {
		all = append(all, store.Eq("live.rules.active", true))
	}
	return store.And(all...)
}

// online is twin.Presence.Online as a filter.
var online = store.And(store.Ne("live.presence.offline", true), store.Or(store.Eq("live.presence.connected", true),
	store.And(store.Eq("live.presence.session", nil), store.Exists("live.presence.lastSeen", true))))

// An index that leaves fewer twins for the query, with the condition that it answers.
type lead struct {
	index  string
	filter store.Filter
}

// leads are the indexes that the query may be led by.
func (q *query) leads() (all []lead) {
	add := func(index, path, value string) {
		if value != "" {
			all = append(all, lead{index, store.Eq(path, value)})
		}
	}
	add("by-aggregate", "definition.aggregates", string(q.aggregate))
	add("by-tag", "definition.tags", q.tag)
	add("by-owner", "definition.owner", q.owner)
	add("by-type", "definition.type", string(q.of))
	add("by-phase", "definition.phase", string(q.phase))
	add("by-kind", "kind", string(q.kind))
	return all
}

// sum tells queries apart, so that a cursor of another one is found out.
func (q query) sum() string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q", q)
	return fmt.Sprintf("%016x", h.Sum64())
}

// A place is where a twin stands in a list: by what it is sorted by, then by its id. The zero place is before all.
type place struct {
	key, id string
}

// A cursor is the place of the last twin that was decided about. A forged one can at most begin the page elsewhere.
func encodeCursor(at place, q query) string {
	return base64.RawURLEncoding.EncodeToString([]byte(q.sum() + at.id + "\x00" + at.key))
}

func decodeCursor(s string, q query) (after place, err error) {
	if s == "" {
		return place{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(s) > 1000 || len(b) < 17 {
		return place{}, errCursor
	}
	if string(b[:16]) != q.sum() {
		return place{}, api.Invalid("cursor belongs to another query; keep the other parameters as they were")
	}
	after.id, after.key, _ = strings.Cut(string(b[16:]), "\x00")
	if twin.ID(after.id).Valid() != nil || strings.ToValidUTF8(after.key, "") != after.key || strings.Contains(after.key, "\x00") {
		return place{}, errCursor
	}
	return after, nil
}

var errCursor = api.Invalid("cursor: this is not one; take it from the page before")
