package grpc_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/castor-iot/castor/connectors/linktest"
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/telemetry"
	rpc "google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A client is a device with one call: Connect, or Ask.
type client struct {
	conn     *rpc.ClientConn
	id       linktest.Identity
	ctx      context.Context
	hang     func() // cuts the connection
	messages chan linktest.Message
	gone     chan struct{}
	once     sync.Once

	tells  func(name string, payload []byte) // instead of messages; nil = into messages
	device pb.Device_ConnectClient           // of an operational gateway

	mu      sync.Mutex
	sent    uint64
	waiting []chan struct{} // of reports, in order
	asked   int
}

func dial(w *linktest.World, address string, id linktest.Identity) (linktest.Device, error) {
	conn, cut, err := connection(w, address, id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(showing(context.Background(), id))
	c := &client{conn: conn, id: id, ctx: ctx, messages: make(chan linktest.Message, 10_000), gone: make(chan struct{})}
	c.hang = func() { cut(); cancel() }
	switch {
	case id.Operational:
		err = c.connect()
	case id.User != "":
		err = c.ask("", nil)
	} // else it knocks
	if err != nil {
		c.hang()
		return nil, err
	}
	return c, nil
}

func (c *client) connect() (err error) {
	if c.device, err = pb.NewDeviceClient(c.conn).Connect(c.ctx); err != nil {
		return err
	}
	if _, err := c.device.Recv(); err != nil { // the first, which is empty
		return err
	}
	go c.receive()
	return c.device.Send(&pb.Up{What: &pb.Up_Listen{Listen: &pb.Listen{}}})
}

func (c *client) receive() {
	defer c.leave()
	for {
		down, err := c.device.Recv()
		if err != nil {
			return
		}
		switch what := down.What.(type) {
		case *pb.Down_Stored:
			c.mu.Lock()
			for n := uint64(0); len(c.waiting) > 0 && c.sent-uint64(len(c.waiting)) < what.Stored.Count; n++ {
				close(c.waiting[0])
				c.waiting = c.waiting[1:]
			}
			c.mu.Unlock()
			if o := what.Stored.Order; o != nil {
				c.tell("ack", fmt.Appendf(nil, `{"epoch":%d,"seq":%d}`, o.Epoch, o.Seq))
			}
		case *pb.Down_Command:
			c.tell("command", what.Command.Payload)
		case *pb.Down_Desired:
			c.tell("delta", what.Desired.Payload)
		case *pb.Down_Move:
			c.tell("gateway", what.Move.Payload)
		}
	}
}

func (c *client) tell(name string, payload []byte) {
	if c.tells != nil {
		c.tells(name, payload)
		return
	}
	c.messages <- linktest.Message{Name: name, Payload: payload}
}

func (c *client) report(m *pb.Message) <-chan struct{} {
	stored := make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent++
	c.waiting = append(c.waiting, stored)
	_ = c.device.Send(&pb.Up{What: &pb.Up_Report{Report: m}})
	return stored
}

// messageOf is a message of that kind; a log is that of "app".
func messageOf(kind telemetry.Kind, payload []byte) *pb.Message {
	m := &pb.Message{Payload: payload, Kind: map[telemetry.Kind]pb.Message_Kind{
		telemetry.Telemetry: pb.Message_TELEMETRY, telemetry.State: pb.Message_STATE, telemetry.Event: pb.Message_EVENT, telemetry.Log: pb.Message_LOG,
	}[kind]}
	if kind == telemetry.Log {
		m.Word = "app"
	}
	return m
}

func (c *client) Publish(kind telemetry.Kind, payload []byte) <-chan struct{} {
	return c.report(messageOf(kind, payload))
}

func (c *client) Answer(command string, payload []byte) <-chan struct{} {
	return c.report(&pb.Message{Kind: pb.Message_RESPONSE, Word: command, Payload: payload})
}

// call makes a unary call and closes what it returns when it has succeeded.
func (c *client) call(f func() error) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		if f() == nil {
			close(done)
		}
	}()
	return done
}

func (c *client) Confirm() <-chan struct{} {
	return c.call(func() error {
		_, err := pb.NewDeviceClient(c.conn).Confirm(c.ctx, &pb.ConfirmRequest{})
		return err
	})
}

func (c *client) Foreign(other string, payload []byte) <-chan struct{} {
	return c.call(func() error {
		ctx := showing(context.Background(), linktest.Identity{Client: other})
		_, err := pb.NewDeviceClient(c.conn).Report(ctx, &pb.ReportRequest{Message: &pb.Message{Kind: pb.Message_TELEMETRY, Payload: payload}})
		return err
	})
}

func (c *client) Request(kind string, payload []byte) { _ = c.ask(kind, payload) }

// ask calls Ask in place of the call before, and returns when the gateway has let it in.
func (c *client) ask(kind string, payload []byte) error {
	return c.attend(func(p pb.ProvisioningClient) (rpc.ServerStreamingClient[pb.ProvisionAnswer], error) {
		return p.Ask(c.ctx, &pb.ProvisionRequest{Type: kind, Payload: payload})
	})
}

func (c *client) Knock(payload []byte) {
	_ = c.attend(func(p pb.ProvisioningClient) (rpc.ServerStreamingClient[pb.ProvisionAnswer], error) {
		return p.Knock(c.ctx, &pb.KnockRequest{Payload: payload})
	})
}

func (c *client) attend(call func(pb.ProvisioningClient) (rpc.ServerStreamingClient[pb.ProvisionAnswer], error)) error {
	c.mu.Lock()
	c.asked++
	mine := c.asked
	c.mu.Unlock()
	s, err := call(pb.NewProvisioningClient(c.conn))
	if err != nil {
		return err
	}
	if header, err := s.Header(); err != nil || header == nil {
		_, err := s.Recv()
		return err
	}
	go func() {
		for {
			a, err := s.Recv()
			if err != nil {
				c.mu.Lock()
				newest := c.asked == mine
				c.mu.Unlock()
				if newest {
					c.leave()
				}
				return
			}
			name := map[pb.ProvisionAnswer_Status]string{pb.ProvisionAnswer_ACCEPTED: "accepted", pb.ProvisionAnswer_REJECTED: "rejected"}[a.Status]
			if name == "" {
				name = "status"
			}
			c.tell(name, a.Payload)
		}
	}()
	return nil
}

func (c *client) Renew(payload []byte) {
	go func() {
		reply, err := pb.NewDeviceClient(c.conn).Renew(c.ctx, &pb.RenewRequest{Payload: payload})
		if status.Code(err) == codes.FailedPrecondition {
			reply = &pb.RenewReply{Payload: fmt.Appendf(nil, `{"reason":%q}`, status.Convert(err).Message())}
		}
		c.tell("renewed", reply.GetPayload())
	}()
}

func (c *client) ConfirmCredential() <-chan struct{} {
	return c.call(func() error {
		_, err := pb.NewDeviceClient(c.conn).ConfirmCredential(c.ctx, &pb.ConfirmCredentialRequest{})
		return err
	})
}

func (c *client) Messages() <-chan linktest.Message { return c.messages }
func (c *client) Gone() <-chan struct{}             { return c.gone }
func (c *client) leave()                            { c.once.Do(func() { close(c.gone) }) }

func (c *client) Close() {
	if c.device != nil {
		_ = c.device.CloseSend()
		<-c.gone
	}
	c.Cut()
}

func (c *client) Cut() {
	c.hang()
	c.leave()
}
