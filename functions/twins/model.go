package twins

import (
	"encoding/json"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// settle writes what means the same in one way, so that a change can be told from none: schemas have their names sorted.
func settle(m *twin.Model) {
	if m == nil {
		return
	}
	for _, s := range m.Schemas() {
		var v any
		if json.Unmarshal(*s.JSON, &v) != nil {
			continue // it is refused, in words that name it
		}
		if *s.JSON = nil; v == nil {
			continue
		}
		*s.JSON, _ = json.Marshal(v)
	}
}

// successor is what a type's model becomes that was another one.
func successor(now, was *twin.Model) (*twin.Model, error) {
	if now == nil {
		now = &twin.Model{}
	}
	if was == nil {
		was = &twin.Model{}
	}
	next := *now
	settle(&next)
	return &next, next.Follow(was)
}

// checkSchemas returns twin.ErrInvalid if nothing can be judged by a schema of the model.
func (f *function) checkSchemas(m *twin.Model) error {
	if m == nil {
		return nil
	}
	for _, s := range m.Schemas() {
		if _, err := f.schemas.Compile(*s.JSON); err != nil {
			return api.Invalid("%s: %s", s.Field, err)
		}
	}
	return nil
}
