package twinprovision_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// Each condition of a model is bounded; so is what many of them take together, or whoever may try models has the processor.
func TestTryingAModelIsBounded(t *testing.T) {
	w := start(t)
	dear := "[1,2,3,4,5,6,7,8,9]"
	for _, v := range []string{"d", "c", "b", "a"} {
		in := "a+b+c+d>0"
		if v != "d" {
			in = dear
		}
		dear = "[1,2,3,4,5,6,7,8,9].all(" + v + "," + in + ")"
	}
	var m strings.Builder
	m.WriteString("id: dear\nstart: claim\nstates:\n  - {name: claim, do: check-claim, then: s0}\n")
	for i := range 40 {
		fmt.Fprintf(&m, "  - name: s%d\n    do: ask\n    with: {question: x}\n    limit: 1h\n    on:\n", i)
		for j := range 10 {
			fmt.Fprintf(&m, "      - {when: approved, if: '%s && %d > 100', then: done}\n", dear, j)
		}
		fmt.Fprintf(&m, "      - {when: approved, then: s%d}\n      - {when: declined, then: done}\n", (i+1)%40)
	}
	m.WriteString("  - {name: done, do: check-identity, then: make}\n  - {name: make, do: create-twin, then: sign}\n  - {name: sign, do: issue-credential, then: place}\n  - {name: place, do: register-gateway, await: gateway-ready, limit: 1m, then: hand}\n  - {name: hand, do: deliver, await: device-confirm, limit: 1m, then: live}\n  - {name: live, do: activate, end: completed}\n")
	in := api.Simulate{Text: m.String()}
	for range 200 {
		in.Events = append(in.Events, provision.Event{When: provision.Approved})
	}
	begun := time.Now()
	if _, err := w.admin.SimulateModel(w.ctx, in); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), "takes more than 2s") {
		t.Errorf("%v", err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	parsed, err := w.admin.CheckModel(w.ctx, "application/yaml", []byte(in.Text))
	w.must(err)
	if _, err := provision.Simulate(ctx, *parsed.Model, nil, provision.Sample{}, in.Events, begun); !errors.Is(err, context.Canceled) {
		t.Errorf("for a caller who has gone: %v", err)
	}
}
