package sandbox

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/castor-iot/castor/shared/driver"
)

// Whatever a worker that is not itself any more says, its parent takes no more than it may and makes a result or an error of it.
func FuzzReply(f *testing.F) {
	frame := func(v any) []byte {
		var b bytes.Buffer
		if err := send(bufio.NewWriter(&b), v); err != nil {
			f.Fatal(err)
		}
		return b.Bytes()
	}
	f.Add(frame(reply{Answer: []byte(`{"data":{"a":1}}`)}))
	f.Add(frame(reply{Answer: []byte("\xa2\x67version\x01\x64data\xa1\x61a\x01"), Grave: true, Stop: true}))
	f.Add(frame(reply{Refuse: driver.Invalid, Reason: "the script is none"}))
	f.Add(frame(request{Key: "k", Kind: driver.WASM, Calls: []driver.Call{{Op: driver.DecodeUplink, Bytes: []byte{1}}}}))
	f.Add(binary.BigEndian.AppendUint32(nil, maxReply+1))
	f.Add(append(binary.BigEndian.AppendUint32(nil, 9), "\x9b\x7f\xff\xff\xff\xff\xff\xff\xff"...))
	f.Add([]byte("not a frame"))
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, said []byte) {
		var r reply
		if err := receive(bufio.NewReader(bytes.NewReader(said)), maxReply, &r); err != nil {
			return
		}
		for kind, read := range readers {
			for _, op := range []driver.Op{driver.DecodeUplink, driver.EncodeDownlink, driver.OnEvent} {
				if _, err := json.Marshal(read(op, string(r.Answer))); err != nil {
					t.Fatalf("%s, %s: %v", kind, op, err)
				}
			}
		}
	})
}
