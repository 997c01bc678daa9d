package api_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/twin"
)

func TestAClaimsTextSaysTheClaim(t *testing.T) {
	ca, _, err := pki.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(ca)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for _, gateway := range []string{"tls://castor.example:8884", "grpcs://[::1]:8885"} {
		in := api.ClaimFile{Claim: device.Claim{ID: "claim-1", Type: "pump.v2"}, Token: "a-_b", Gateway: gateway, CA: string(ca)}
		text, err := in.Text()
		if err != nil || !strings.HasPrefix(text, api.ClaimScheme) {
			t.Fatalf("%q, %v", text, err)
		}
		out, fingerprint, err := api.ParseClaimText(" " + text + "\n")
		if err != nil || out.Claim.ID != "claim-1" || out.Claim.Type != "pump.v2" || out.Token != "a-_b" || out.Gateway != gateway {
			t.Errorf("%q is read as %+v, %v", text, out, err)
		}
		if got, ok := api.FindCA([]*x509.Certificate{cert}, fingerprint); !ok || got != string(ca) {
			t.Error("the CA is not found by its fingerprint")
		}
		if _, ok := api.FindCA([]*x509.Certificate{cert}, strings.Repeat("A", 43)); ok {
			t.Error("another CA is taken")
		}
	}
}

func FuzzParseClaimText(f *testing.F) {
	good := api.ClaimScheme + "f=" + strings.Repeat("A", 43) + "&g=h%3A1&i=c&t=s&y=pump"
	f.Add(good)
	for _, cut := range []string{"f=", "g=", "i=", "t=", "y="} {
		f.Add(strings.Replace(good, cut, "x=", 1))
	}
	f.Add(good + "&t=other")
	f.Add(good + "&p=http")
	f.Add(api.ClaimScheme)
	f.Fuzz(func(t *testing.T, text string) {
		c, _, err := api.ParseClaimText(text)
		if err != nil && !errors.Is(err, twin.ErrInvalid) {
			t.Error(err)
		}
		if err == nil && (c.Token == "" || c.Claim.ID == "" || c.Claim.Type.Valid() != nil) {
			t.Errorf("%q is taken as %+v", text, c)
		}
	})
}
