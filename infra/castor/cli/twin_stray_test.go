package cli

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// tells has frames come of device references that no twin has, each a minute after the one before.
func (p *person) tells(from int, refs ...device.Ref) {
	p.t.Helper()
	var batch []telemetry.Message
	for i, ref := range refs {
		batch = append(batch, telemetry.Message{Kind: telemetry.Undecoded, Was: telemetry.Telemetry, Ref: ref, Received: start.Add(time.Duration(from+i) * time.Minute),
			Order: twin.Order{Epoch: 1, Seq: int64(from + i), Assigned: true}, Raw: fmt.Appendf(nil, "frame %d", from+i), Reason: "no twin is known for device reference " + string(ref)})
	}
	res, err := p.Part("connector", "op-1").Ingest(context.Background(), telemetry.Batch{Gateway: "op-1", Messages: batch})
	if err != nil || res.Outcomes[0] != telemetry.Parked {
		p.t.Fatal(res, err)
	}
}

// Messages that belong to no twin are listed and deleted by maintainers, by reference, by age or all of them.
func TestDeletingParkedMessagesOfNoTwin(t *testing.T) {
	p := newMaker(t)
	p.tells(1, "r-1", "r-2", "r-1")
	p.fails(words("twin parked --no-twin --ref r-1 --delete"), "maintainer")
	p.login("admin")
	p.does(words("twin parked --no-twin --ref r-1"), "", "REFERENCE", "r-1", "frame 1", "frame 3")
	p.does(words("twin parked --no-twin --ref r-1 --delete"), "", "2 messages deleted")
	p.does(words("twin parked --no-twin --older-than 30000d --delete"), "", "0 messages deleted")
	p.does(words("twin parked --no-twin --ref 70b3d57ed0000001 --delete"), "", "0 messages deleted", "No message of reference 70b3d57ed0000001 is kept; see REFERENCE in castor twin parked --no-twin")
	p.does(words("twin parked --no-twin --ref r-2 --older-than 30000d --delete"), "", "No message older than 30000d of reference r-2 is kept")
	p.does(words("twin parked --no-twin --ref r-9"), "", "No message of reference r-9 is kept")
	p.does(words("twin parked --no-twin --all --delete -o json"), "", `"deleted": 1`)
	for want, typed := range map[string]string{
		"--delete goes with --no-twin": "twin parked pump-1 --delete",
		"go with --no-twin":            "twin parked pump-1 --ref r-1",
		"go with --delete":             "twin parked --no-twin --all",
		"say which are to be deleted":  "twin parked --no-twin --delete",
		"or --all alone":               "twin parked --no-twin --delete --all --ref r-1",
		"device reference":             "twin parked --no-twin --ref ../x",
	} {
		p.fails(words(typed), want)
	}
}

// The question says the age as people say it.
func TestAnAgeIsShownAsItIsSaid(t *testing.T) {
	for typed, want := range map[string]string{"7d": "7d", "168h": "7d", "12h": "12h", "36h": "36h", "90m": "1h30m", "10m": "10m", "45s": "45s", "1h0m5s": "1h0m5s", "1500ms": "1.5s", "0s": "0s", "90s": "1m30s", "24h10m": "24h10m"} {
		d, err := parseDuration(typed)
		if got := durationWord(d); err != nil || got != want {
			t.Errorf("%s is shown as %s, want %s: %v", typed, got, want, err)
		}
		if back, err := parseDuration(durationWord(d)); err != nil || back != d {
			t.Errorf("%s is read as %s: %v", durationWord(d), back, err)
		}
	}
	if got := fmt.Sprint(&ofNoTwin{older: 7 * 24 * time.Hour, ref: "r-1"}); got != "messages that belong to no twin, of reference r-1, older than 7d" {
		t.Error(got)
	}
}

// What a device sent before it had its twin becomes the twin's, to be read by a redrive.
func TestTwinAdopt(t *testing.T) {
	p := newMaker(t)
	p.login("admin")
	p.tells(1, "device-of-th-1", "device-of-th-1", "r-2")
	p.does(words("type create therm --owner press"), "")
	if _, err := p.Admin().CreateTwin(context.Background(), api.NewTwin{ID: "th-1", Kind: twin.Instance, Definition: twin.Definition{Type: "therm", Owner: "press"}}); err != nil {
		t.Fatal(err)
	}
	p.fails(words("twin adopt th-1"), "has no device; bring it in first")
	p.Enrol("op-1", 1, "th-1")
	p.does(words("twin adopt th-1"), "", "2 messages of reference device-of-th-1 adopted by th-1", "castor driver redrive --twin th-1")
	p.does(words("twin parked th-1"), "", "frame 1", "frame 2", "had no twin when it came")
	p.does(words("twin adopt th-1"), "", "0 messages", "Nothing is kept of its device")
	p.does(words("twin adopt th-1 -o json"), "", `"adopted": 0`)
	p.does(words("twin parked --no-twin"), "", "frame 3")
	p.fails(words("twin adopt nobody"), "nobody")
}
