package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// errAnswer tells that the gateway did not answer in time.
var errAnswer = errors.New("no answer in time")

// errRefused tells that the gateway was reached and did not want the credentials.
var errRefused = errors.New("the gateway does not let the device in")

// errThrottled tells that the gateway wants to hear no more for a while.
var errThrottled = errors.New("the gateway hears no more for now")

// A session is one connection to a gateway, of whatever protocol. When it breaks it is given up and a new one is made.
type session interface {
	// ask sends a provisioning request for a type. Answers come by heard.answer.
	ask(ctx context.Context, kind string, payload []byte) error

	// knock makes a device known that has nothing to show. Answers come as for ask.
	knock(ctx context.Context, payload []byte) error

	// publish hands a message on; topic is that of the wire contract below castor/{ref}/. Messages go in the order of the calls. It
	// waits while the connection takes nothing. Whether the message is stored only heard.stored tells.
	publish(ctx context.Context, topic string, payload []byte) error

	// confirm returns when the platform has taken the confirmation.
	confirm(ctx context.Context) error

	// renew asks for the next credential and returns the answer: an api.RenewAnswer.
	renew(ctx context.Context, payload []byte) (answer []byte, err error)

	// confirmCredential returns when the platform has taken that the credential of this session is there to stay.
	confirmCredential(ctx context.Context) error

	// lost is closed when the connection broke; why tells then.
	lost() <-chan struct{}
	why() error

	// close says goodbye and closes the connection.
	close()
}

// login is what a session needs.
type login struct {
	gateway  string // tls://host:port or grpcs://host:port
	ca       string // PEM: who signed the gateway's certificate
	client   string
	user     string            // "" = none
	password string            //
	cert     []tls.Certificate // none = none
}

// heard is told what comes from the gateway, one thing at a time. It must not block.
type heard struct {
	answer func(payload []byte) // to a provisioning request; nil of a device that has come in, which has the others

	stored  func(o twin.Order) // everything up to o
	command func(id string, payload []byte)
	move    func(payload []byte) // an api.GatewayMove
}

// connect logs in at a gateway whose certificate l.ca signed, in the protocol of its address.
func (a *Agent) connect(ctx context.Context, l login, h heard) (session, error) {
	protocol, address, err := parseAddress(l.gateway)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.AnswerTimeout)
	defer cancel()
	var s session
	if protocol == "grpcs" {
		s, err = a.connectGRPC(ctx, address, l, h)
	} else {
		s, err = a.connectMQTT(ctx, address, l, h)
	}
	if err != nil {
		return nil, fmt.Errorf("gateway %s: %w", address, err)
	}
	return s, nil
}

// parseAddress returns the protocol and host:port of a gateway's URL. Anything but TLS is refused.
func parseAddress(gateway string) (protocol, address string, err error) {
	u, err := url.Parse(gateway)
	if err != nil || u.Scheme != "tls" && u.Scheme != "grpcs" || u.Hostname() == "" || u.Port() == "" {
		return "", "", api.Invalid("address %.200q must be like tls://host:8883 (MQTT) or grpcs://host:8886 (gRPC)", gateway)
	}
	return u.Scheme, u.Host, nil
}

// secure opens a TLS connection to a gateway whose certificate l.ca signed. protos are offered to it.
func (a *Agent) secure(ctx context.Context, address string, l login, protos ...string) (net.Conn, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(l.ca)) {
		return nil, api.Invalid("ca has no certificate in PEM")
	}
	host, _, _ := net.SplitHostPort(address)
	tcp, err := a.cfg.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(tcp, &tls.Config{
		RootCAs: roots, ServerName: host, Certificates: l.cert, MinVersion: tls.VersionTLS12, Time: a.cfg.Now, NextProtos: protos,
	})
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = tcp.Close()
		return nil, err
	}
	return conn, nil
}

// within bounds one answer.
func (a *Agent) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, a.cfg.AnswerTimeout, errAnswer)
}
