package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/fxamacker/cbor/v2"
)

// ReadJSON reads one JSON document with nothing after it. With digits, numbers are as they are written (json.Number), else
// float64.
func ReadJSON(b []byte, digits bool) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	if digits {
		d.UseNumber()
	}
	if err = d.Decode(&v); err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("there is more after its end")
		}
	}
	var beyond *json.UnmarshalTypeError // of what is JSON this happens to numbers only
	if errors.As(err, &beyond) {
		err = fmt.Errorf("%.60s is out of range", beyond.Value)
	}
	return v, err
}

var cborMode = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: 16, MaxArrayElements: 10_000, MaxMapPairs: 10_000,
		TimeTagToAny: cbor.TimeTagToRFC3339Nano, UTF8: cbor.UTF8RejectInvalid,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return mode
}()

// ReadCBOR reads one CBOR item with nothing after it, 16 levels deep, lists and maps of 10,000 at most, no name twice.
func ReadCBOR(b []byte) (v any, err error) {
	err = cborMode.Unmarshal(b, &v)
	return v, err
}
