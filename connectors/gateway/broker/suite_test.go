package broker_test

import (
	"errors"
	"testing"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/gateway/configurator/configuratortest"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/device"
	"github.com/mochi-mqtt/server/v2/packets"
)

// The platform's own gateway is one as any other.
func TestConfigurator(t *testing.T) {
	configuratortest.Run(t, configuratortest.Gateway{
		Kinds: []device.Kind{device.Certificate, device.Password, device.Token}, OwnTopics: true,
		Start: func(t testing.TB, w *linktest.World) configuratortest.Running {
			g, stop := run(t, w, &taker{}, func(c *gateway.Config) {
				c.VerifierKey, c.Limits.FailureBurst = linktest.VerifierKey, 10_000
			})
			return configuratortest.Running{Stop: stop, Dial: func(id linktest.Identity) (configuratortest.Device, error) {
				if id.User == "" && id.Password != "" {
					id.User = "-" // MQTT 3 has no password without a user name
				}
				r, code := connect(t, w, g, id, nil)
				if code != 0 {
					return nil, errors.New("refused")
				}
				return newReader(r, id.Client), nil
			}}
		},
	})
}

// A reader is a device of the suite.
type reader struct {
	*raw
	client string
	acks   chan struct{}
	gone   chan struct{}
}

func newReader(r *raw, client string) *reader {
	d := &reader{raw: r, client: client, acks: make(chan struct{}, 1), gone: make(chan struct{})}
	go func() {
		defer close(d.gone)
		for {
			pk, err := d.read()
			if err != nil {
				return
			}
			if pk.FixedHeader.Type == packets.Puback {
				d.acks <- struct{}{}
			}
		}
	}()
	return d
}

func (d *reader) Publish() error {
	d.publish("castor/"+d.client+"/telemetry", 1, 1, "{}")
	select {
	case <-d.acks:
		return nil
	case <-d.gone:
		return errors.New("the connection has ended")
	}
}

func (d *reader) Gone() <-chan struct{} { return d.gone }
func (d *reader) Close()                { _ = d.conn.Close() }
