package cli

import (
	"context"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/seal"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// Whoever puts a device behind one that its driver would read nothing of hears it; the device is in all the same.
func TestADeviceBehindOneThatItsDriverDoesNotRead(t *testing.T) {
	p := newMaker(t)
	ctx := context.Background()
	p.login(functiontest.Admin)
	d, err := p.Admin().GetDriver(ctx, "zigbee2mqtt")
	if err != nil || len(d.Versions[0].Topics) == 0 {
		t.Fatal(d, err)
	}
	p.does(words("type create integration --owner press"), "")
	p.does(words("type create light --driver zigbee2mqtt --provisioning relayed --owner press"), "")
	p.does(words("type create frame --driver cayenne-lpp --provisioning relayed --owner press"), "")
	p.does(words("type create plain --provisioning relayed --owner press"), "")
	for _, g := range []api.Gateway{{ID: "web", Protocol: "http", URL: "https://127.0.0.1:8888"}, {ID: "mq", Protocol: "mqtt", URL: "tls://127.0.0.1:8889"}} {
		g.Phase = "operational"
		if _, err := p.Part("connector", g.ID).PutGateway(ctx, g); err != nil {
			t.Fatal(err)
		}
	}
	for id, topics := range map[twin.ID]*api.Topics{"tts-1": nil, "hub-1": {Up: d.Versions[0].Topics}, "lan-1": {Up: []string{"tele/{device}/SENSOR"}}} {
		p.does(words("twin apply -f -"), "id: "+string(id)+"\nkind: instance\ndefinition: {type: integration, owner: press}\n", "created")
		in := api.NewCredential{Twin: id, Run: "a.1", Kind: device.Token, Topics: topics}
		if topics == nil {
			in.Protocol = "http"
		}
		in.PublicKey, _, err = seal.NewKey()
		var c api.Credential
		if err == nil {
			c, err = p.Part("twin-provision", "").IssueCredential(ctx, in)
		}
		if err == nil {
			_, err = p.Part("twin-provision", "").AssignGateway(ctx, api.Assign{Ref: c.Ref, Twin: id, Proof: c.Proof(), Protocol: in.Protocol})
		}
		if err != nil {
			t.Fatal(id, err)
		}
	}
	warned := func(line, says string) {
		t.Helper()
		_, hints, err := p.castor("", words(line)...)
		if err != nil || says == "" && strings.Contains(hints, "Warning") || !strings.Contains(hints, says) {
			t.Errorf("castor %s: %v, want %q\n%s", line, err, says, hints)
		}
	}
	why := "Warning: driver zigbee2mqtt of type light reads messages on topics like zigbee2mqtt/{device...}, and tts-1 speaks on none of them: what it says of lamp would be parked. " +
		"Have a bridge speak for it that uses them (castor device move lamp --via BRIDGE), or the type name a driver that reads what tts-1 passes on (castor driver list)"
	warned("device add light --owner press --serial lamp --via tts-1", why)
	warned("device move lamp --via hub-1", "")
	warned("device move lamp --via lan-1", "and lan-1 speaks on none of them")
	warned("device move lamp --via tts-1", why)
	warned("device add frame --owner press --serial f-1 --via tts-1", "")
	warned("device add plain --owner press --serial p-1 --via hub-1", "")
}
