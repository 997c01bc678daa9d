package twinprovision_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/configurations"
	"github.com/castor-iot/castor/functions/credentials"
	"github.com/castor-iot/castor/functions/gateways"
	"github.com/castor-iot/castor/functions/identities"
	twinprovision "github.com/castor-iot/castor/functions/twin-provision"
	"github.com/castor-iot/castor/functions/twins"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// all are the functions that provisioning goes through.
var all = functiontest.Functions{"twin-provision": twinprovision.New, "credentials": credentials.New, "gateways": gateways.New,
	"configurations": configurations.New, "identities": identities.New, "twins": twins.New}

// world is the platform as far as provisioning goes, with a provisioning and an operational gateway, group press, and type
// pump that has a configuration template.
type world struct {
	*functiontest.World
	t       *testing.T
	ctx     context.Context
	admin   *api.Client
	prov    *api.Client // connector of the provisioning gateway
	op      *api.Client // of the operational one
	answers func() []bus.Downlink
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{World: functiontest.New(t, all), t: t, ctx: context.Background()}
	w.SetTime(time.Now()) // it stands still until a test moves it
	w.admin, w.prov, w.op = w.Admin(), w.Part("connector", "prov"), w.Part("connector", "op")
	w.beat()
	_, err := w.admin.CreateGroup(w.ctx, api.Group{ID: "press"})
	w.must(err)
	w.newType("pump", twin.Model{OnDelete: twin.Erase, Template: "pump", Parameters: map[string]string{"interval": "30s"}})
	_, err = w.admin.PutTemplate(w.ctx, api.Template{Name: "pump", Format: "json", Content: `{"serial": {{json .Identity.serial}}, "every": {{json .Parameters.interval}}}`})
	w.must(err)
	w.answers = w.listen()
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) newType(id twin.TypeID, m twin.Model) {
	w.t.Helper()
	_, err := w.admin.CreateTwin(w.ctx, api.NewTwin{ID: id, Kind: twin.Type, Definition: twin.Definition{Model: &m}})
	w.must(err)
}

// beat keeps the gateways healthy.
func (w *world) beat() {
	w.t.Helper()
	_, err := w.prov.PutGateway(w.ctx, api.Gateway{ID: "prov", Phase: "provisioning", URL: "tls://127.0.0.1:8884"})
	w.must(err)
	_, err = w.op.PutGateway(w.ctx, api.Gateway{ID: "op", Phase: "operational", URL: "tls://127.0.0.1:8883"})
	w.must(err)
}

// listen collects what is sent to devices at the provisioning gateway.
func (w *world) listen() func() []bus.Downlink {
	var mu sync.Mutex
	var got []bus.Downlink
	stop, err := w.Base.Bus.Downlinks("prov", func(d bus.Downlink) { mu.Lock(); got = append(got, d); mu.Unlock() })
	w.must(err)
	w.t.Cleanup(stop)
	return func() []bus.Downlink { mu.Lock(); defer mu.Unlock(); return append([]bus.Downlink(nil), got...) }
}

func (w *world) claim(c api.NewClaim) string {
	w.t.Helper()
	if c.Type == "" {
		c.Type = "pump"
	}
	c.Owner = "press"
	f, err := w.admin.CreateClaim(w.ctx, c)
	w.must(err)
	return f.Claim.ID
}

func (w *world) identity(serial string) {
	w.t.Helper()
	_, err := w.admin.CreateIdentity(w.ctx, device.Identity{Serial: serial})
	w.must(err)
}

// csr is what a device with a new key asks with.
func csr(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// request is that of a device with a key of its own; change may alter it.
func (w *world) request(claim, serial string, change ...func(*api.ProvisionRequest)) api.ProvisionRequest {
	r := api.ProvisionRequest{Gateway: "prov", Client: "c-" + strings.ToLower(serial), Claim: claim, Type: "pump", Serial: serial, CSR: csr(w.t)}
	for _, c := range change {
		c(&r)
	}
	return r
}

func (w *world) ask(r api.ProvisionRequest) api.ProvisionAnswer {
	w.t.Helper()
	a, err := w.prov.RequestProvisioning(w.ctx, r)
	w.must(err)
	return a
}

func (w *world) run(id string) provision.Run {
	w.t.Helper()
	r, err := w.admin.GetRun(w.ctx, id)
	w.must(err)
	return r
}

// apply is the operational gateway: it takes over what its bucket says of a device and writes that back.
func (w *world) apply(ref string) error {
	w.t.Helper()
	b, err := w.Base.Bus.Bucket(w.ctx, api.BucketOf("op"))
	w.must(err)
	e, err := b.Get(w.ctx, api.AdmissionKey(ref))
	if err != nil {
		return nil // not told yet
	}
	ev := event.New(fmt.Sprintf("op/%s/%d", ref, e.Revision), event.GatewayApplied, ref, w.Now(), api.GatewayApplied{Gateway: "op", Client: ref, Revision: e.Revision})
	err1 := w.Event("gateways", ev)
	err2 := w.Event("twin-provision", ev)
	if err1 != nil {
		return err1
	}
	return err2
}

// later lets time pass, with the gateways alive, and fires the schedule.
func (w *world) later(d time.Duration) error {
	w.t.Helper()
	w.SetTime(w.Now().Add(d))
	w.beat()
	return w.Tick("twin-provision", w.Now())
}

// sent is the newest answer sent to a client; the zero value if none was.
func (w *world) sent(client string) (a api.ProvisionAnswer) {
	w.t.Helper()
	for _, d := range w.answers() {
		if d.Device == client {
			a = api.ProvisionAnswer{}
			w.must(json.Unmarshal(d.Payload, &a))
		}
	}
	return a
}

// provision takes a device all the way.
func (w *world) provision(r api.ProvisionRequest) (provision.Run, *api.Bundle) {
	w.t.Helper()
	a := w.ask(r)
	if a.Status != "pending" {
		w.t.Fatalf("asked, it is told %+v", a)
	}
	w.must(w.apply(w.run(a.Run).Results.DeviceRef))
	a = w.ask(r)
	if a.Bundle == nil {
		w.t.Fatalf("asked again, it is told %+v\n%s", a, log(w.run(a.Run)))
	}
	w.must(w.op.ConfirmProvisioning(w.ctx, api.Confirmation{Gateway: "op", Ref: a.Bundle.Ref, Twin: a.Bundle.Twin}))
	run := w.run(a.Run)
	if run.Outcome != provision.Completed {
		w.t.Fatalf("confirmed, it is not completed:\n%s", log(run))
	}
	return run, a.Bundle
}

// log is a run's log for people.
func log(r provision.Run) string {
	var b strings.Builder
	for _, s := range r.Steps {
		fmt.Fprintf(&b, "%s %-18s %-20s %-24s %-8s %s\n", s.At.Format("15:04:05.000"), s.State, s.Action, s.Actor, s.Outcome, s.Reason)
	}
	return b.String()
}
