package mqtt_test

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/castor-iot/castor/connectors/linktest"
	paho "github.com/eclipse/paho.mqtt.golang"
)

// A firmware is a device with topics of its own, on paho, as its makers' code uses its library: it subscribes to one filter at a time, and
// keeps its session.
type firmware struct {
	paho.Client
	conn     net.Conn
	messages chan linktest.Message
	gone     chan struct{}
	once     sync.Once
}

func legacy(w *linktest.World, address string, id linktest.Identity, will linktest.Saying) (linktest.Legacy, error) {
	f := &firmware{messages: make(chan linktest.Message, 1000), gone: make(chan struct{})}
	o := paho.NewClientOptions().AddBroker("tls://" + address).SetClientID(id.Client).SetUsername(id.User).SetPassword(id.Password)
	o.SetWill(will.Topic, will.Payload, will.QoS, will.Retain).SetCleanSession(false)
	o.SetTLSConfig(w.CA.Client(id)).SetProtocolVersion(4).SetAutoReconnect(false).SetConnectRetry(false).SetOrderMatters(true)
	o.SetConnectTimeout(linktest.Patience).SetKeepAlive(30 * time.Second)
	o.SetConnectionLostHandler(func(paho.Client, error) { f.leave() })
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
		f.messages <- linktest.Message{Name: m.Topic(), Payload: m.Payload()}
	})
	o.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) {
		raw, err := net.DialTimeout("tcp", address, linktest.Patience)
		if err != nil {
			return nil, err
		}
		f.conn = raw
		secure := tls.Client(raw, w.CA.Client(id))
		return secure, secure.Handshake()
	})
	f.Client = paho.NewClient(o)
	if err := wait(f.Connect()); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *firmware) Say(topic string, payload []byte, qos byte, retain bool) <-chan struct{} {
	acknowledged, token := make(chan struct{}), f.Client.Publish(topic, qos, retain, payload)
	go func() {
		<-token.Done()
		if token.Error() == nil {
			close(acknowledged)
		}
	}()
	return acknowledged
}

func (f *firmware) Subscribe(filter string) (bool, error) {
	token := f.Client.Subscribe(filter, 1, nil)
	err := wait(token)
	select {
	case <-token.Done(): // else the answer may come while it is looked at
		if s, ok := token.(*paho.SubscribeToken); ok && s.Result()[filter] == 0x80 {
			return false, nil
		}
	default:
	}
	if err != nil {
		return false, err
	}
	if !f.IsConnected() {
		return false, errors.New("the connection has ended")
	}
	return true, nil
}

func (f *firmware) Messages() <-chan linktest.Message { return f.messages }
func (f *firmware) Gone() <-chan struct{}             { return f.gone }
func (f *firmware) leave()                            { f.once.Do(func() { close(f.gone) }) }

func (f *firmware) Close() {
	f.Disconnect(100)
	f.leave()
}

func (f *firmware) Cut() {
	if f.conn != nil {
		_ = f.conn.Close()
	}
	f.leave()
}
