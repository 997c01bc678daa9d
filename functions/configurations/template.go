package configurations

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// The bounds of a template.
const (
	maxContent = 64 << 10 // bytes, of a template and of what is rendered
	maxPairs   = 100      // parameters, and metadata
	maxValue   = 4 << 10  // bytes of a parameter's value
	maxLabel   = 256      // bytes of a metadata value
)

var keyPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)

func checkTemplate(name string, t *api.Template) error {
	if t.Name == "" {
		t.Name = name
	}
	switch {
	case t.Name != name:
		return api.Invalid("name: the path says %q, the body %.80q", name, t.Name)
	case twin.ID(name).Valid() != nil:
		return api.Invalid("name must be 1 to 64 letters, digits, '.', '-' or '_', beginning with a letter or digit")
	case !slices.Contains(formats, t.Format):
		return api.Invalid("format must be one of %s, not %.40q", strings.Join(formats, ", "), t.Format)
	case t.Content == "" || len(t.Content) > maxContent || !utf8.ValidString(t.Content):
		return api.Invalid("content must be 1 to %d bytes of UTF-8", maxContent)
	case len(t.Note) > 1000 || !utf8.ValidString(t.Note):
		return api.Invalid("note must be at most 1000 bytes of UTF-8")
	}
	if err := errors.Join(checkPairs("parameters", t.Parameters, maxValue), checkPairs("metadata", t.Metadata, maxLabel)); err != nil {
		return err
	}
	_, err := read(t.Content, &meter{})
	return err
}

func checkPairs(field string, m map[string]string, most int) error {
	if len(m) > maxPairs {
		return api.Invalid("%s: at most %d, not %d", field, maxPairs, len(m))
	}
	for k, v := range m {
		if !keyPattern.MatchString(k) {
			return api.Invalid("%s: name %.80q must be 1 to 64 letters, digits, '_', '.' or '-', beginning with a letter", field, k)
		}
		if len(v) > most || !utf8.ValidString(v) {
			return api.Invalid("%s.%s must be at most %d bytes of UTF-8", field, k, most)
		}
	}
	return nil
}

// putTemplate makes a template, or a new version of it. The version before is kept before it is replaced.
func (c *configurations) putTemplate(ctx context.Context, call *faas.Call, in api.Template) (faas.Reply, error) {
	name := call.Var("name")
	if err := checkTemplate(name, &in); err != nil {
		return faas.Reply{}, err
	}
	old, err := c.templates.Get(ctx, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return faas.Reply{}, err
	default:
		if err := c.versions.PutMany(ctx, []version{{versionID(name, old.Version), old.Template}}); err != nil {
			return faas.Reply{}, err
		}
	}
	made := false
	v, err := c.templates.Upsert(ctx, name, func(v *template, exists bool) error {
		if v.Version != old.Version {
			return fmt.Errorf("%w: template %s got version %d meanwhile; read it again and repeat your change", api.ErrStale, name, v.Version)
		}
		if err := call.Match(v.Version); err != nil {
			return err
		}
		made = !exists
		in.Version, in.Updated = v.Version+1, c.p.Time()
		v.Template, v.Labels = in, labels(in.Metadata)
		return nil
	})
	if err != nil {
		return faas.Reply{}, err
	}
	reply := faas.Versioned(v.Version, v.Template)
	if made {
		reply.Status = 201
		reply.Header.Set("Location", "/templates/"+name)
	}
	return reply, nil
}

func versionID(name string, version int64) string { return name + "@" + strconv.FormatInt(version, 10) }

func labels(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k, v := range m {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}

func (c *configurations) getTemplate(ctx context.Context, call *faas.Call, _ faas.None) (faas.Reply, error) {
	t, err := c.find(ctx, call.Var("name"))
	if err != nil {
		return faas.Reply{}, err
	}
	if s := call.Query.Get("version"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 1 {
			return faas.Reply{}, api.Invalid("version %.20q must be a number from 1 on", s)
		}
		if n != t.Version {
			old, err := c.versions.Get(ctx, versionID(t.Name, n))
			if errors.Is(err, store.ErrNotFound) {
				return faas.Reply{}, platform.NotFound("template", versionID(t.Name, n))
			} else if err != nil {
				return faas.Reply{}, err
			}
			return faas.Versioned(n, old.Template), nil
		}
	}
	return faas.Versioned(t.Version, t), nil
}

func (c *configurations) find(ctx context.Context, name string) (api.Template, error) {
	v, err := c.templates.Get(ctx, name)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return v.Template, platform.NotFound("template", name)
	}
	return v.Template, err
}

// listTemplates pages through the templates that have all the metadata the query names, as meta.KEY=VALUE.
func (c *configurations) listTemplates(ctx context.Context, call *faas.Call, _ faas.None) (api.Page[api.Template], error) {
	out := api.Page[api.Template]{Items: []api.Template{}}
	limit, err := call.Limit()
	if err != nil {
		return out, err
	}
	q := store.Query{Limit: limit, Cursor: call.Query.Get("cursor"), Partial: true}
	var conds []store.Filter
	for _, name := range slices.Sorted(maps.Keys(call.Query)) { // in order, because a cursor belongs to one query
		if key, ok := strings.CutPrefix(name, "meta."); ok {
			conds = append(conds, store.Eq("labels", key+"="+call.Query.Get(name)))
		}
	}
	if len(conds) > 10 {
		return out, api.Invalid("at most 10 parameters meta.KEY are taken at once")
	}
	if len(conds) > 0 {
		q.Index, q.Filter = "by-metadata", store.And(conds...)
	}
	page, err := c.templates.Find(ctx, q)
	for _, v := range page.Items {
		out.Items = append(out.Items, v.Template)
	}
	out.Next = page.Next
	return out, err
}
