package link

import (
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/fxamacker/cbor/v2"
)

func TestAKnockIsReadInBothForms(t *testing.T) {
	k := &Knocker{Client: "c", Address: "192.0.2.7", link: &Link{config: Config{Gateway: api.Gateway{ID: "prov", Protocol: "grpc"}}}}
	form := map[string]any{"serial": "P-7", "model": "X1", "facts": map[string]string{"fw": "2"}, "capabilities": []string{"cpu.percent"}, "publicKey": "k"}
	b, err := cbor.Marshal(form)
	if err != nil {
		t.Fatal(err)
	}
	for _, payload := range []string{string(b), ` {"serial":"P-7","model":"X1","facts":{"fw":"2"},"capabilities":["cpu.percent"],"publicKey":"k"}`} {
		in, err := k.read([]byte(payload))
		if err != nil || in.Gateway != "prov" || in.Client != "c" || in.Address != "192.0.2.7" || in.Serial != "P-7" || in.Facts["fw"] != "2" || in.Protocol != "grpc" || len(in.Capabilities) != 1 {
			t.Errorf("%+v, %v", in, err)
		}
	}
	for name, payload := range map[string]string{
		"facts": `{"facts":{"a":{"b":{"c":{}}}}}`, "capabilities": `{"capabilities":"all"}`, "at most": `{"serial":"` + strings.Repeat("x", maxKnock) + `"}`, "object": "\xff",
	} {
		if _, err := k.read([]byte(payload)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%.40s: %v", payload, err)
		}
	}
}

func FuzzKnock(f *testing.F) {
	for _, s := range []string{`{"serial":"P-7","facts":{"a":"b"}}`, "\xa1\x66serial\x63P-7", "{", "", strings.Repeat(`{"facts":`, 1000)} {
		f.Add([]byte(s))
	}
	k := &Knocker{Client: "c", link: &Link{config: Config{Gateway: api.Gateway{ID: "prov"}}}}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if in, err := k.read(payload); err == nil && (in.Gateway != "prov" || in.Client != "c") {
			t.Errorf("a payload chose its gateway: %+v", in)
		}
	})
}
