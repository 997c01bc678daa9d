package credentials_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/seal"
	"github.com/castor-iot/castor/shared/twin"
)

// reader is a device that can open what is sealed to it.
type reader struct {
	public  string
	private []byte
}

func newReader(t *testing.T) reader {
	t.Helper()
	public, private, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return reader{public, private}
}

func (r reader) open(t *testing.T, ref device.Ref, sealed string) (out api.Secret) {
	t.Helper()
	plain, err := seal.Open(r.private, api.SealInfo(ref), sealed)
	if err == nil {
		err = json.Unmarshal(plain, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// bare is the secret alone, of which the verifier is made.
func bare(t *testing.T, s api.Secret) string {
	t.Helper()
	if s.Kind == device.Password {
		return s.Secret
	}
	ref, secret, ok := device.Split(s.Secret)
	if !ok || ref != s.Ref {
		t.Fatalf("%s is not what the device can show", s.Kind)
	}
	return secret
}

// What the platform makes leaves it sealed to the device; it keeps the verifier; asked again, it is the same text.
func TestSecretsAreSealedToTheDevice(t *testing.T) {
	w := start(t)
	p := w.Part("twin-provision", "")
	ctx := context.Background()
	verifiers, err := w.Base.Secrets(platform.SecretVerify)
	if err != nil {
		t.Fatal(err)
	}
	for n, kind := range []device.Kind{device.Token, device.Password, device.APIKey} {
		t.Run(string(kind), func(t *testing.T) {
			id, r := twin.ID(fmt.Sprintf("p-%d", n)), newReader(t)
			w.twin(id, twin.Instance, "pump")
			in := api.NewCredential{Twin: id, Run: "a.1", Kind: kind, PublicKey: r.public}
			c, err := p.IssueCredential(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			s := r.open(t, c.Ref, c.Sealed)
			secret := bare(t, s)
			if s.Kind != kind || s.Ref != c.Ref || c.Verifier != device.Verifier(verifiers, c.Ref, secret) {
				t.Errorf("it opens to kind %s of %s, or the verifier is another's", s.Kind, s.Ref)
			}
			raw, err := base64.RawURLEncoding.DecodeString(secret)
			if kind == device.Password && len(secret) != 26 || kind != device.Password && (err != nil || len(raw) != 32) {
				t.Errorf("the secret of a %s has %d characters", kind, len(secret))
			}
			if again, err := p.IssueCredential(ctx, in); err != nil || !reflect.DeepEqual(again, c) {
				t.Errorf("asked again it is another one: %v", err)
			}
			if got := c.Proof(); !slices.Equal(got.Verifiers, []string{c.Verifier}) || got.Kind != kind || !got.Expires.Equal(c.Expires) || got.Fingerprints != nil {
				t.Errorf("gateways are told %+v", got)
			}
			for what, change := range map[string]func(*api.NewCredential){
				"another key":  func(in *api.NewCredential) { in.PublicKey = newReader(t).public },
				"another kind": func(in *api.NewCredential) { in.Kind, in.PublicKey, in.CSR = device.Certificate, "", csr(t) },
			} {
				other := in
				change(&other)
				if _, err := p.IssueCredential(ctx, other); !errors.Is(err, api.ErrConflict) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if err := p.EraseCredential(ctx, c.Ref); err != nil {
				t.Fatal(err)
			}
			if _, err := p.IssueCredential(ctx, in); !errors.Is(err, api.ErrConflict) {
				t.Errorf("an erased secret is handed out again: %v", err)
			}
		})
	}
}

func TestWhatCannotBeMade(t *testing.T) {
	w := start(t)
	w.twin("p-1", twin.Instance, "pump")
	w.twin("p-2", twin.Instance, "pump")
	p := w.Part("twin-provision", "")
	ctx := context.Background()
	good := newReader(t).public
	for name, in := range map[string]api.NewCredential{
		"a kind that is none":             {Kind: "cookie", PublicKey: good},
		"a token without a key":           {Kind: device.Token},
		"a token for a CSR":               {Kind: device.Token, CSR: csr(t)},
		"a certificate for another key":   {Kind: device.Certificate, PublicKey: good},
		"a key of no use":                 {Kind: device.APIKey, PublicKey: base64.StdEncoding.EncodeToString(make([]byte, 32))},
		"a key that is cut":               {Kind: device.APIKey, PublicKey: good[:20]},
		"a user name of a token":          {Kind: device.Token, PublicKey: good, Username: "ada"},
		"a user name like a reference":    {Kind: device.Password, PublicKey: good, Username: "p-2-0123abcd"},
		"a user name with a line's end":   {Kind: device.Password, PublicKey: good, Username: "ada\n"},
		"a user name of 65 characters":    {Kind: device.Password, PublicKey: good, Username: strings.Repeat("a", 65)},
		"a user name with a path in it":   {Kind: device.Password, PublicKey: good, Username: "../ada"},
		"a user name that looks like ada": {Kind: device.Password, PublicKey: good, Username: "аda"},
	} {
		in.Twin, in.Run = "p-1", "a.1"
		if _, err := p.IssueCredential(ctx, in); !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	in := api.NewCredential{Twin: "p-1", Run: "a.1", Kind: device.Password, PublicKey: good, Username: "ada"}
	c, err := p.IssueCredential(ctx, in)
	if err != nil || c.Username != "ada" {
		t.Fatalf("%+v, %v", c.Username, err)
	}
	in.Twin = "p-2"
	if _, err := p.IssueCredential(ctx, in); !errors.Is(err, api.ErrExists) {
		t.Errorf("another device's user name: %v", err)
	}
}

// A gateway that can compare plain secrets only gets its own sealed copy; the others get none, and it goes once it is told.
func TestASecretForAGatewayThatNeedsIt(t *testing.T) {
	w := start(t)
	w.twin("p-1", twin.Instance, "pump")
	ctx := context.Background()
	theirs, ours := newReader(t), newReader(t)
	if _, err := w.Part("connector", "mosquitto-1").PutGateway(ctx, api.Gateway{ID: "mosquitto-1", Phase: "operational", Protocol: "mqtt", URL: "tls://127.0.0.1:8883",
		Contract: "mosquitto", PublicKey: theirs.public}); err != nil {
		t.Fatal(err)
	}
	c, err := w.Part("twin-provision", "").IssueCredential(ctx, api.NewCredential{Twin: "p-1", Run: "a.1", Kind: device.Password, PublicKey: ours.public})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.SealedFor) != 1 || theirs.open(t, c.Ref, c.SealedFor["mosquitto-1"]) != ours.open(t, c.Ref, c.Sealed) {
		t.Errorf("sealed for %d gateways, or not the same", len(c.SealedFor))
	}
}

// A secret is sealed only to gateways that its device may come to: whoever enters many others does not keep devices out.
func TestASecretIsSealedToFewGateways(t *testing.T) {
	w := start(t)
	w.twin("p-1", twin.Instance, "pump")
	ctx := context.Background()
	g := api.Gateway{Phase: "operational", URL: "tls://127.0.0.1:8883", PublicKey: newReader(t).public}
	for n := range 80 {
		g.ID, g.Protocol, g.Kinds, g.Keeper = fmt.Sprintf("a-%d", n), "mqtt", nil, ""
		switch n % 4 {
		case 0:
			g.Protocol = "http"
		case 1:
			g.Kinds = []device.Kind{device.Certificate}
		case 2: // it was entered, and never heard of
			g.Keeper = "acme"
			if _, err := w.Admin().PutGateway(ctx, g); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if _, err := w.Part("connector", g.ID).PutGateway(ctx, g); err != nil {
			t.Fatal(err)
		}
	}
	c, err := w.Part("twin-provision", "").IssueCredential(ctx, api.NewCredential{Twin: "p-1", Run: "a.1", Kind: device.Password, PublicKey: newReader(t).public})
	if err != nil || len(c.SealedFor) != 16 {
		t.Fatalf("sealed for %d gateways, %v", len(c.SealedFor), err)
	}
	for id := range c.SealedFor {
		if n, err := strconv.Atoi(strings.TrimPrefix(id, "a-")); err != nil || n%4 != 3 {
			t.Errorf("sealed for %s", id)
		}
	}
}
