package twincommand_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
)

// Whatever is sent, by whomever, is answered as the sender's fault: never a 500.
func TestHostileInput(t *testing.T) {
	w := start(t, "valve-1")
	w.connect("valve-1", "s1", true)
	n := w.send(api.NewCommand{Twin: "valve-1", Name: "open"})
	connector, events := w.connector, w.Part("events", "")
	bodies := map[string]string{
		"nothing": "", "not JSON": "{", "an array": "[1,2]", "null": "null", "two values": "{}{}", "a number": "1e400",
		"wrong types":     `{"twin":7,"name":[],"input":1,"timeout":5,"gateway":{},"holder":1,"devices":"x","deliveries":{}}`,
		"bad UTF-8":       "{\"twin\":\"valve-1\",\"name\":\"open\",\"input\":\"\xff\xfe\"}",
		"control letters": `{"twin":"valve-1","name":"op\u0000en","key":"\u001b[2J","gateway":"gw-1","holder":"\u0007","devices":[],"deliveries":[]}`,
		"deep nesting":    `{"twin":"valve-1","name":"open","input":` + strings.Repeat(`[`, 5_000) + strings.Repeat("]", 5_000) + `}`,
		"huge":            `{"twin":"valve-1","name":"open","input":"` + strings.Repeat("x", 70_000) + `"}`,
		"very huge":       `{"twin":"valve-1","name":"open","input":"` + strings.Repeat("x", 2<<20) + `"}`,
		"a far deadline":  `{"twin":"valve-1","name":"open","timeout":"2562047h"}`,
		"no time":         `{"twin":"valve-1","name":"open","timeout":"1ns"}`,
		"less than none":  `{"twin":"valve-1","name":"open","timeout":"-1m"}`,
		"a path as name":  `{"twin":"valve-1","name":"../open"}`,
		"a path as twin":  `{"twin":"../valve-1","name":"open"}`,
		"a path as key":   `{"twin":"valve-1","name":"open","key":"../x"}`,
		"a type":          `{"twin":"valve","name":"open"}`,
		"many devices":    `{"gateway":"gw-1","holder":"x","devices":[` + strings.TrimSuffix(strings.Repeat(`{"twin":"valve-1","session":"s1","commands":null},`, 201), ",") + `]}`,
		"many commands":   `{"gateway":"gw-1","holder":"x","devices":[{"twin":"valve-1","session":"s9","commands":["` + strings.Repeat("x", 70_000) + `"]}]}`,
		"paths as ids":    `{"gateway":"gw-1","holder":"x","devices":[{"twin":"valve-1","session":"s1","commands":["../x","\u0000"]}],"deliveries":[{"command":"../x","lease":1,"sent":true}]}`,
	}
	for call, as := range map[string]*api.Client{
		"POST /commands": w.owner, "POST /commands/" + n.ID + "x/cancel": w.owner, "POST /lease": connector, "POST /deliveries": connector,
		"POST /events": events, "POST /schedule": events, "PUT /commands": w.owner,
		"GET /commands?twin=..%2F": w.owner, "GET /commands?twin=valve-1&cursor=%00": w.owner, "GET /commands?twin=valve-1&limit=0": w.owner,
		"GET /commands?twin=valve-1&state=%ff": w.owner, "GET /commands/%00": w.owner, "GET /commands/..%2F..": w.owner, "GET /commands/cmd-%ff": w.owner,
		"GET /commands/" + strings.Repeat("x", 2000): w.owner, "GET /nothing": w.owner,
	} {
		method, path, _ := strings.Cut(call, " ")
		for what, body := range bodies {
			if method == "GET" && what != "nothing" {
				continue
			}
			resp, err := as.Do(w.ctx, method, "twin-command", path, http.Header{"Content-Type": {"application/json"}}, api.Raw{ContentType: "application/json", Body: []byte(body)})
			if err == nil {
				resp.Body.Close()
				if path == "/commands" || path != "/lease" && path != "/events" {
					t.Errorf("%s with %s was taken", call, what)
				}
				continue
			}
			if p := new(api.Problem); !errors.As(err, &p) || p.Status >= 500 || p.Detail == "" {
				t.Errorf("%s with %s: %v", call, what, err)
			}
		}
	}
	// Events that make no sense are not delivered again for ever.
	for _, data := range []any{nil, 7, api.CommandAnswered{Twin: "valve-1", Command: n.ID, Record: "no such record"}, api.CommandAnswered{Record: "\x00"}} {
		w.must(w.Event("twin-command", event.New("e", event.CommandAnswered, "valve-1", noon, data)))
	}
	if x := w.get(n.ID); x.State != api.CommandQueued || x.Attempts != 0 {
		t.Errorf("after all that the command is %+v", x)
	}
}

// A device cannot answer for another.
func TestADeviceAnswersForItselfOnly(t *testing.T) {
	w := start(t, "valve-1", "valve-2")
	w.connect("valve-1", "s1", true)
	n := w.send(api.NewCommand{Twin: "valve-1", Name: "open", Timeout: twin.Duration(time.Hour)})
	w.report("c1", w.lease("c1", "valve-1", "s1", n.ID)[0], true)
	w.say(responseTo("valve-2", n.ID, w.Now()))
	if got := w.answers(); len(got) > 0 {
		t.Errorf("twin-ingest tells of the answer of a device that was not asked: %+v", got)
	}
	// Even if it were told.
	page, err := w.owner.ListCommands(w.ctx, api.CommandQuery{Twin: "valve-1"})
	w.must(err)
	w.answer("valve-1", n.ID, true, 9)
	e := w.answers()[0]
	var d api.CommandAnswered
	w.must(e.Decode(&d))
	m := w.send(api.NewCommand{Twin: "valve-1", Name: "open", Timeout: twin.Duration(time.Hour)})
	w.report("c1", w.lease("c1", "valve-1", "s1", m.ID)[0], true)
	d.Command = m.ID // with the record of another command's answer
	e.Data, err = json.Marshal(d)
	w.must(err)
	w.must(w.Event("twin-command", e))
	if x := w.get(m.ID); x.State != api.CommandSent {
		t.Errorf("an answer to %s ended %s as %s (of %d)", n.ID, m.ID, x.State, len(page.Items))
	}
}

// A driver that wants whatever it can get leaves room for people's commands, and takes none for long.
func TestDriversLeaveRoom(t *testing.T) {
	w := start(t, "valve-1")
	_, err := w.twins.Update(w.ctx, "valve", func(v *twin.Twin) error {
		v.Definition.Model.Driver, v.Definition.Model.Reacts = "acme", true
		return nil
	})
	w.must(err)
	asks := func(n int, timeout time.Duration) error {
		_, err := w.Part("drivers", "").SendCommand(w.ctx, api.NewCommand{Twin: "valve-1", Name: "open", Key: fmt.Sprint("event-", n), By: "driver:acme@1.0.0", Timeout: twin.Duration(timeout)})
		return err
	}
	if err := asks(0, time.Hour+time.Second); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), "must be 1s to 1h") {
		t.Errorf("a driver's command may wait for more than an hour: %v", err)
	}
	for n := range 16 {
		w.must(asks(n, time.Hour))
	}
	if err := asks(16, time.Hour); !errors.Is(err, api.ErrTooMany) || !strings.Contains(err.Error(), "16 may be where a driver asks") {
		t.Errorf("a driver's 17th is: %v", err)
	}
	for range 16 {
		w.send(api.NewCommand{Twin: "valve-1", Name: "close", Timeout: twin.Duration(30 * 24 * time.Hour)})
	}
}
