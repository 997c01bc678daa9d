package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/castor-iot/castor/shared/twin"
)

// An mqttSession is a session on MQTT. The MQTT client's own reconnecting is not used: it may complete a publication that was never
// acknowledged.
type mqttSession struct {
	agent  *Agent
	client mqtt.Client
	own    string        // "castor/{ref}/"
	broken chan struct{} // closed when the connection broke
	reason error         // set before
}

// connectMQTT logs in and subscribes.
func (a *Agent) connectMQTT(ctx context.Context, address string, l login, h heard) (session, error) {
	settled := func() bool { return true } // set by the client's goroutine before its token completes
	s := &mqttSession{agent: a, own: "castor/" + l.client + "/", broken: make(chan struct{})}
	o := mqtt.NewClientOptions().AddBroker("ssl://" + address).SetClientID(l.client).SetUsername(l.user).SetPassword(l.password)
	o.SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false)
	o.SetConnectTimeout(a.cfg.AnswerTimeout).SetWriteTimeout(a.cfg.AnswerTimeout).SetKeepAlive(30 * time.Second)
	o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
		conn, err := a.secure(ctx, address, l)
		if err != nil {
			return nil, err
		}
		settled = context.AfterFunc(ctx, func() { _ = conn.(interface{ NetConn() net.Conn }).NetConn().Close() })
		return conn, nil
	})
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) {
		s.reason = fmt.Errorf("connection to %s lost: %w", address, err)
		close(s.broken)
	})
	s.client = mqtt.NewClient(o)
	t := s.client.Connect()
	<-t.Done() // bounded by ctx
	err := t.Error()
	if !settled() {
		s.client.Disconnect(0)
		err = ctx.Err()
	}
	if errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword) || errors.Is(err, packets.ErrorRefusedNotAuthorised) {
		err = fmt.Errorf("%w: %w", errRefused, err)
	}
	if err != nil {
		return nil, err
	}
	if err := s.listen(ctx, l, h); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// listen subscribes to what there is to be heard.
func (s *mqttSession) listen(ctx context.Context, l login, h heard) error {
	if h.answer != nil {
		return s.subscribe(ctx, "castor/provision/"+l.client+"/+", func(_ string, payload []byte) { h.answer(payload) })
	}
	err := s.subscribe(ctx, s.own+"ack", func(_ string, payload []byte) {
		var o twin.Order
		if err := json.Unmarshal(payload, &o); err != nil {
			s.agent.cfg.Log.Warn("acknowledgement ignored", "error", err)
			return
		}
		h.stored(o)
	})
	if err != nil {
		return err
	}
	if err := s.subscribe(ctx, s.own+"gateway", func(_ string, payload []byte) { h.move(payload) }); err != nil {
		return err
	}
	return s.subscribe(ctx, s.own+"command/+", func(topic string, payload []byte) {
		h.command(topic[strings.LastIndexByte(topic, '/')+1:], payload)
	})
}

func (s *mqttSession) lost() <-chan struct{} { return s.broken }
func (s *mqttSession) why() error            { return s.reason }
func (s *mqttSession) close()                { s.client.Disconnect(250) }

func (s *mqttSession) ask(ctx context.Context, kind string, payload []byte) error {
	_, err := s.send(ctx, "castor/provision/"+kind+"/request", payload)
	return err
}

func (s *mqttSession) knock(ctx context.Context, payload []byte) error {
	_, err := s.send(ctx, "castor/provision/knock", payload)
	return err
}

func (s *mqttSession) publish(ctx context.Context, topic string, payload []byte) error {
	_, err := s.send(ctx, s.own+topic, payload)
	return err
}

func (s *mqttSession) confirm(ctx context.Context) error {
	return s.tell(ctx, "provision/confirm")
}

func (s *mqttSession) confirmCredential(ctx context.Context) error {
	return s.tell(ctx, "credential/confirm")
}

// tell returns when the gateway has acknowledged something that says all by its topic.
func (s *mqttSession) tell(ctx context.Context, topic string) error {
	t, err := s.send(ctx, s.own+topic, []byte("{}"))
	if err != nil {
		return err
	}
	return s.wait(ctx, t)
}

func (s *mqttSession) renew(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, cancel := s.agent.within(ctx)
	defer cancel()
	answers := make(chan []byte, 1)
	err := s.subscribe(ctx, s.own+"credential/renewed", func(_ string, answer []byte) {
		select {
		case answers <- answer:
		default: // more than was asked for
		}
	})
	if err == nil {
		err = s.publish(ctx, "credential/renew", payload)
	}
	if err != nil {
		return nil, err
	}
	select {
	case answer := <-answers:
		return answer, nil
	case <-s.broken:
		return nil, s.reason
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// wait waits for a token's completion.
func (s *mqttSession) wait(ctx context.Context, t mqtt.Token) error {
	ctx, cancel := s.agent.within(ctx)
	defer cancel()
	select {
	case <-t.Done():
		return t.Error()
	case <-s.broken:
		return s.reason
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// subscribe returns when the gateway has taken the subscription. handle is called for one message at a time and must not
// block.
func (s *mqttSession) subscribe(ctx context.Context, topic string, handle func(topic string, payload []byte)) error {
	t, err := s.hand(ctx, func() mqtt.Token {
		return s.client.Subscribe(topic, 1, func(_ mqtt.Client, m mqtt.Message) { handle(m.Topic(), m.Payload()) })
	})
	if err == nil {
		err = s.wait(ctx, t)
	}
	if err != nil {
		return fmt.Errorf("subscribing: %w", err)
	}
	if granted := t.(*mqtt.SubscribeToken).Result()[topic]; granted > 2 {
		return fmt.Errorf("the gateway refused the subscription to %s", topic)
	}
	return nil
}

// send publishes with QoS 1.
func (s *mqttSession) send(ctx context.Context, topic string, payload []byte) (mqtt.Token, error) {
	return s.hand(ctx, func() mqtt.Token { return s.client.Publish(topic, 1, false, payload) })
}

// hand hands a packet to the client, which goes on waiting, for its write timeout, on a connection that breaks meanwhile;
// this does not.
func (s *mqttSession) hand(ctx context.Context, f func() mqtt.Token) (mqtt.Token, error) {
	taken := make(chan mqtt.Token, 1)
	go func() { taken <- f() }()
	select {
	case t := <-taken:
		return t, nil
	case <-s.broken:
		return nil, s.reason
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
