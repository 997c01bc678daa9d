package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

// mqttWire is docs/devices.md.
type mqttWire struct{}

func (mqttWire) ask(ctx context.Context, to way, claim api.ClaimFile, as twin.TypeID, body any) (api.ProvisionAnswer, error) {
	return mqttAsk(ctx, to, claim.Claim.ID, claim.Token, "castor/provision/"+string(as)+"/request", body)
}

func (mqttWire) knock(ctx context.Context, to way, body any) (api.ProvisionAnswer, error) {
	return mqttAsk(ctx, to, "", "", "castor/provision/knock", body)
}

func (mqttWire) confirm(ctx context.Context, to way, p proof) error {
	return mqttSay(ctx, to, p, "castor/"+string(p.ref)+"/provision/confirm", struct{}{})
}

func (mqttWire) report(ctx context.Context, to way, p proof, ref device.Ref, body any) error {
	return mqttSay(ctx, to, p, "castor/"+string(ref)+"/telemetry", body)
}

// mqttAsk publishes to a provisioning gateway and waits for the answer. A knock's first answer is the one there is.
func mqttAsk(ctx context.Context, to way, user, password, topic string, body any) (last api.ProvisionAnswer, err error) {
	client := strings.ToLower(rand.Text()[:16])
	answers, lost := make(chan api.ProvisionAnswer, 16), make(chan error, 1)
	c, err := mqttDial(ctx, to, proof{user: user, secret: password}, client, lost)
	if err != nil {
		return last, err
	}
	defer c.Disconnect(0)
	if err := mqttWait(ctx, c.Subscribe("castor/provision/"+client+"/+", 1, func(_ mqtt.Client, m mqtt.Message) {
		var a api.ProvisionAnswer
		if json.Unmarshal(m.Payload(), &a) == nil {
			answers <- a
		}
	})); err != nil {
		return last, err
	}
	published := c.Publish(topic, 1, false, raw(body))
	for {
		select {
		case last = <-answers:
			if last.Status != "pending" || user == "" {
				return last, mqttWait(ctx, published)
			}
		case err := <-lost:
			return last, turnedAway("the connection was ended: %v", err)
		case <-ctx.Done():
			if last.Status != "" {
				return last, nil
			}
			return last, ctx.Err()
		}
	}
}

// mqttSay publishes at an operational gateway and returns when that is acknowledged.
func mqttSay(ctx context.Context, to way, p proof, topic string, body any) error {
	lost := make(chan error, 1)
	c, err := mqttDial(ctx, to, p, string(p.ref), lost)
	if err != nil {
		return err
	}
	defer c.Disconnect(0)
	token := c.Publish(topic, 1, false, raw(body))
	select {
	case <-token.Done():
		if err := token.Error(); err != nil {
			return turnedAway("%v", err)
		}
		return nil
	case err := <-lost:
		return turnedAway("the connection was ended: %v", err)
	case <-ctx.Done():
		return turnedAway("what was published to %s is not acknowledged", topic)
	}
}

func mqttDial(ctx context.Context, to way, p proof, client string, lost chan<- error) (mqtt.Client, error) {
	c := mqtt.NewClient(mqttOptions(to, p, client, lost))
	err := mqttWait(ctx, c.Connect())
	if errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword) || errors.Is(err, packets.ErrorRefusedNotAuthorised) || err != nil && ctx.Err() == nil {
		err = turnedAway("%v", err)
	}
	return c, err
}

// mqttOptions are a client's that shows p.
func mqttOptions(to way, p proof, client string, lost chan<- error) *mqtt.ClientOptions {
	o := mqtt.NewClientOptions().AddBroker(strings.Replace(to.url, "tls://", "ssl://", 1)).SetClientID(client).SetTLSConfig(to.tls(p)).SetAutoReconnect(false).
		SetConnectTimeout(10 * time.Second).SetConnectionLostHandler(func(_ mqtt.Client, err error) { lost <- err })
	if p.secret != "" {
		if p.user == "" {
			p.user = string(p.ref)
		}
		o.SetUsername(p.user).SetPassword(p.secret)
	}
	return o.SetCustomOpenConnectionFn(func(u *url.URL, o mqtt.ClientOptions) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return to.secure(ctx, u.Host, o.TLSConfig)
	})
}

func mqttWait(ctx context.Context, t mqtt.Token) error {
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// raw is a body as it is, or as JSON.
func raw(body any) []byte {
	if b, ok := body.([]byte); ok {
		return b
	}
	b, err := json.Marshal(body)
	if err != nil {
		panic(err) // of our own making
	}
	return b
}
