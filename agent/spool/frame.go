package spool

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// A segment file is a sequence of frames:
//
//	magic (4 bytes) · length of the payload (4) · CRC-32C of length and payload (4) · payload
//	payload: kind (1) · epoch (varint) · seq (varint) · for messages: length of topic (1), topic, body
//
// Numbers of fixed size are little endian. The magic's first byte occurs in no UTF-8 text, so that behind a damaged frame
// the next whole one is found.
var magic = []byte{0xFF, 'C', 'S', 1}

const (
	headerSize = 12
	maxNumber  = 1<<53 - 1 // what JSON carries exactly
	maxPayload = MaxBody + 1 + 2*binary.MaxVarintLen64 + 1 + MaxTopic
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// kind tells what a frame holds.
type kind byte

const (
	message kind = 'M' // a record
	mark    kind = 'A' // everything up to its order is done with
)

type frame struct {
	kind kind
	Record
}

// appendTo writes the frame behind dst.
func (f frame) appendTo(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, magic...)
	dst = append(dst, make([]byte, headerSize-len(magic))...)
	dst = append(dst, byte(f.kind))
	dst = binary.AppendVarint(dst, f.Order.Epoch)
	dst = binary.AppendVarint(dst, f.Order.Seq)
	if f.kind == message {
		dst = append(dst, byte(len(f.Topic)))
		dst = append(dst, f.Topic...)
		dst = append(dst, f.Body...)
	}
	head, payload := dst[at:at+headerSize], dst[at+headerSize:]
	binary.LittleEndian.PutUint32(head[4:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(head[8:], checksum(head[4:8], payload))
	return dst
}

// parse reads the frame that b begins with. n is its size; n > len(b) tells how many bytes must be there to know more,
// n == 0 that b begins with no frame.
func parse(b []byte) (f frame, n int) {
	if len(b) < headerSize {
		if !bytes.HasPrefix(magic, b[:min(len(b), len(magic))]) {
			return f, 0
		}
		return f, headerSize
	}
	size := binary.LittleEndian.Uint32(b[4:])
	if !bytes.HasPrefix(b, magic) || size == 0 || size > maxPayload {
		return f, 0
	}
	n = headerSize + int(size)
	if len(b) < n {
		return f, n
	}
	payload := b[headerSize:n]
	if checksum(b[4:8], payload) != binary.LittleEndian.Uint32(b[8:]) || !f.decode(payload) {
		return frame{}, 0
	}
	return f, n
}

func (f *frame) decode(b []byte) bool {
	f.kind, b = kind(b[0]), b[1:]
	for _, to := range []*int64{&f.Order.Epoch, &f.Order.Seq} {
		v, n := binary.Varint(b)
		if n <= 0 || v < 0 || v > maxNumber {
			return false
		}
		*to, b = v, b[n:]
	}
	switch f.kind {
	case mark:
		return len(b) == 0
	case message:
		if len(b) == 0 || len(b) <= int(b[0]) {
			return false
		}
		n := int(b[0]) + 1
		f.Topic, f.Body = string(b[1:n]), bytes.Clone(b[n:])
		return true
	}
	return false
}

func checksum(length, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, payload)
}
