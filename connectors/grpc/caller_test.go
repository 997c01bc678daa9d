package grpc_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/grpc"
	"github.com/castor-iot/castor/connectors/linktest"
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
	rpc "google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A caller is a device that makes calls of one request and one reply only.
type caller struct {
	*linktest.Caller
	conn   *rpc.ClientConn
	device pb.DeviceClient
	show   linktest.Identity
}

// linger is how long a session outlives its last call in the suite of callers.
const linger = 300 * time.Millisecond

// The suite again, for devices without a stream.
func TestSuiteOfCalls(t *testing.T) {
	linktest.Run(t, linktest.Protocol{
		Start: func(t testing.TB, w *linktest.World, phase string) (string, func()) {
			return start(t, w, phase, func(c *grpc.Config) { c.Gateway.Limits.Linger = linger })
		},
		Dial:       call,
		Secrets:    []device.Kind{device.Token, device.Password, device.APIKey},
		Renews:     true,
		MaxPayload: telemetry.MaxPayload,
		OneByOne:   true,
	})
}

func call(w *linktest.World, address string, id linktest.Identity) (linktest.Device, error) {
	conn, _, err := connection(w, address, id)
	if err != nil {
		return nil, err
	}
	c := &caller{Caller: linktest.NewCaller(address+id.Client, linger), conn: conn, device: pb.NewDeviceClient(conn), show: id}
	context.AfterFunc(c.Context, func() { _ = conn.Close() })
	first, cancel := context.WithTimeout(c.Context, linktest.Patience)
	defer cancel()
	err = c.poll(first, 0, rpc.WaitForReady(true))
	for status.Code(err) == codes.Unavailable && first.Err() == nil { // a connection that breaks on a busy machine is no refusal
		select {
		case <-time.After(50 * time.Millisecond):
		case <-first.Done():
		}
		err = c.poll(first, 0, rpc.WaitForReady(true))
	}
	if err != nil {
		c.Leave()
		return nil, err
	}
	c.Poll(func(ctx context.Context) error { return c.poll(ctx, 20) })
	return c, nil
}

func (c *caller) poll(ctx context.Context, wait uint32, options ...rpc.CallOption) error {
	out, err := c.device.Poll(showing(ctx, c.show), &pb.PollRequest{Wait: wait}, options...)
	for _, d := range out.GetDown() {
		switch what := d.What.(type) {
		case *pb.Down_Command:
			c.Tell("command", what.Command.Payload)
		case *pb.Down_Desired:
			c.Tell("delta", what.Desired.Payload)
		case *pb.Down_Move:
			c.Tell("gateway", what.Move.Payload)
		}
	}
	return err
}

// then makes a call in its turn, and again while the gateway says that it may come to something.
func (c *caller) then(do func(ctx context.Context) error) <-chan struct{} {
	return c.Then(func(ctx context.Context) (bool, error) {
		err := do(showing(ctx, c.show))
		switch status.Code(err) {
		case codes.OK:
			return true, nil
		case codes.Unavailable:
			return false, nil
		case codes.Canceled:
			return false, context.Canceled
		}
		return false, err
	})
}

func (c *caller) report(m *pb.Message) <-chan struct{} {
	return c.then(func(ctx context.Context) error {
		out, err := c.device.Report(ctx, &pb.ReportRequest{Message: m})
		if o := out.GetOrder(); err == nil && o != nil {
			c.Tell("ack", fmt.Appendf(nil, `{"epoch":%d,"seq":%d}`, o.Epoch, o.Seq))
		}
		return err
	})
}

func (c *caller) Publish(kind telemetry.Kind, payload []byte) <-chan struct{} {
	return c.report(messageOf(kind, payload))
}

func (c *caller) Answer(command string, payload []byte) <-chan struct{} {
	return c.report(&pb.Message{Kind: pb.Message_RESPONSE, Word: command, Payload: payload})
}

func (c *caller) Confirm() <-chan struct{} {
	return c.then(func(ctx context.Context) error {
		_, err := c.device.Confirm(ctx, &pb.ConfirmRequest{})
		return err
	})
}

func (c *caller) ConfirmCredential() <-chan struct{} {
	return c.then(func(ctx context.Context) error {
		_, err := c.device.ConfirmCredential(ctx, &pb.ConfirmCredentialRequest{})
		return err
	})
}

func (c *caller) Foreign(other string, payload []byte) <-chan struct{} {
	return (&client{conn: c.conn}).Foreign(other, payload)
}

func (c *caller) Renew(payload []byte) {
	(&client{conn: c.conn, ctx: showing(c.Context, c.show), tells: c.Tell}).Renew(payload)
}

func (c *caller) Request(string, []byte) {} // what provisions has a stream of answers

// A device without a stream is told what was parked, and what waits for it; with one it does not poll.
func TestReplies(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "operational", secrets)
	c, ctx := admitted(t, w, address, w.AdmitSecret("p-1", device.Token))
	out, err := c.Report(ctx, &pb.ReportRequest{Message: &pb.Message{Kind: pb.Message_TELEMETRY, Payload: []byte(`[{"epoch":1,"seq":2,"data":5},{"epoch":1,"seq":3,"data":{"rpm":1}}]`)}})
	if err != nil || out.Parked != 1 || out.Reason != "undecodable" || out.Detail == "" || out.Order.GetSeq() != 3 {
		t.Errorf("what cannot be decoded is answered %v, %v", out, err)
	}
	if _, err := c.Poll(ctx, &pb.PollRequest{Wait: 61}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a poll of 61 s: %v", err)
	}
	began := time.Now()
	if out, err := c.Poll(ctx, &pb.PollRequest{}); err != nil || len(out.Down) != 0 || time.Since(began) > 5*time.Second {
		t.Errorf("a poll of nothing: %v, %v", out, err)
	}
	stream, err := c.Connect(ctx)
	if err == nil {
		_, err = stream.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Poll(ctx, &pb.PollRequest{Wait: 10}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("a poll beside a stream: %v", err)
	}
}
