package gateways_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
)

// A gateway that may publish no events tells what it has applied, of itself only, and twice is once.
func TestAGatewayTellsWhatItHasApplied(t *testing.T) {
	w := start(t)
	told := w.Collect(event.GatewayApplied)
	mine := w.Part("connector", "op-1")
	many := make([]api.GatewayApplied, api.MaxApplied+1)
	for i := range many {
		many[i] = api.GatewayApplied{Gateway: "op-1", Client: "r-1", Revision: uint64(i + 1), Removed: i%2 == 0}
	}
	many[3].Lost = strings.Repeat("é", 400)
	for range 2 {
		if err := mine.TellApplied(t.Context(), "op-1", many); err != nil {
			t.Fatal(err)
		}
	}
	ids := map[string]bool{} // an event that is published again is heard again, and kept once
	for _, e := range told() {
		ids[e.ID] = true
	}
	if len(ids) != len(many) || !ids["applied:op-1:r-1:1"] || !ids["applied:op-1:r-1:4:lost"] {
		t.Errorf("%d events are published, want %d", len(ids), len(many))
	}
	good := api.GatewayApplied{Gateway: "op-1", Client: "r-1", Revision: 7}
	for what, try := range map[string]struct {
		path string
		told api.GatewayApplied
		want error
	}{
		"another gateway's door": {"op-2", good, access.ErrDenied},
		"of another gateway":     {"op-1", api.GatewayApplied{Gateway: "op-2", Client: "r-1", Revision: 7, Removed: true}, access.ErrDenied},
		"no client":              {"op-1", api.GatewayApplied{Gateway: "op-1", Client: "a:b", Revision: 7}, twin.ErrInvalid},
		"no revision":            {"op-1", api.GatewayApplied{Gateway: "op-1", Client: "r-1"}, twin.ErrInvalid},
	} {
		if err := mine.TellApplied(t.Context(), try.path, []api.GatewayApplied{try.told}); !errors.Is(err, try.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
