package mosquitto

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// The topics of the plugin "dynamic security".
const (
	controlTopic = "$CONTROL/dynamic-security/v1"
	answerTopic  = controlTopic + "/response"
)

// A Control is a connection to a mosquitto as its administrator. It comes back by itself when it was lost.
type Control struct {
	client mqtt.Client
	user   string
	hears  atomic.Bool // answers reach it

	mu      sync.Mutex
	waiting map[string]chan answer // by correlation data
}

// A command is one of the plugin's, with its arguments.
type command map[string]any

// An answer is what the plugin says to one command.
type answer struct {
	Command     string          `json:"command"`
	Correlation string          `json:"correlationData"`
	Error       string          `json:"error"`
	Data        json.RawMessage `json:"data"`
}

// Login says where the broker is and who its administrator is.
type Login struct {
	URL      string // "tls://host:8885", or "tcp://127.0.0.1:1883" for a listener on loopback
	User     string
	Password string
	TLS      *tls.Config // for tls://; nil = the machine's roots
}

// Options are a client's for this login, which comes back by itself.
func (l Login) Options(id string) (*mqtt.ClientOptions, error) {
	u, err := url.Parse(l.URL)
	if err != nil || u.Scheme != "tls" && u.Scheme != "tcp" || u.Hostname() == "" || u.Port() == "" {
		return nil, fmt.Errorf("mosquitto's address %.200q must be like tls://host:8885 or tcp://127.0.0.1:1883", l.URL)
	}
	o := mqtt.NewClientOptions().AddBroker(l.URL).SetClientID(id).SetUsername(l.User).SetPassword(l.Password).SetProtocolVersion(4)
	o.SetCleanSession(true).SetAutoReconnect(true).SetConnectRetry(true).SetConnectRetryInterval(time.Second).SetMaxReconnectInterval(2 * time.Second)
	o.SetConnectTimeout(10 * time.Second).SetKeepAlive(15 * time.Second).SetOrderMatters(true)
	if l.TLS != nil {
		o.SetTLSConfig(l.TLS)
	}
	return o, nil
}

// NewControl begins to connect and returns; Do fails until it is connected.
func NewControl(l Login) (*Control, error) {
	c := &Control{user: l.User, waiting: make(map[string]chan answer)}
	o, err := l.Options("castor-control-" + rand.Text()[:8])
	if err != nil {
		return nil, err
	}
	o.SetOnConnectHandler(func(m mqtt.Client) {
		t := m.Subscribe(answerTopic, 1, func(_ mqtt.Client, m mqtt.Message) { c.heard(m.Payload()) })
		c.hears.Store(t.WaitTimeout(10*time.Second) && t.Error() == nil)
	})
	o.SetConnectionLostHandler(func(mqtt.Client, error) { c.hears.Store(false) })
	c.client = mqtt.NewClient(o)
	c.client.Connect()
	return c, nil
}

// Close ends the connection.
func (c *Control) Close() { c.client.Disconnect(100) }

func (c *Control) heard(payload []byte) {
	var in struct {
		Responses []answer `json:"responses"`
	}
	if json.Unmarshal(payload, &in) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range in.Responses {
		if w := c.waiting[a.Correlation]; w != nil {
			delete(c.waiting, a.Correlation)
			w <- a
		}
	}
}

var errAway = errors.New("mosquitto is not connected")

// do has the broker carry out the commands, in this order, and returns its answers. An answer may itself be an error.
func (c *Control) do(ctx context.Context, commands ...command) ([]answer, error) {
	if !c.client.IsConnectionOpen() || !c.hears.Load() {
		return nil, errAway
	}
	waits := make([]chan answer, len(commands))
	c.mu.Lock()
	for i, k := range commands {
		id := rand.Text()
		k["correlationData"] = id
		waits[i] = make(chan answer, 1)
		c.waiting[id] = waits[i]
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, k := range commands {
			delete(c.waiting, k["correlationData"].(string))
		}
	}()
	payload, err := json.Marshal(map[string]any{"commands": commands})
	if err != nil {
		return nil, err
	}
	c.client.Publish(controlTopic, 1, false, payload)
	answers := make([]answer, len(commands))
	for i, w := range waits {
		select {
		case answers[i] = <-w:
		case <-ctx.Done():
			return nil, fmt.Errorf("mosquitto does not answer %s: %w", commands[i]["command"], ctx.Err())
		}
	}
	return answers, nil
}

// must is do for commands of which none may fail.
func (c *Control) must(ctx context.Context, commands ...command) ([]answer, error) {
	answers, err := c.do(ctx, commands...)
	for _, a := range answers {
		if a.Error != "" {
			return answers, fmt.Errorf("mosquitto: %s: %s", a.Command, a.Error)
		}
	}
	return answers, err
}

// connectorRole is what the connector may do beside configuring: hear and speak to devices.
const connectorRole = "castor:connector"

// grant gives the administrator the right to speak to devices, which the plugin's own role lacks. Its connections end by that, once:
// errAway is returned, and the next time there is nothing to do.
func (c *Control) grant(ctx context.Context) error {
	answers, err := c.must(ctx, command{"command": "getClient", "username": c.user})
	if err != nil {
		return err
	}
	var out struct {
		Client known `json:"client"`
	}
	if err := json.Unmarshal(answers[0].Data, &out); err != nil {
		return fmt.Errorf("mosquitto's answer to getClient cannot be read: %w", err)
	}
	for _, r := range out.Client.Roles {
		if r.Name == connectorRole {
			return nil
		}
	}
	may := func(kind, topic string) command { return command{"acltype": kind, "topic": topic, "allow": true} }
	_, err = c.do(ctx, command{"command": "createRole", "rolename": connectorRole, "acls": []any{
		may("publishClientSend", "castor/#"), may("publishClientReceive", "castor/#"), may("subscribePattern", "castor/#"),
		may("publishClientReceive", "$SYS/broker/log/#"), may("subscribePattern", "$SYS/broker/log/#")}})
	if err != nil {
		return err
	}
	soon, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, _ = c.do(soon, command{"command": "addClientRole", "username": c.user, "rolename": connectorRole})
	return errAway
}
