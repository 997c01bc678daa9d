package broker

import (
	"io"

	"github.com/mochi-mqtt/server/v2/packets"
)

// frames follows the packets that a client sends, so that a message that is too large can be left out: the broker would end the
// connection, which is right for devices that can be taught. A bridge with many devices tells what it knows of all of them in one
// message, and would come again with it for ever. Bytes are kept only while the length of a packet is not known.
type frames struct {
	head [5]byte // of the packet that begins, as far as it has come
	held int

	left    int  // bytes of this packet that are to come
	leave   bool // this packet is left out
	foreign bool // what came is not MQTT: the broker will say so

	qos   byte   // of a packet that is left out
	at    int    // bytes of it that have come
	topic int    // length of its topic
	id    uint16 // its packet id, once that has come
	name  []byte // the begin of its topic, for people
}

// pass drops what is left out of what was read, and returns how much remains at the begin of b. What is held back is to be given to
// it again before what is read next.
func (f *frames) pass(b []byte, tooLarge func(n int) bool, left func(f *frames)) (n int) {
	f.held = 0
	for i := 0; i < len(b); {
		if f.foreign {
			return n + copy(b[n:], b[i:])
		}
		if f.left == 0 {
			size, length, ok := header(b[i:])
			if !ok && len(b)-i < len(f.head) {
				f.held = copy(f.head[:], b[i:])
				return n
			}
			f.foreign = !ok
			if ok {
				f.begin(b[i], length, tooLarge)
				if !f.leave {
					n += copy(b[n:], b[i:i+size])
				}
				i += size
			}
			continue
		}
		k := min(f.left, len(b)-i)
		if f.leave {
			f.look(b[i : i+k])
		} else {
			n += copy(b[n:], b[i:i+k])
		}
		i += k
		if f.left -= k; f.left == 0 && f.leave {
			f.leave = false
			left(f)
		}
	}
	return n
}

// header reads the fixed header of a packet; ok is false while it has not come whole, or is none.
func header(b []byte) (size, length int, ok bool) {
	for i, shift := 1, 0; i < len(b) && i < 5; i, shift = i+1, shift+7 {
		length |= int(b[i]&0x7f) << shift
		if b[i] < 0x80 {
			return i + 1, length, true
		}
	}
	return 0, 0, false
}

func (f *frames) begin(first byte, length int, tooLarge func(n int) bool) {
	f.left, f.leave = length, first>>4 == packets.Publish && tooLarge(length)
	if f.leave {
		f.qos, f.at, f.topic, f.id, f.name = first>>1&3, 0, 0, 0, nil
	}
}

// look finds the topic and the packet id in a message that is left out.
func (f *frames) look(b []byte) {
	for _, c := range b {
		switch at := f.at; {
		case at < 2:
			f.topic = f.topic<<8 | int(c)
		case at < 2+f.topic:
			if len(f.name) < 100 {
				f.name = append(f.name, c)
			}
		case at < 4+f.topic && f.qos > 0:
			f.id = f.id<<8 | uint16(c)
		default:
			return
		}
		f.at++
	}
}

// Read leaves out messages that are too large, where the client is one that has topics of its own: they are acknowledged, counted and
// logged once. The broker reads by a buffer that is larger than what is held back.
func (c *conn) Read(b []byte) (int, error) {
	if len(b) < 2*len(c.frames.head) {
		return 0, io.ErrShortBuffer
	}
	for {
		held := copy(b, c.frames.head[:c.frames.held])
		n, err := c.Conn.Read(b[held:])
		n = c.frames.pass(b[:held+n], c.tooLarge, c.leftOut)
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (c *conn) tooLarge(n int) bool {
	return c.session != nil && c.session.Topics != nil && n >= c.largest
}

func (c *conn) leftOut(f *frames) {
	c.session.Refused()
	if !c.large {
		c.large = true
		c.log.Warn("a message is too large and was dropped, others of this device will be", "client", c.session.Client, "topic", short(string(f.name)), "most", c.largest)
	}
	if f.qos == 1 {
		c.acknowledge(f.id, func(bool) {})
	}
}
