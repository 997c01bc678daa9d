package local_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/infra/local"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
	"github.com/nats-io/nats.go"
)

// A guest does on the bus what a gateway does, and nothing else: it neither reads other gateways' buckets and downlinks, nor tells
// what it has no business with, nor hears what others are answered.
func TestAGuestKeepsToItsScope(t *testing.T) {
	scope := bus.Scope{User: "op-2", Gateway: "op-2", Peers: "gateway-op-2", Bucket: "gateway_op-2",
		Watches: []event.Topic{event.CredentialChanged}}
	n := startNATS(t, local.NATSConfig{Dir: t.TempDir(), Listen: "127.0.0.1:0", Guests: func(user, password string) (bus.Scope, bool) {
		return scope, user == "op-2" && password == "secret"
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	host, err := n.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	for _, name := range []string{"gateway_op-1", "gateway_op-2"} {
		k, err := host.Bucket(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Put(ctx, "device:1", []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, wrong := range []bus.Option{bus.User("op-2", "other"), bus.User("op-1", "secret"), bus.Token("secret"), bus.Name("nobody")} {
		if b, err := bus.Connect(ctx, n.URL(), wrong); err == nil {
			t.Error("who is no guest is let in")
			b.Close()
		}
	}
	guest, err := bus.Connect(ctx, n.URL(), bus.User("op-2", "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()

	// What a gateway does.
	if err := guest.Ping(ctx); err != nil {
		t.Error(err)
	}
	own, err := guest.Bucket(ctx, "gateway_op-2")
	if err != nil {
		t.Fatal(err)
	}
	if e, err := own.Get(ctx, "device:1"); err != nil || string(e.Value) != "gateway_op-2" {
		t.Errorf("it reads %q, %v of its bucket", e.Value, err)
	}
	watching, stop := context.WithCancel(ctx)
	told := make(chan bus.Entry, 8)
	ended := make(chan error, 1)
	go func() { ended <- own.Watch(watching, func(e bus.Entry) { told <- e }) }()
	for _, want := range []string{"device:1", ""} {
		select {
		case e := <-told:
			if e.Key != want {
				t.Errorf("it is told of %q, not %q", e.Key, want)
			}
		case <-ctx.Done():
			t.Fatal("it is not told of its bucket")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	heard := make(chan bus.Downlink, 1)
	end, err := guest.Downlinks("op-2", func(d bus.Downlink) { heard <- d })
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if err := host.Send(ctx, bus.Downlink{Gateway: "op-2", Device: "d", Topic: "castor/d/command", ID: "1"}); err != nil {
		t.Errorf("a downlink is not answered: %v", err)
	}
	changed := make(chan event.Event, 1)
	end, err = guest.Watch([]event.Topic{event.CredentialChanged}, func(e event.Event) { changed <- e }, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if err := host.Publish(ctx, event.New("c-1", event.CredentialChanged, "", time.Now(), nil)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	case <-ctx.Done():
		t.Error("it does not hear of credentials")
	}

	// What it has no business with. The server does not answer, so little time is given.
	refused := func(what string, do func(context.Context) error) {
		t.Helper()
		brief, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		if do(brief) == nil {
			t.Errorf("a guest may %s", what)
		}
	}
	refused("open another gateway's bucket", func(ctx context.Context) error { _, err := guest.Bucket(ctx, "gateway_op-1"); return err })
	refused("make a bucket", func(ctx context.Context) error { _, err := guest.Bucket(ctx, "gateway_op-3"); return err })
	refused("write into its bucket", func(ctx context.Context) error { _, err := own.Put(ctx, "device:2", nil); return err })
	for _, topic := range []event.Topic{event.AlarmRaised, event.GatewayApplied, event.CredentialChanged} {
		refused("publish "+string(topic), func(ctx context.Context) error {
			return guest.Publish(ctx, event.New("x-1", topic, "", time.Now(), nil))
		})
	}
	refused("take events", func(ctx context.Context) error {
		var took atomic.Bool
		err := guest.Consume(ctx, bus.Consumer{Name: "thief", Topics: []event.Topic{event.GatewayApplied}}, func(context.Context, []event.Event) error {
			took.Store(true)
			return nil
		})
		if took.Load() {
			return nil
		}
		return errors.Join(err, errors.New("nothing came"))
	})
	raw, err := nats.Connect(n.URL(), nats.UserInfo("op-2", "secret"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	var overheard atomic.Int64
	for _, subject := range []string{">", "castor.downlink.op-1", "castor.event.alarm.raised", "_INBOX.>", "$KV.>"} {
		if _, err := raw.Subscribe(subject, func(*nats.Msg) { overheard.Add(1) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := raw.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := host.Send(ctx, bus.Downlink{Gateway: "op-1", Device: "d", Topic: "castor/d/command", ID: "1"}); !errors.Is(err, bus.ErrNoListener) {
		t.Errorf("a guest takes another gateway's downlinks: %v", err)
	}
	if err := host.Publish(ctx, event.New("r-1", event.AlarmRaised, "", time.Now(), nil)); err != nil {
		t.Fatal(err)
	}
	if err := raw.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := overheard.Load(); n != 0 {
		t.Errorf("a guest has overheard %d messages", n)
	}
}
