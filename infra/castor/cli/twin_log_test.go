package cli

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// A twin's log is read as a log: newest last, of an app, of a level or worse.
func TestTwinLog(t *testing.T) {
	p := newPerson(t)
	p.login(functiontest.Admin)
	p.does(words("group create press"), "")
	p.does(words("twin apply -f -"), "id: pump\nkind: type\ndefinition: {owner: press}\n---\nid: pump-7\nkind: instance\ndefinition: {type: pump, owner: press}\n", "created")
	p.fails(words("twin log pump-7 --level loud"), "--level", "debug, info, warn, error")
	if _, hints, err := p.castor("", words("twin log pump-7")...); err != nil || !strings.Contains(hints, "no such records") {
		t.Errorf("an empty log: %q %v", hints, err)
	}
	p.Enrol("op-1", 1, "pump-7")
	var b []telemetry.Message
	for i, l := range []struct{ level, app, text string }{{"info", "driver", "one"}, {"error", "motor", "two"}, {"warn", "driver", "three"}} {
		at := start.Add(time.Duration(i-10) * time.Second)
		b = append(b, telemetry.Message{Twin: "pump-7", Generation: 1, Kind: telemetry.Log, Time: at, Received: at, Order: twin.Order{Epoch: 1, Seq: int64(i+1) * 1024, Assigned: true}, Gateway: "op-1",
			Samples: []telemetry.Sample{{Property: "app", Value: l.app}, {Property: "level", Value: l.level}, {Property: "text", Value: l.text}}})
	}
	if _, err := p.Part("connector", "op-1").Ingest(context.Background(), telemetry.Batch{Gateway: "op-1", Messages: b}); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{"": "one two three", " --app driver": "one three", " --level warn": "two three", " --limit 1": "three", " --app motor -o json": "two"} {
		out := p.does(words("twin log pump-7"+args), "")
		if got := regexp.MustCompile(`\b(one|two|three)\b`).FindAllString(out, -1); !slices.Equal(got, words(want)) {
			t.Errorf("twin log%s:\n%s\nwant %s", args, out, want)
		}
	}
	if _, hints, err := p.castor("", words("twin log pump-7 --app gone")...); err != nil || !strings.Contains(hints, "lines of: driver, motor") {
		t.Errorf("an app that says nothing: %q %v", hints, err)
	}
}

// A payload is shown as castor driver run takes it.
func TestPayload(t *testing.T) {
	for want, raw := range map[string]string{"0899640a": "\x08\x99\x64\n", `{"POWER":"ON"}`: `{"POWER":"ON"}`, "": "", strings.Repeat("ff", 64) + "…": strings.Repeat("\xff", 65)} {
		if got := payload([]byte(raw)); got != want {
			t.Errorf("%q is shown as %q, want %q", raw, got, want)
		}
	}
}
