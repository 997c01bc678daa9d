package twins_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

func TestRowsShowTheReadingsThatWereChosen(t *testing.T) {
	w := newWorld(t)
	w.make("pump", "p-1 pump plant")
	_, err := w.twins.Update(ctx, "p-1", func(t *twin.Twin) error {
		for i, name := range []string{"flow", "rpm", "uptime"} {
			t.Live.Report(twin.Reading{Property: name, Value: 5.0, At: time.Unix(int64(100-i), 0)})
		}
		return nil
	})
	must(t, err)
	for _, c := range []struct{ readings, want string }{
		{"", "flow"}, // the newest
		{"rpm", "rpm"},
		{"uptime,rpm,heat", "rpm uptime"},
		{"heat", "flow"},
	} {
		page, err := w.admin.ListTwins(ctx, api.TwinQuery{Kind: twin.Instance, View: "row", Readings: c.readings})
		must(t, err)
		var got []string
		for _, r := range page.Items[0].Live.Reported {
			got = append(got, r.Property)
		}
		if !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("readings %q: %v, want %s", c.readings, got, c.want)
		}
	}
	if _, err := w.admin.ListTwins(ctx, api.TwinQuery{Readings: "rpm"}); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("readings without rows: %v", err)
	}
	if _, err := w.admin.ListTwins(ctx, api.TwinQuery{View: "row", Readings: strings.Repeat("x", 4001)}); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("very many readings: %v", err)
	}
}
