package twins

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/shared/wot"
)

// getThingModel answers with a type as a Thing Model of the W3C.
func (f *function) getThingModel(ctx context.Context, c *faas.Call, _ faas.None) (faas.Reply, error) {
	t, err := f.p.Twin(ctx, f.twins, c.Caller, access.Read, twin.ID(c.Var("id")))
	if errors.Is(err, api.ErrNotFound) {
		err = platform.NotFound("type", c.Var("id"))
	}
	if err != nil {
		return faas.Reply{}, err
	}
	if t.Kind != twin.Type {
		return faas.Reply{}, noType(&t)
	}
	text, err := wot.Export(t)
	if err != nil {
		return faas.Reply{}, err
	}
	r := faas.Bytes(wot.MediaType, text)
	r.Header.Set("Etag", `"`+strconv.FormatInt(t.Definition.Version, 10)+`"`)
	return r, nil
}

func noType(t *twin.Twin) error {
	return api.Invalid("%s is of kind %s; a Thing Model is of a type", t.ID, t.Kind)
}

// putThingModel makes a type what a Thing Model says, or makes the type. If-Match names the version that was read.
func (f *function) putThingModel(ctx context.Context, c *faas.Call, body []byte) (faas.Reply, error) {
	if len(body) > wot.MaxSize {
		return faas.Reply{}, errors.Join(api.ErrTooLarge, api.Invalid("a Thing Model may have %d bytes", wot.MaxSize))
	}
	thing, err := wot.Import(body)
	if err != nil {
		return faas.Reply{}, api.Invalid("%s", err)
	}
	id, before := twin.TypeID(c.Var("id")), int64(0)
	t, err := f.redefine(ctx, hand{caller: c.Caller, match: c.Match}, id, func(t *twin.Twin, was editable) (editable, error) {
		if t.Kind != twin.Type {
			return was, noType(t)
		}
		before = t.Definition.Version
		return adopt(id, was, thing), nil
	})
	made := false
	if errors.Is(err, api.ErrNotFound) && c.Header.Get("If-Match") == "" && f.free(ctx, c.Caller, id) {
		of := adopt(id, editable{}, thing)
		t, made, err = f.make(ctx, c.Caller, api.NewTwin{ID: id, Kind: twin.Type, Definition: twin.Definition{Name: of.Name, Owner: c.Query.Get("owner"), Model: of.Model}})
	}
	if err != nil {
		return faas.Reply{}, err
	}
	out := api.ThingModelOutcome{Type: t, Created: made, Changed: made || t.Definition.Version != before, Ignored: []api.IgnoredPart{}}
	for _, i := range thing.Ignored {
		out.Ignored = append(out.Ignored, api.IgnoredPart(i))
	}
	if now := t.Definition.Version; thing.Version != "" && thing.Version != strconv.FormatInt(before, 10) && thing.Version != strconv.FormatInt(now, 10) {
		out.Ignored = append(out.Ignored, api.IgnoredPart{At: "/version/model", Why: "the platform counts versions itself: this is " + strconv.FormatInt(now, 10)})
	}
	return faas.Versioned(t.Definition.Version, out), nil
}

// free tells whether the caller may make a type of this id, of which they were told that it is not there: it might be, and not theirs to see.
func (f *function) free(ctx context.Context, by access.Caller, id twin.TypeID) bool {
	if id.Valid() != nil || !by.Is(access.Configurator, access.Maintainer) {
		return false
	}
	t, err := f.twins.Get(ctx, string(id))
	return errors.Is(err, store.ErrNotFound) || err == nil && !t.Deleted.IsZero()
}

// adopt is what a Thing Model makes of a type. One that knows nothing of this platform leaves what is the platform's: how instances come
// in, the driver, and properties' numbers, which are for ever.
func adopt(id twin.TypeID, was editable, thing wot.Thing) editable {
	now, old, model := was, twin.Model{}, thing.Model
	if was.Model != nil {
		old = *was.Model
	}
	if thing.Title != "" && (was.Name != "" || thing.Title != string(id)) {
		now.Name = thing.Title
	}
	if !thing.Settings {
		model = old
		model.Commands, model.Events = thing.Model.Commands, thing.Model.Events
	}
	model.Properties = slices.Clone(thing.Model.Properties) // a change may be made again
	numbers, plain := map[string]int64{}, map[string]bool{}
	for _, n := range old.Retired {
		numbers[n.Name] = n.ID
	}
	for _, p := range old.Properties {
		numbers[p.Name], plain[p.Name] = p.ID, p.Type == ""
	}
	for i := range model.Properties {
		p := &model.Properties[i]
		if p.ID == 0 {
			p.ID = numbers[p.Name]
		}
		if p.Type == "number" && plain[p.Name] {
			p.Type = "" // which is the same
		}
	}
	now.Model = &model
	return now
}
