package driver

import (
	"cmp"
	"context"
	"slices"
)

// MaxPort is the last of LoRaWAN's ports for applications (TS001-1.0.4, 4.3.2); the first is 1.
const MaxPort = 223

// Ported is a codec whose commands go out by a port where its code names none, and which is told that port: codecs of before TS013 take it
// as an argument, and answer bytes alone. 0 = the codec as it is. What has a topic has no use for a port.
func Ported(c Codec, port int) Codec {
	if port == 0 {
		return c
	}
	return ported{c, port}
}

type ported struct {
	codec Codec
	port  int
}

// Run is Codec's.
func (p ported) Run(ctx context.Context, calls []Call) ([]Result, error) {
	calls = slices.Clone(calls)
	for i := range calls {
		if c := &calls[i]; c.Op == EncodeDownlink {
			c.Port = cmp.Or(c.Port, p.port)
		}
	}
	results, err := p.codec.Run(ctx, calls)
	for i := range results {
		if r := &results[i]; calls[i].Op == EncodeDownlink && r.OK() && r.Topic == "" {
			r.Port = cmp.Or(r.Port, calls[i].Port)
		}
	}
	return results, err
}
