package twins

import (
	"net/url"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// maxShown is how many bytes the names of the readings may have that a row shows.
const maxShown = 4_000

// view is how much of each twin a list hands out.
type view struct {
	row      bool
	readings []string // that a row shows, if the twin has them
}

// viewOf reads the parameters view and readings.
func viewOf(v url.Values) (view, error) {
	name, readings := v.Get("view"), v.Get("readings")
	switch {
	case name != "" && name != "row":
		return view{}, api.Invalid("view %.40q must be row, or left out", name)
	case readings != "" && name == "":
		return view{}, api.Invalid("readings are chosen for view=row; without it all are there")
	case len(readings) > maxShown:
		return view{}, api.Invalid("readings may have %d bytes of names", maxShown)
	}
	as := view{row: name == "row"}
	if readings != "" {
		as.readings = strings.Split(readings, ",")
	}
	return as, nil
}

// row are the fields that a table shows.
var row = []string{"kind", "definition.version", "definition.name", "definition.type", "definition.owner", "definition.aggregates", "definition.tags",
	"definition.location", "definition.phase", "definition.updated", "live.version", "live.last", "live.reported", "live.presence", "live.rules",
	"live.messages", "live.late", "live.parked", "created", "deleted"}

// cut leaves of a twin's lists what a row shows: rules with an alarm, and the readings that were chosen, or else the newest.
func (v view) cut(t *twin.Twin) {
	l := &t.Live
	l.Rules = slices.DeleteFunc(l.Rules, func(s twin.RuleState) bool { return !s.Active })
	if len(l.Reported) == 0 {
		return
	}
	newest := slices.MaxFunc(l.Reported, func(a, b twin.Reading) int { return a.At.Compare(b.At) })
	l.Reported = slices.DeleteFunc(l.Reported, func(r twin.Reading) bool { return !slices.Contains(v.readings, r.Property) })
	if len(l.Reported) == 0 {
		l.Reported = []twin.Reading{newest}
	}
}
