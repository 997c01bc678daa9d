package cli

import (
	"context"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/seal"
)

// People bring in devices that another one speaks for, and see which those are.
func TestDevicesThatAnotherSpeaksFor(t *testing.T) {
	p := newPerson(t)
	ctx := context.Background()
	p.login("admin")
	p.does(words("group create press"), "")
	p.does(words("type create integration --owner press"), "")
	p.does(words("type create meter --owner press --provisioning relayed"), "")
	p.does([]string{"twin", "apply", "-f", "-"}, `{"id": "tts-1", "kind": "instance", "definition": {"type": "integration", "owner": "press"}}`, "created")
	p.fails(words("device add meter --owner press --serial 0004A30B001C0530 --via tts-1"), "tts-1", "bring it in first")

	public, _, err := seal.NewKey()
	if err == nil {
		_, err = p.Part("connector", "op").PutGateway(ctx, api.Gateway{ID: "op", Phase: "operational", Protocol: "http", URL: "https://127.0.0.1:8888"})
	}
	var via api.Credential
	if err == nil {
		via, err = p.Part("twin-provision", "").IssueCredential(ctx, api.NewCredential{Twin: "tts-1", Run: "a.1", Kind: device.Token, PublicKey: public, Protocol: "http"})
	}
	if err == nil {
		_, err = p.Part("twin-provision", "").AssignGateway(ctx, api.Assign{Ref: via.Ref, Twin: "tts-1", Proof: via.Proof(), Protocol: "http"})
	}
	if err != nil {
		t.Fatal(err)
	}
	p.does(words("device list --via tts-1"), "", "DEVICE")
	p.does(words("device add meter --owner press --serial 0004A30B001C0530 --via tts-1 --reason cellar"), "", "is twin 0004a30b001c0530", "first message")
	p.does(words("device list --via tts-1"), "", "0004A30B001C0530", "not yet")
	p.fails(words("device add meter --owner press --serial M-2 --via tts-1 --name 00-04-A3-0B-00-1C-05-30"), "device M-2 was refused", "another device's, twin 0004a30b001c0530, at twin tts-1")
	p.fails(words("device add meter --owner press --serial M-3 --via nobody"), "via")
	p.fails(words("device add integration --owner press --serial M-3 --via tts-1"), "like relayed")
	p.fails(words("device list --via nobody"), "nobody")
	p.fails(words("device add meter"), "owner")

	p.does(words("twin get tts-1"), "", "1 device (castor device list --via tts-1)")
	p.does(words("twin get 0004a30b001c0530"), "", `tts-1, which calls it "0004A30B001C0530"`)
	p.does(words("device move 0004a30b001c0530 --name meter-1"), "", `is "meter-1" at tts-1`)
	p.does(words("twin log 0004a30b001c0530 --app platform --from 2000-01-01"), "", "renamed at tts-1: from", "meter-1", "by user:")
	p.does(words("device list --via tts-1"), "", "meter-1", "FIRST HEARD", "ADDED OR MOVED", "not yet")
	p.does(words("credential list 0004a30b001c0530"), "", "user:admin", `renamed at tts-1: from "0004A30B001C0530" to "meter-1"`)
	p.does(words("twin get 0004a30b001c0530"), "", `tts-1, which calls it "meter-1", for `, "castor credential list 0004a30b001c0530")
	p.fails(words("device move 0004a30b001c0530 --via nobody"), "via")
	p.fails(words("device move 0004a30b001c0530"), "via", "name")
	p.fails(words("twin delete tts-1"), "speaks for 1 device", "castor device list --via tts-1")
	p.fails(words("twin decommission tts-1 --reason closed"), "--with-devices", "castor device move")
	p.does(words("twin decommission tts-1 --reason closed --with-devices"), "", "being decommissioned")
	p.does(words("twin decommission 0004a30b001c0530 --proof -o yaml"), "", "with: tts-1")
}
