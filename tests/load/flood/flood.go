// Package flood publishes to an MQTT broker as fast as it acknowledges, with as little work of its own as can be: for figures
// that must not be those of a client library. It speaks just enough MQTT 3.1.1 for that.
package flood

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"

	"github.com/mochi-mqtt/server/v2/packets"
)

// Hello connects as client and returns when the broker has let it in.
func Hello(conn net.Conn, client string) error { return Login(conn, client, "", "") }

// Login is Hello of a client that shows a user name and a password.
func Login(conn net.Conn, client, user, password string) error {
	var buf bytes.Buffer
	pk := packets.Packet{
		ProtocolVersion: 4, FixedHeader: packets.FixedHeader{Type: packets.Connect},
		Connect: packets.ConnectParams{ProtocolName: []byte("MQTT"), Clean: true, Keepalive: 600, ClientIdentifier: client,
			UsernameFlag: user != "", Username: []byte(user), PasswordFlag: password != "", Password: []byte(password)},
	}
	if err := pk.ConnectEncode(&buf); err != nil {
		return err
	}
	if _, err := conn.Write(buf.Bytes()); err != nil {
		return err
	}
	var ack [4]byte
	if _, err := io.ReadFull(conn, ack[:]); err != nil {
		return err
	}
	if ack[3] != 0 {
		return fmt.Errorf("%s is refused with %d", client, ack[3])
	}
	return nil
}

// Publish sends n messages with QoS 1, the i-th made by payload(i), and returns when all are acknowledged. A payload of nil ends
// it before. At most window wait for their acknowledgement at a time. acked, if not nil, hears of each, in order.
func Publish(conn net.Conn, topic string, n, window int, payload func(i int) []byte, acked func(i int)) error {
	due, over := make(chan int, window-1), make(chan error, 1) // one more is at the reader
	go func() {
		r := bufio.NewReader(conn)
		var ack [4]byte
		for i := range due {
			if _, err := io.ReadFull(r, ack[:]); err != nil || ack[0] != packets.Puback<<4 {
				over <- fmt.Errorf("acknowledgement %d: read %v: %w", i, ack, err)
				return
			}
			if acked != nil {
				acked(i)
			}
		}
		over <- nil
	}()
	var buf bytes.Buffer
	for i := range n {
		body := payload(i)
		if body == nil {
			break
		}
		select {
		case due <- i:
		case err := <-over:
			return err
		}
		buf.Reset()
		pk := packets.Packet{
			ProtocolVersion: 4, FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, PacketID: uint16(i%60_000 + 1),
			TopicName: topic, Payload: body,
		}
		if err := pk.PublishEncode(&buf); err != nil {
			return err
		}
		if _, err := conn.Write(buf.Bytes()); err != nil {
			return err
		}
	}
	close(due)
	return <-over
}
