package bridge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/gateway/configurator"
	"github.com/castor-iot/castor/connectors/gateway/mosquitto"
	"github.com/castor-iot/castor/connectors/gateway/mosquitto/mosquittotest"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/connectors/mqtt/bridge"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/ports"
	paho "github.com/eclipse/paho.mqtt.golang"
)

// TestSuite runs the suite of the connectors on a real mosquitto. What a device takes for the acknowledgement is castor/{ref}/ack.
func TestSuite(t *testing.T) {
	linktest.Run(t, linktest.Protocol{Start: start, Dial: dial, MaxPayload: telemetry.MaxPayload, Brokered: true})
}

func start(t testing.TB, w *linktest.World, phase string) (address string, stop func()) {
	t.Helper()
	b, stop := begin(t, w, phase)
	return b.Certs, stop
}

// begin starts a mosquitto with its configurator and its bridge.
func begin(t testing.TB, w *linktest.World, phase string) (b *mosquittotest.Broker, stop func()) {
	t.Helper()
	w.Fill()
	b = mosquittotest.New(t, w, ports.Free)
	login := mosquitto.Login{URL: "tcp://" + b.Control, User: "admin", Password: b.Password}
	control, err := mosquitto.NewControl(login)
	if err != nil {
		t.Fatal(err)
	}
	target := mosquitto.New(mosquitto.Config{Gateway: w.Gateway, Control: control, Revocations: &mosquitto.Revocations{File: b.File("revoked.pem"), Get: w.Revoked, Reload: b.Reload}})
	gateway := api.Gateway{ID: w.Gateway, Phase: phase, Protocol: "mqtt", URL: "tls://" + b.Certs, Contract: "mosquitto"}
	c, err := configurator.New(configurator.Config{Gateway: gateway, Bus: w.Bus, Target: target, Dir: w.Dir, Log: linktest.Quiet})
	if err != nil {
		t.Fatal(err)
	}
	options, err := login.Options("castor-" + w.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	m, err := bridge.New(bridge.Config{Client: options, Gateway: gateway, API: w.API, Bus: w.Bus, Log: linktest.Quiet,
		Alive: func(ctx context.Context) error { _, err := target.State(ctx); return err }})
	if err != nil {
		t.Fatal(err)
	}
	linktest.Eventually(t, "the broker is ours to configure", func() bool { _, err := target.State(t.Context()); return err == nil })
	ctx, cancel := context.WithCancel(context.Background())
	var both sync.WaitGroup
	both.Go(func() { c.Run(ctx) })
	both.Go(func() {
		if err := m.Run(ctx); err != nil {
			t.Errorf("the bridge ended with %v", err)
		}
	})
	linktest.Eventually(t, "the bridge stands", func() bool { return m.Ready() == nil })
	stop = sync.OnceFunc(func() {
		cancel()
		both.Wait()
		control.Close()
		b.Stop()
	})
	t.Cleanup(stop)
	return b, stop
}

// A client is a device that counts its messages and believes castor/{ref}/ack alone.
type client struct {
	paho.Client
	ref      string
	messages chan linktest.Message
	gone     chan struct{}
	leave    func()

	mu      sync.Mutex
	waiting []promise
}

type promise struct {
	order  twin.Order
	stored chan struct{}
}

func dial(w *linktest.World, address string, id linktest.Identity) (linktest.Device, error) {
	c := &client{ref: id.Client, messages: make(chan linktest.Message, 10_000), gone: make(chan struct{})}
	c.leave = sync.OnceFunc(func() { close(c.gone) })
	o := paho.NewClientOptions().AddBroker("tls://" + address).SetClientID(id.Client).SetTLSConfig(w.CA.Client(id)).SetProtocolVersion(4)
	o.SetAutoReconnect(false).SetConnectTimeout(linktest.Patience).SetConnectionLostHandler(func(paho.Client, error) { c.leave() })
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { c.heard(m) })
	c.Client = paho.NewClient(o)
	if err := wait(c.Connect()); err != nil {
		return nil, err
	}
	own := "castor/" + c.ref + "/"
	t := c.SubscribeMultiple(map[string]byte{own + "ack": 1, own + "state/delta": 1, own + "command/+": 1, own + "gateway": 1, own + "credential/renewed": 1}, nil)
	err := wait(t)
	if err == nil { // else the answer may come while it is looked at
		for _, granted := range t.(*paho.SubscribeToken).Result() {
			if granted > 2 {
				err = errors.New("the device may not hear what is for it")
			}
		}
	}
	if err != nil {
		c.Cut()
		<-time.After(20 * time.Millisecond) // as no device would come back at once
		return nil, err
	}
	return c, nil
}

