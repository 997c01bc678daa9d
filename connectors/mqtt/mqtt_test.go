package mqtt_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/gateway/gatewaytest"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/connectors/mqtt"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/shared/telemetry"
	paho "github.com/eclipse/paho.mqtt.golang"
)

func TestSuite(t *testing.T) {
	linktest.Run(t, linktest.Protocol{
		Start:      start,
		Dial:       dial,
		Legacy:     legacy,
		Provisions: true,
		Secrets:    []device.Kind{device.Password, device.Token, device.APIKey},
		Renews:     true,
		Knocks:     true,
		MaxPayload: telemetry.MaxPayload,
	})
}

func start(t testing.TB, w *linktest.World, phase string) (address string, stop func()) {
	t.Helper()
	return startWith(t, w, mqtt.Config{Gateway: gatewaytest.Config(t, w, phase)})
}

// startWith runs what c says, on the world's platform.
func startWith(t testing.TB, w *linktest.World, c mqtt.Config) (address string, stop func()) {
	t.Helper()
	workers, err := sandbox.New(sandbox.Config{Log: linktest.Quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workers.Close)
	c.API, c.Drivers = w.API, workers
	m, err := mqtt.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m.Addr().String(), linktest.Go(t, m.Run)
}

// A client is a device on paho, which stays disconnected when it is.
type client struct {
	paho.Client
	ref      string
	conn     net.Conn
	messages chan linktest.Message
	gone     chan struct{}
	once     sync.Once
}

func dial(w *linktest.World, address string, id linktest.Identity) (linktest.Device, error) {
	c := &client{ref: id.Client, messages: make(chan linktest.Message, 10_000), gone: make(chan struct{})}
	if id.User == "" && id.Password != "" {
		id.User = id.Client // MQTT has no password without a user name
	}
	o := paho.NewClientOptions().AddBroker("tls://" + address).SetClientID(id.Client).SetUsername(id.User).SetPassword(id.Password)
	o.SetTLSConfig(w.CA.Client(id)).SetProtocolVersion(4).SetAutoReconnect(false).SetConnectRetry(false).SetOrderMatters(true)
	o.SetConnectTimeout(linktest.Patience).SetKeepAlive(30 * time.Second)
	o.SetConnectionLostHandler(func(paho.Client, error) { c.leave() })
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
		c.messages <- linktest.Message{Name: name(m.Topic()), Payload: m.Payload()}
	})
	o.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) {
		raw, err := net.DialTimeout("tcp", address, linktest.Patience)
		if err != nil {
			return nil, err
		}
		c.conn = raw
		secure := tls.Client(raw, w.CA.Client(id))
		return secure, secure.Handshake()
	})
	c.Client = paho.NewClient(o)
	if err := wait(c.Connect()); err != nil {
		return nil, err
	}
	filters := map[string]byte{
		fmt.Sprintf("castor/%s/ack", c.ref): 1, fmt.Sprintf("castor/%s/state/delta", c.ref): 1, fmt.Sprintf("castor/%s/command/+", c.ref): 1,
		fmt.Sprintf("castor/%s/credential/renewed", c.ref): 1, fmt.Sprintf("castor/%s/gateway", c.ref): 1,
	}
	if !id.Operational {
		filters = map[string]byte{fmt.Sprintf("castor/provision/%s/+", c.ref): 1}
	}
	if err := wait(c.SubscribeMultiple(filters, nil)); err != nil {
		c.Cut()
		return nil, err
	}
	return c, nil
}

func wait(t paho.Token) error {
	if !t.WaitTimeout(linktest.Patience) {
		return fmt.Errorf("no answer")
	}
	return t.Error()
}

// name is what a message is to the suite: the last part of its topic, but the group for commands.
func name(topic string) string {
	parts := strings.Split(topic, "/")
	if len(parts) == 4 && parts[2] == "command" {
		return "command"
	}
	return parts[len(parts)-1]
}

func (c *client) publish(topic string, payload []byte) <-chan struct{} {
	stored, token := make(chan struct{}), c.Client.Publish(topic, 1, false, payload)
	go func() {
		<-token.Done()
		if token.Error() == nil { // it has one when the connection is lost, because the client does not reconnect
			close(stored)
		}
	}()
	return stored
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

func (c *client) Request(kind string, payload []byte) {
	c.publish("castor/provision/"+kind+"/request", payload)
}

func (c *client) Renew(payload []byte) { c.publish("castor/"+c.ref+"/credential/renew", payload) }

func (c *client) ConfirmCredential() <-chan struct{} {
	return c.publish("castor/"+c.ref+"/credential/confirm", []byte("{}"))
}

func (c *client) Knock(payload []byte) { c.publish("castor/provision/knock", payload) }

func (c *client) Foreign(other string, payload []byte) <-chan struct{} {
	return c.publish("castor/"+other+"/telemetry", payload)
}

func (c *client) Messages() <-chan linktest.Message { return c.messages }
func (c *client) Gone() <-chan struct{}             { return c.gone }
func (c *client) leave()                            { c.once.Do(func() { close(c.gone) }) }

func (c *client) Close() {
	c.Disconnect(100)
	c.leave()
}

func (c *client) Cut() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
	c.leave()
}
