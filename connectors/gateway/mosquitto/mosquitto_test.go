package mosquitto_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/gateway/configurator"
	"github.com/castor-iot/castor/connectors/gateway/configurator/configuratortest"
	"github.com/castor-iot/castor/connectors/gateway/mosquitto"
	"github.com/castor-iot/castor/connectors/gateway/mosquitto/mosquittotest"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/seal"
	"github.com/castor-iot/castor/tests/ports"
	paho "github.com/eclipse/paho.mqtt.golang"
)

// key is the gateway's own, which passwords are sealed to.
var key = sync.OnceValues(func() (string, []byte) {
	public, private, err := seal.NewKey()
	if err != nil {
		panic(err)
	}
	return public, private
})

func TestSuite(t *testing.T) {
	var mu sync.Mutex
	brokers := map[*linktest.World]*mosquittotest.Broker{}
	configuratortest.Run(t, configuratortest.Gateway{
		Kinds: []device.Kind{device.Certificate, device.Password},
		Seal: func(t testing.TB, w *linktest.World, a *api.Admission, secret string) {
			public, err := seal.ReadPublicKey(first2(key()))
			if err == nil {
				a.Sealed, err = seal.Seal(public, api.SealInfo(device.Ref(a.Client)), fmt.Appendf(nil, `{"secret":%q}`, secret))
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		Start: func(t testing.TB, w *linktest.World) configuratortest.Running {
			mu.Lock()
			b := brokers[w]
			mu.Unlock()
			if b == nil { // it outlives its configurator
				b = mosquittotest.New(t, w, ports.Free)
				mu.Lock()
				brokers[w] = b
				mu.Unlock()
			}
			return configuratortest.Running{
				Dial:   func(id linktest.Identity) (configuratortest.Device, error) { return dial(w, b, id) },
				Stop:   configure(t, w, b),
				Forget: func() { b.Stop(); b.Forget(); b.Start() },
			}
		},
	})
}

func first2(a string, _ []byte) string { return a }

func configure(t testing.TB, w *linktest.World, b *mosquittotest.Broker) (stop func()) {
	t.Helper()
	control, err := mosquitto.NewControl(mosquitto.Login{URL: "tcp://" + b.Control, User: "admin", Password: b.Password})
	if err != nil {
		t.Fatal(err)
	}
	_, private := key()
	target := mosquitto.New(mosquitto.Config{Gateway: w.Gateway, Control: control, Key: private, Revocations: &mosquitto.Revocations{
		File: b.File("revoked.pem"), Get: w.Revoked, Reload: b.Reload}})
	c, err := configurator.New(configurator.Config{Gateway: api.Gateway{ID: w.Gateway, Phase: "operational", Protocol: "mqtt", URL: "tls://" + b.Certs},
		API: w.API, Bus: w.Bus, Target: target, Dir: w.Dir, Log: linktest.Quiet, Heartbeat: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
		control.Close()
	})
	t.Cleanup(stop)
	return stop
}

// A client is a device: it is in when it may hear what is for it.
type client struct {
	paho.Client
	ref  string
	gone chan struct{}
}

func dial(w *linktest.World, b *mosquittotest.Broker, id linktest.Identity) (configuratortest.Device, error) {
	c := &client{ref: id.Client, gone: make(chan struct{})}
	address := b.Words
	if id.Certificate != nil {
		address = b.Certs
	}
	leave := sync.OnceFunc(func() { close(c.gone) })
	o := paho.NewClientOptions().AddBroker("tls://" + address).SetClientID(id.Client).SetUsername(id.User).SetPassword(id.Password)
	o.SetTLSConfig(w.CA.Client(id)).SetProtocolVersion(4).SetAutoReconnect(false).SetConnectTimeout(linktest.Patience).SetConnectionLostHandler(func(paho.Client, error) { leave() })
	c.Client = paho.NewClient(o)
	if err := wait(c.Connect()); err != nil {
		return nil, err
	}
	topic := "castor/" + id.Client + "/ack"
	t := c.Subscribe(topic, 1, nil).(*paho.SubscribeToken)
	err := wait(t)
	if err == nil && t.Result()[topic] > 2 {
		err = errors.New("the device may not hear what is for it")
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func wait(t paho.Token) error {
	if !t.WaitTimeout(linktest.Patience) {
		return errors.New("no answer")
	}
	return t.Error()
}

func (c *client) Publish() error {
	if !c.IsConnectionOpen() {
		return errors.New("not connected")
	}
	return wait(c.Client.Publish("castor/"+c.ref+"/telemetry", 1, false, []byte(`{"rpm":1}`)))
}

func (c *client) Gone() <-chan struct{} { return c.gone }
func (c *client) Close()                { c.Disconnect(0) }

// A password that mosquitto has lost, and that nobody keeps, must be issued anew; a certificate comes back by itself.
func TestAPasswordThatIsLostIsSaidToBe(t *testing.T) {
	w := linktest.NewWorld(t)
	b := mosquittotest.New(t, w, ports.Free)
	control, err := mosquitto.NewControl(mosquitto.Login{URL: "tcp://" + b.Control, User: "admin", Password: b.Password})
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	public, private := key()
	target := mosquitto.New(mosquitto.Config{Gateway: w.Gateway, Control: control, Key: private})
	ctx, cancel := context.WithTimeout(t.Context(), linktest.Patience)
	defer cancel()
	linktest.Eventually(t, "the administrator is connected", func() bool { _, err := target.State(ctx); return err == nil })
	raw, err := seal.ReadPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := seal.Seal(raw, api.SealInfo("p-1"), []byte(`{"secret":"s3cret"}`))
	if err != nil {
		t.Fatal(err)
	}
	a := api.Admission{Client: "p-1", Phase: "operational", Kind: device.Password, Username: "pump 1", Verifiers: []string{"aa"}, Sealed: sealed}
	id := linktest.Identity{Client: "p-1", User: "pump 1", Password: "s3cret"}
	if err := target.Apply(ctx, a); err != nil {
		t.Fatal(err)
	}
	a.Sealed = "" // the platform has erased it
	if err := target.Apply(ctx, a); err != nil {
		t.Errorf("mosquitto has the password: %v", err)
	}
	if _, err := dial(w, b, id); err != nil {
		t.Errorf("the device is refused: %v", err)
	}
	before, err := target.State(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b.Stop()
	b.Forget()
	b.Start()
	linktest.Eventually(t, "the administrator is back", func() bool {
		now, err := target.State(ctx)
		return err == nil && now != before
	})
	if err := target.Apply(ctx, a); !errors.Is(err, configurator.ErrLost) {
		t.Errorf("the password is lost: %v", err)
	}
	if err := target.Apply(ctx, api.Admission{Client: "p-2", Kind: device.Token, Verifiers: []string{"bb"}}); !errors.Is(err, configurator.ErrLost) {
		t.Errorf("a token: %v", err)
	}
}