func wait(t paho.Token) error {
	if !t.WaitTimeout(linktest.Patience) { // one broker, which does one thing at a time, is asked by two hundred devices at once
		return errors.New("no answer")
	}
	return t.Error()
}

func (c *client) heard(m paho.Message) {
	name := m.Topic()[strings.LastIndexByte(m.Topic(), '/')+1:]
	if strings.Contains(m.Topic(), "/command/") {
		name = "command"
	}
	var o twin.Order
	if name == "ack" && json.Unmarshal(m.Payload(), &o) == nil {
		c.mu.Lock()
		for i, p := range c.waiting {
			if p.stored != nil && !p.order.After(o) {
				close(p.stored)
				c.waiting[i].stored = nil
			}
		}
		c.mu.Unlock()
	}
	c.messages <- linktest.Message{Name: name, Payload: m.Payload()}
}

// publish promises what the platform says, for messages that are counted; of others the broker's word is all there is.
func (c *client) publish(topic string, payload []byte) <-chan struct{} {
	stored := make(chan struct{})
	newest, counted := order(payload)
	if counted {
		c.mu.Lock()
		c.waiting = append(c.waiting, promise{newest, stored})
		c.mu.Unlock()
	}
	token := c.Client.Publish(topic, 1, false, payload)
	if !counted {
		go func() {
			<-token.Done()
			if token.Error() == nil {
				close(stored)
			}
		}()
	}
	return stored
}

func order(payload []byte) (newest twin.Order, counted bool) {
	var all []twin.Order
	if json.Unmarshal(payload, &all) != nil {
		var one twin.Order
		if json.Unmarshal(payload, &one) != nil {
			return newest, false
		}
		all = []twin.Order{one}
	}
	for _, o := range all {
		if o.After(newest) {
			newest = o
		}
	}
	return newest, newest.Seq > 0
}

func (c *client) Publish(kind telemetry.Kind, payload []byte) <-chan struct{} {
	topic := map[telemetry.Kind]string{telemetry.Telemetry: "telemetry", telemetry.State: "state/reported", telemetry.Event: "event", telemetry.Log: "log/app"}[kind]
	return c.publish("castor/"+c.ref+"/"+topic, payload)
}

func (c *client) Answer(command string, payload []byte) <-chan struct{} {
	return c.publish("castor/"+c.ref+"/command/"+command+"/response", payload)
}

func (c *client) Confirm() <-chan struct{} {
	return c.publish("castor/"+c.ref+"/provision/confirm", []byte("{}"))
}
func (c *client) Request(string, []byte) {}

func (c *client) Foreign(other string, payload []byte) <-chan struct{} {
	return c.publish(fmt.Sprintf("castor/%s/telemetry", other), payload)
}

func (c *client) Messages() <-chan linktest.Message { return c.messages }
func (c *client) Gone() <-chan struct{}             { return c.gone }
func (c *client) Close()                            { c.Disconnect(100); c.leave() }
func (c *client) Cut()                              { c.Disconnect(0); c.leave() }

// What the suite leaves out for a broker of somebody else's: nothing is lost of it, the device is only not told.
func TestWhatIsNotCountedIsBroughtAllTheSame(t *testing.T) {
	w := linktest.NewWorld(t)
	address, _ := start(t, w, "operational")
	id := w.AdmitDevice("p-1")
	var d linktest.Device
	linktest.Eventually(t, "the device is let in", func() bool {
		var err error
		d, err = dial(w, address, id)
		return err == nil
	})
	d.Publish(telemetry.Telemetry, []byte(`not json`))
	d.Confirm()
	d.Publish(telemetry.Telemetry, []byte(`{"data":{"text":"`+strings.Repeat("x", telemetry.MaxPayload)+`"}}`))
	d.Publish(telemetry.Telemetry, []byte(`{"data":{"rpm":2}}`))
	linktest.Eventually(t, "what cannot be decoded is parked", func() bool {
		parked := w.Platform.Parked()
		return len(parked) == 1 && string(parked[0].Raw) == "not json"
	})
	linktest.Eventually(t, "the confirmation is taken", func() bool { return len(w.Platform.Confirmed()) == 1 })
	linktest.Eventually(t, "what has no order is stored", func() bool { return len(w.Platform.Stored(linktest.TwinOf("p-1"))) == 1 })
}
