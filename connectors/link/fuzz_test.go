package link

import (
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// shapes are what devices send that is bad in general: of the wrong form, too deep, of keys that come twice, cut off.
var shapes = []string{
	"", " ", "{", "}", "null", "[]", "{}", "0", `"`, "\x00", "\xff", "\xa0", "\xbf\xff", "\xa1\x61", "\x9f", "\x5f\x41", "\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00", "\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
	"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", "\xa2\x61a\x01\x61a\x02", `{"serial":"a","serial":"b"}`, `{"csr":5}`, `{"facts":[]}`, `{"serial":"` + "\xff" + `"}`, `{"serial":"../../etc"}`,
	strings.Repeat("[", 5000), strings.Repeat(`{"a":`, 5000), strings.Repeat("\x81", 5000), strings.Repeat("\xa1\x61a", 5000), `{"serial":"P-` + strings.Repeat("7", 10_000) + `"}`, "\ufeff{}",
}

func FuzzRequest(f *testing.F) {
	for _, s := range append(shapes, `{"serial":"P-7","mac":"02:42:ac:11:00:02","model":"X1","facts":{"os":"linux"},"csr":"x"}`, "\xa2\x66serial\x63P-7\x69publicKey\x61k") {
		f.Add("pump", []byte(s))
	}
	f.Add("../pump", []byte("{}"))
	c := &Claimant{Client: "c", Claim: "claim-1", link: &Link{config: Config{Gateway: api.Gateway{ID: "prov", Protocol: "mqtt"}}}}
	f.Fuzz(func(t *testing.T, kind string, payload []byte) {
		in, err := c.read(twin.TypeID(kind), payload)
		if err != nil {
			if err.Error() == "" || len(err.Error()) > 1000 {
				t.Errorf("the reason has %d bytes", len(err.Error()))
			}
			return
		}
		if in.Gateway != "prov" || in.Client != "c" || in.Claim != "claim-1" || string(in.Type) != kind || in.Serial == "" || in.CSR == "" && in.PublicKey == "" || in.Protocol == "" {
			t.Errorf("taken: %+v", in)
		}
	})
}

func FuzzRenewal(f *testing.F) {
	for _, s := range append(shapes, `{"csr":"x"}`, `{"publicKey":"k"}`, `{"csr":"x","publicKey":"k"}`, "\xa1\x63csr\x61x") {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		in, err := readRenewal(payload)
		if err == nil && (in.CSR == "") == (in.PublicKey == "") {
			t.Errorf("taken: %+v", in)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("the reason has %d bytes", len(err.Error()))
		}
	})
}

// FuzzEnvelope finds what is around the data of a message, in both forms.
func FuzzEnvelope(f *testing.F) {
	for _, s := range append(shapes, `[{"time":"2026-03-21T11:00:00Z","epoch":3,"seq":9,"data":{"a":1}}]`, `{"epoch":1e0,"seq":-0,"data":null}`, "\xa3\x65epoch\x01\x63seq\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x64data\xa0") {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		elements, parse, err := split(payload)
		if err != nil {
			return
		}
		if len(elements) == 0 || len(elements) > telemetry.MaxBatch {
			t.Fatalf("%d elements", len(elements))
		}
		for _, raw := range elements {
			if len(raw) > len(payload) {
				t.Fatal("an element is longer than the payload")
			}
			_, _ = parse(raw)
		}
	})
}
