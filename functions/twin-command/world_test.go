package twincommand_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	twincommand "github.com/castor-iot/castor/functions/twin-command"
	twiningest "github.com/castor-iot/castor/functions/twin-ingest"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// noon is when the tests begin.
var noon = time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)

// world is the function, and twin-ingest, by which devices and their answers come.
type world struct {
	*functiontest.World
	t         testing.TB
	ctx       context.Context
	twins     *store.Collection[twin.Twin]
	admin     *api.Client
	owner     *api.Client
	connector *api.Client // of gateway gw-1
	answers   func() []event.Event
	taken     int // of answers
}

func start(t testing.TB, twins ...twin.ID) *world {
	t.Helper()
	w := &world{t: t, ctx: context.Background()}
	w.World = functiontest.New(t, functiontest.Functions{"twin-command": twincommand.New, "twin-ingest": twiningest.New})
	var err error
	w.twins, err = platform.OpenTwins(w.ctx, w.Base.DB)
	w.must(err)
	w.must(w.twins.Insert(w.ctx, twin.Twin{ID: "valve", Kind: twin.Type, Definition: twin.Definition{Version: 1, Model: &twin.Model{}}}))
	w.admin = w.Admin()
	w.owner = w.User("olga", []access.Role{access.Owner}, "plant")
	w.connector = w.Part("connector", "gw-1")
	w.answers = w.Collect(event.CommandAnswered)
	w.SetTime(noon)
	w.add(twins...)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// add makes operational twins of group plant.
func (w *world) add(ids ...twin.ID) {
	w.t.Helper()
	for _, id := range ids {
		w.must(w.twins.Insert(w.ctx, twin.Twin{ID: id, Kind: twin.Instance, Created: w.Now().Add(-time.Hour),
			Definition: twin.Definition{Version: 1, Type: "valve", Owner: "plant", Phase: twin.Operational}}))
	}
	w.Enrol("gw-1", 1, ids...)
}

// later moves the clock, and lets the schedule find what has become due.
func (w *world) later(d time.Duration) {
	w.t.Helper()
	w.SetTime(w.Now().Add(d))
	w.must(w.Tick("twin-command", w.Now()))
}

// say hands a message of a device to twin-ingest, and returns what waits for the device.
func (w *world) say(m telemetry.Message) []string {
	w.t.Helper()
	m.Received, m.Gateway = w.Now(), "gw-1"
	r, err := w.connector.Ingest(w.ctx, telemetry.Batch{Gateway: "gw-1", Messages: []telemetry.Message{m}})
	w.must(err)
	if r.Outcomes[0] != telemetry.Stored {
		w.t.Fatalf("message of %s: %s", m.Twin, r.Outcomes[0])
	}
	return r.Commands[m.Twin]
}

// connect begins, or ends, a session of a device.
func (w *world) connect(id twin.ID, session string, on bool) []string {
	return w.say(telemetry.Message{Twin: id, Kind: telemetry.Presence, Session: session, Order: twin.Order{Epoch: w.Now().UnixMilli(), Seq: 1, Assigned: true},
		Samples: []telemetry.Sample{{Property: "connected", Value: on}}})
}

// answer has a device answer, with its own number, and brings the event of it to the function; there is one where the answer counts.
func (w *world) answer(id twin.ID, command string, ok bool, seq int64) {
	w.t.Helper()
	t, err := w.twins.Get(w.ctx, string(id))
	w.must(err)
	published := len(w.answers())
	if t.Commands.Has(command) {
		published++
	}
	w.say(telemetry.Message{Twin: id, Kind: telemetry.Response, Order: twin.Order{Epoch: 1, Seq: seq}, Time: w.Now(),
		Answer: &telemetry.Answer{Command: command, OK: ok, Output: []byte(`{"position":40}`), Reason: "as told"}})
	functiontest.Eventually(w.t, "the answer is published", func() bool { return len(w.answers()) >= published })
	w.must(w.deliver())
}

// deliver hands the answers published since to the function; with none new, the last again.
func (w *world) deliver() error {
	var all []event.Event
	functiontest.Eventually(w.t, "an answer is published", func() bool { all = w.answers(); return len(all) > 0 })
	from := min(w.taken, len(all)-1)
	w.taken = len(all)
	return w.Event("twin-command", all[from:]...)
}

func (w *world) send(in api.NewCommand) api.Command {
	w.t.Helper()
	n, err := w.owner.SendCommand(w.ctx, in)
	w.must(err)
	return n
}

func (w *world) get(id string) api.Command {
	w.t.Helper()
	n, err := w.owner.GetCommand(w.ctx, id)
	w.must(err)
	return n
}

// lease asks as one process of the connector for one device's commands.
func (w *world) lease(holder string, id twin.ID, session string, commands ...string) []api.LeasedCommand {
	w.t.Helper()
	l, err := w.connector.LeaseCommands(w.ctx, api.LeaseCommands{Gateway: "gw-1", Holder: holder,
		Devices: []api.LeaseDevice{{Twin: id, Session: session, Commands: commands}}})
	w.must(err)
	return l.Commands
}

func (w *world) report(holder string, n api.LeasedCommand, sent bool) {
	w.t.Helper()
	w.must(w.connector.ReportDeliveries(w.ctx, api.CommandDeliveries{Gateway: "gw-1", Holder: holder,
		Deliveries: []api.CommandDelivery{{Command: n.ID, Lease: n.Lease, Sent: sent}}}))
}

func (w *world) lists(id twin.ID) string {
	w.t.Helper()
	t, err := w.twins.Get(w.ctx, string(id))
	w.must(err)
	b, err := json.Marshal([][]string{t.Commands.Waiting, t.Commands.Sent, t.Commands.Late})
	w.must(err)
	return string(b)
}

func responseTo(id twin.ID, command string, at time.Time) telemetry.Message {
	return telemetry.Message{Twin: id, Kind: telemetry.Response, Order: twin.Order{Epoch: 1, Seq: 1}, Time: at,
		Answer: &telemetry.Answer{Command: command, OK: true, Output: []byte(`{"position":40}`)}}
}
