package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/castor-iot/castor/shared/api"
)

// errAnswer tells that the gateway did not answer in time.
var errAnswer = errors.New("no answer in time")

// A session is one MQTT connection. When it breaks it is given up and a new one is made: the MQTT client's own reconnecting
// may complete a publication that was never acknowledged.
type session struct {
	client  mqtt.Client
	lost    chan struct{} // closed when the connection broke
	why     error         // set before lost is closed
	timeout time.Duration
}

// login is what a session needs.
type login struct {
	gateway  string // tls://host:port
	ca       string // PEM: who signed the gateway's certificate
	client   string
	user     string            // "" = none
	password string            //
	cert     []tls.Certificate // none = none
}

// parseAddress returns host:port of a gateway's URL. Anything but TLS is refused.
func parseAddress(gateway string) (string, error) {
	u, err := url.Parse(gateway)
	if err != nil || u.Scheme != "tls" || u.Hostname() == "" || u.Port() == "" {
		return "", api.Invalid("address %.200q must be like tls://host:8883", gateway)
	}
	return u.Host, nil
}

// connect logs in at a gateway whose certificate l.ca signed.
func (a *Agent) connect(ctx context.Context, l login) (*session, error) {
	address, err := parseAddress(l.gateway)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(address)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(l.ca)) {
		return nil, api.Invalid("ca has no certificate in PEM")
	}
	secure := &tls.Config{RootCAs: roots, ServerName: host, Certificates: l.cert, MinVersion: tls.VersionTLS12, Time: a.cfg.Now}

	ctx, cancel := context.WithTimeout(ctx, a.cfg.AnswerTimeout)
	defer cancel()
	settled := func() bool { return true } // set by the client's goroutine before its token completes
	s := &session{lost: make(chan struct{}), timeout: a.cfg.AnswerTimeout}
	o := mqtt.NewClientOptions().AddBroker("ssl://" + address).SetClientID(l.client).SetUsername(l.user).SetPassword(l.password)
	o.SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false)
	o.SetConnectTimeout(a.cfg.AnswerTimeout).SetWriteTimeout(a.cfg.AnswerTimeout).SetKeepAlive(30 * time.Second)
	o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
		tcp, err := a.cfg.Dial(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		conn := tls.Client(tcp, secure)
		if err := conn.HandshakeContext(ctx); err != nil {
			tcp.Close()
			return nil, err
		}
		settled = context.AfterFunc(ctx, func() { tcp.Close() })
		return conn, nil
	})
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) {
		s.why = fmt.Errorf("connection to %s lost: %w", address, err)
		close(s.lost)
	})
	s.client = mqtt.NewClient(o)
	t := s.client.Connect()
	<-t.Done() // bounded by ctx
	err = t.Error()
	if !settled() {
		s.client.Disconnect(0)
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("gateway %s: %w", address, err)
	}
	return s, nil
}

// refused tells whether the gateway was reached and did not want the credentials.
func refused(err error) bool {
	return errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword) || errors.Is(err, packets.ErrorRefusedNotAuthorised)
}

// wait waits for a token's completion.
func (s *session) wait(ctx context.Context, t mqtt.Token) error {
	timer := time.NewTimer(s.timeout)
	defer timer.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-s.lost:
		return s.why
	case <-timer.C:
		return errAnswer
	case <-ctx.Done():
		return ctx.Err()
	}
}

// subscribe returns when the gateway has taken the subscription. handle is called for one message at a time and must not
// block.
func (s *session) subscribe(ctx context.Context, topic string, handle func(topic string, payload []byte)) error {
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

// publish hands a message to the connection, QoS 1; messages go in the order of the calls. It waits while the connection
// takes nothing.
func (s *session) publish(ctx context.Context, topic string, payload []byte) (mqtt.Token, error) {
	return s.hand(ctx, func() mqtt.Token { return s.client.Publish(topic, 1, false, payload) })
}

// hand hands a packet to the client, which goes on waiting, for its write timeout, on a connection that breaks meanwhile;
// this does not.
func (s *session) hand(ctx context.Context, f func() mqtt.Token) (mqtt.Token, error) {
	taken := make(chan mqtt.Token, 1)
	go func() { taken <- f() }()
	select {
	case t := <-taken:
		return t, nil
	case <-s.lost:
		return nil, s.why
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// close says goodbye and closes the connection.
func (s *session) close() { s.client.Disconnect(250) }
