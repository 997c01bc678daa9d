package local_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/castor-iot/castor/infra/local"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
	"github.com/nats-io/nats.go"
)

// A guest is told of its bucket as others are, at once and in order, though it may make no consumer: one that delivers to another's
// subject, or to the server's own interface, would act with the server's rights.
func TestAGuestReadsItsBucketWithoutAConsumer(t *testing.T) {
	n := startNATS(t, local.NATSConfig{Dir: t.TempDir(), Listen: "127.0.0.1:0", Guests: func(user, password string) (bus.Scope, bool) {
		return bus.Scope{User: "op-2", Gateway: "op-2", Peers: "gateway-op-2", Bucket: "gateway_op-2", Watches: []event.Topic{event.CredentialChanged}}, user == "op-2"
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	host, err := n.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	theirs, err := host.Bucket(ctx, "gateway_op-2")
	if err != nil {
		t.Fatal(err)
	}
	const keys = 600 // more than are read at once
	for i := range keys {
		if _, err := theirs.Put(ctx, fmt.Sprintf("client.%d", i), []byte("in")); err != nil {
			t.Fatal(err)
		}
	}
	guest, err := bus.Connect(ctx, n.URL(), bus.User("op-2", "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()
	own, err := guest.Bucket(ctx, "gateway_op-2")
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan bus.Entry, keys+100)
	ended := make(chan error, 1)
	watching, stop := context.WithCancel(ctx)
	go func() { ended <- own.Watch(watching, func(e bus.Entry) { told <- e }) }()
	next := func() (e bus.Entry) {
		t.Helper()
		select {
		case e = <-told:
		case <-ctx.Done():
			t.Fatal("it is not told")
		}
		return e
	}
	for i := range keys {
		if e := next(); e.Key != fmt.Sprintf("client.%d", i) || string(e.Value) != "in" || e.Deleted {
			t.Fatalf("the %d. it is told is %+v", i, e)
		}
	}
	if e := next(); !e.Ready {
		t.Fatalf("it is told %+v, not that this was all", e)
	}
	for i := range 50 {
		begun := time.Now()
		revision, err := theirs.Put(ctx, "client.1", fmt.Append(nil, i))
		if err != nil {
			t.Fatal(err)
		}
		if e := next(); e.Key != "client.1" || string(e.Value) != fmt.Sprint(i) || e.Revision != revision {
			t.Fatalf("it is told %+v of change %d", e, i)
		}
		if d := time.Since(begun); d > 4*time.Second {
			t.Errorf("it is told after %s", d)
		}
	}
	if _, err := theirs.Delete(ctx, "client.1"); err != nil {
		t.Fatal(err)
	}
	if e := next(); e.Key != "client.1" || !e.Deleted || len(e.Value) > 0 {
		t.Errorf("it is told %+v of a deletion", e)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	raw, err := nats.Connect(n.URL(), nats.UserInfo("op-2", "secret"), nats.CustomInboxPrefix("_INBOX.op-2"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for _, create := range []string{"CREATE.KV_gateway_op-2.thief", "CREATE.KV_gateway_op-2", "DURABLE.CREATE.KV_gateway_op-2.thief"} {
		m, err := raw.Request("$JS.API.CONSUMER."+create, []byte(`{"stream_name":"KV_gateway_op-2","config":{"name":"thief","deliver_subject":"castor.event.twin.deleted","ack_policy":"none","deliver_policy":"all"}}`), 300*time.Millisecond)
		if !errors.Is(err, nats.ErrTimeout) {
			t.Errorf("%s is answered: %v, %v", create, m, err)
		}
	}
}
