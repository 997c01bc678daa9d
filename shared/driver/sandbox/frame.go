package sandbox

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/fxamacker/cbor/v2"
)

// A request is one batch for a worker. It answers with a reply for each call, as soon as it has it, so that of a worker that is
// killed it is known which call was under way.
type request struct {
	Key   string        `cbor:"1,keyasint"`
	Kind  driver.Kind   `cbor:"2,keyasint"`
	Code  []byte        `cbor:"3,keyasint,omitempty"` // where the worker has it not yet
	Drop  []string      `cbor:"4,keyasint,omitempty"` // drivers that it forgets
	Limit time.Duration `cbor:"5,keyasint"`
	Calls []driver.Call `cbor:"6,keyasint"`
}

// A reply is the answer to one call, in the engine's own form.
type reply struct {
	Answer []byte         `cbor:"1,keyasint,omitempty"`
	Refuse driver.Failure `cbor:"2,keyasint,omitempty"` // the driver cannot be loaded, or the engine has failed
	Reason string         `cbor:"3,keyasint,omitempty"`

	// Stop tells that the worker makes no more of the request's calls: they have taken long enough for now.
	Stop bool `cbor:"4,keyasint,omitempty"`

	// Grave tells that the call was interrupted.
	Grave bool `cbor:"5,keyasint,omitempty"`

	// Full tells that the worker makes none of the request's calls: what drivers keep leaves no room for one more.
	Full bool `cbor:"6,keyasint,omitempty"`
}

// maxFrame bounds what either side reads at once.
const maxFrame = 64 << 20

var (
	encoding = func() cbor.EncMode {
		m, err := cbor.EncOptions{Time: cbor.TimeRFC3339NanoUTC}.EncMode()
		if err != nil {
			panic(err) // the options are constants
		}
		return m
	}()
	decoding = func() cbor.DecMode {
		m, err := cbor.DecOptions{DefaultMapType: reflect.TypeFor[map[string]any](), MaxArrayElements: 1 << 20}.DecMode()
		if err != nil {
			panic(err) // the options are constants
		}
		return m
	}()
)

func send(w *bufio.Writer, v any) error {
	b, err := encoding.Marshal(v)
	if err != nil {
		return err
	}
	var head [4]byte
	binary.BigEndian.PutUint32(head[:], uint32(len(b)))
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return err
	}
	return w.Flush()
}

func receive(r *bufio.Reader, most int, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint32(head[:]))
	if n > most {
		return fmt.Errorf("a frame of %d bytes, at most %d are taken", n, most)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return err
	}
	return decoding.Unmarshal(b, v)
}
