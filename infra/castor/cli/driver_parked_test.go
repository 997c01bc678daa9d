package cli

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// Whoever mends a driver sees what is parked of all devices of a type, or because of the driver.
func TestDriverParked(t *testing.T) {
	p := newMaker(t)
	p.login("admin")
	p.does(words("twin apply -f -"), "id: therm\nkind: type\ndefinition: {owner: press}\n---\nid: th-1\nkind: instance\ndefinition: {type: therm, owner: press}\n---\nid: th-2\nkind: instance\ndefinition: {type: therm, owner: press}\n", "created")
	p.Enrol("op-1", 1, "th-1", "th-2")
	var batch []telemetry.Message
	for i, driver := range []string{"th@0.1.0", "th@0.2.0", "other@1.0.0"} {
		batch = append(batch, telemetry.Message{Twin: twin.ID(fmt.Sprintf("th-%d", i%2+1)), Generation: 1, Kind: telemetry.Undecoded, Was: telemetry.Telemetry, Received: start.Add(time.Duration(i) * time.Minute),
			Order: twin.Order{Epoch: 1, Seq: int64(i+1) * 1024, Assigned: true}, Gateway: "op-1", Port: 1, Raw: fmt.Appendf(nil, "frame %d", i), Driver: driver, Reason: "it looped"})
	}
	if res, err := p.Part("connector", "op-1").Ingest(context.Background(), telemetry.Batch{Gateway: "op-1", Messages: batch}); err != nil || res.Outcomes[2] != telemetry.Parked {
		t.Fatal(res, err)
	}
	p.login("eve")
	for typed, want := range map[string][]string{
		"driver parked --type therm":           {"2", "1", "0"},
		"driver parked --type therm --limit 1": {"2"},
		"driver parked th":                     {"0", "1"},
		"driver parked th@0.2.0":               {"1"},
		"driver parked th --type therm":        {"1", "0"},
		"driver parked tha":                    nil,
	} {
		out := p.does(words(typed), "", "DRIVER", "TWIN")
		at := -1
		for _, n := range want {
			k := strings.Index(out, "frame "+n)
			if k < at || k < 0 {
				t.Errorf("%s: want frames %v in this order, got\n%s", typed, want, out)
			}
			at = k
		}
		if n := strings.Count(out, "frame "); n != len(want) {
			t.Errorf("%s lists %d, want %v\n%s", typed, n, want, out)
		}
	}
	p.does(words("driver parked --type therm --limit 1"), "", "There are more")
	p.does(words("driver parked tha"), "", "Nothing is parked there")
	p.does(words("driver parked --type therm -o json"), "", `"type": "therm"`)
	p.fails(words("driver parked"), "of a DRIVER, or of a --type")
	p.fails(words("driver parked --type th-1"), "asked for by twin")
	p.fails(words("driver parked --type nothing"), "nothing")
}

// What one speaks for that nobody has brought in is found by its twin, or by its reference.
func TestParkedMessagesOfNoTwinByWhoSpoke(t *testing.T) {
	p := newMaker(t)
	p.login("admin")
	for i, via := range []device.Ref{"device-of-bridge", "device-of-bridge", "r-2"} {
		_, err := p.Part("connector", "op-1").Ingest(context.Background(), telemetry.Batch{Gateway: "op-1", Messages: []telemetry.Message{{Kind: telemetry.Undecoded, Was: telemetry.Telemetry,
			Ref: device.RelayedRef(via, fmt.Sprint("lamp-", i)), Via: via, Received: start, Order: twin.Order{Epoch: 1, Seq: int64(i), Assigned: true}, Raw: fmt.Appendf(nil, "frame %d", i), Reason: "no twin"}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	out := p.does(words("twin parked --no-twin --via device-of-bridge"), "", "VIA", "device-of-bridge", "frame 0", "frame 1")
	if strings.Contains(out, "frame 2") {
		t.Errorf("it lists what another has said:\n%s", out)
	}
	p.fails(words("twin parked --no-twin --via r-2 --ref r-1"), "say one of the two")
	p.fails(words("twin parked pump-1 --via r-2"), "go with --no-twin")
	p.fails(words("twin parked nobody"), `there is no twin "nobody"`)
	p.does(words("twin parked --no-twin --via r-2 --delete"), "", "1 message deleted")
	p.does(words("twin parked --no-twin"), "", "frame 0", "frame 1")
}
