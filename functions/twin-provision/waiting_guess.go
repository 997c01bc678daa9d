package twinprovision

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

const (
	maxGuesses = 3
	leastScore = 0.1
	maxTypes   = 2000 // that are compared
	typesFor   = time.Minute
)

// A kind is a type as guesses need it.
type kind struct {
	id         twin.TypeID
	words      [][]string // of its id and its name
	properties map[string]bool
}

// guess says of which types the device may be: by what identities of the same model are, by the words of its model, and by what it
// says it can do. A guess is a help for people; what cannot be asked now is left out.
func (f *function) guess(ctx context.Context, w *waiting) {
	types, err := f.kinds(ctx)
	if err != nil {
		f.p.Log.WarnContext(ctx, "types not read for guesses", "error", err)
		return
	}
	registered := map[twin.TypeID]int{}
	of := 0
	if w.Model != "" {
		known, err := f.p.API.IdentitiesOfModel(ctx, w.Model)
		if err != nil {
			f.p.Log.WarnContext(ctx, "identities of a model not read for guesses", "error", err)
		}
		for _, i := range known.Items {
			if i.Type != "" {
				registered[twin.TypeID(i.Type)]++
				of++
			}
		}
	}
	w.Guess = nil
	said := words(w.Model + " " + w.Maker)
	for _, t := range types {
		if g := t.likely(registered[t.id], of, said, w); g.Score >= leastScore {
			w.Guess = append(w.Guess, g)
		}
	}
	slices.SortFunc(w.Guess, func(a, b api.Guess) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Type, b.Type))
	})
	w.Guess = w.Guess[:min(len(w.Guess), maxGuesses)]
}

// likely weighs what speaks for a type. Each reason leaves less doubt.
func (t *kind) likely(registered, of int, said []string, w *waiting) api.Guess {
	doubt := 1.0
	var why []string
	because := func(score float64, format string, args ...any) {
		doubt *= 1 - score
		why = append(why, fmt.Sprintf(format, args...))
	}
	if registered > 0 {
		because(0.95*float64(registered)/float64(of), "%d of %d registered devices of model %s are of it", registered, of, w.Model)
	}
	if slices.ContainsFunc(t.words, func(name []string) bool { return within(name, said) }) {
		because(0.5, "its model and maker name the type")
	}
	hits := 0
	for _, c := range w.Capabilities {
		if t.properties[strings.ToLower(c)] {
			hits++
		}
	}
	if hits > 0 {
		because(0.8*2*float64(hits)/float64(len(w.Capabilities)+len(t.properties)), "%d of its %d capabilities are properties of it", hits, len(w.Capabilities))
	}
	return api.Guess{Type: t.id, Why: strings.Join(why, "; "), Score: math.Round((1-doubt)*100) / 100}
}

// words are those of a text, in lower case.
func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// within tells whether all of name is said, in its order.
func within(name, said []string) bool {
	if len(name) == 0 || len(strings.Join(name, "")) < 3 {
		return false
	}
	for i := range len(said) - len(name) + 1 {
		if slices.Equal(said[i:i+len(name)], name) {
			return true
		}
	}
	return false
}

// kinds are the platform's types, some time old.
func (f *function) kinds(ctx context.Context) ([]kind, error) {
	f.mu.Lock()
	types, at := f.types, f.typesAt
	f.mu.Unlock()
	now := f.p.Time()
	if age := now.Sub(at); types != nil && age >= 0 && age < typesFor {
		return types, nil
	}
	types = []kind{}
	err := f.twins.Scan(ctx, store.Query{Index: "by-kind", Filter: store.Eq("kind", twin.Type)}, func(t twin.Twin) error {
		if !t.Deleted.IsZero() {
			return nil
		}
		k := kind{id: t.ID, words: [][]string{words(string(t.ID)), words(t.Definition.Name)}, properties: map[string]bool{}}
		if t.Definition.Model != nil {
			for _, p := range t.Definition.Model.Properties {
				k.properties[strings.ToLower(p.Name)] = true
			}
		}
		if types = append(types, k); len(types) >= maxTypes {
			return store.Stop
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.types, f.typesAt = types, now
	f.mu.Unlock()
	return types, nil
}

// meant are the devices that wait and that a filter means, at most as many as one call decides about; more tells that there are
// others.
func (f *function) meant(ctx context.Context, by *api.WaitingFilter) (ids []string, more bool, err error) {
	if _, err := path.Match(by.Serial, "x"); err != nil || len(by.Serial) > 64 {
		return nil, false, api.Invalid("all.serial must be a pattern of at most 64 characters, like \"P-*\"")
	}
	q := store.Query{Index: "by-state", Filter: store.Eq("state", api.WaitingNow)}
	err = f.list.Scan(ctx, q, func(w waiting) error {
		ok := by.Serial == ""
		if !ok {
			ok, _ = path.Match(by.Serial, w.Serial)
		}
		switch {
		case !ok, by.Model != "" && by.Model != w.Model, by.Maker != "" && by.Maker != w.Maker, by.Gateway != "" && by.Gateway != w.Gateway,
			by.Guess != "" && by.Guess != w.likeliest(), !by.Before.IsZero() && !w.First.Before(by.Before):
			return nil
		case len(ids) == atMost:
			more = true
			return store.Stop
		}
		ids = append(ids, w.ID)
		return nil
	})
	return ids, more, err
}
