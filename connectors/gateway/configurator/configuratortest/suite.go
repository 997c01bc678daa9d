// Package configuratortest is the suite that every gateway with its configurator passes, whoever made it: the platform puts
// whom the gateway lets in into a bucket, and real devices find out whether it does.
package configuratortest

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
)

// A Gateway is what the suite needs of one.
type Gateway struct {
	// Start runs an operational gateway of id w.Gateway, with what configures it, until stop is called or the test ends. What it
	// keeps for a restart it keeps in w.Dir. Devices show certificates of w.CA.
	Start func(t testing.TB, w *linktest.World) Running

	// Kinds are what its devices may show: certificates, and secrets of those kinds.
	Kinds []device.Kind

	// Seal, where the gateway takes plain secrets only, puts the secret into the admission as it needs it.
	Seal func(t testing.TB, w *linktest.World, a *api.Admission, secret string)

	// OwnTopics is set for a gateway that lets devices in whose firmware has topics of its own. Others tell that they cannot.
	OwnTopics bool

	// Reissued is set for a gateway that cannot let devices with a secret back in once it has lost it: it tells so.
	Reissued bool
}

// Running is a gateway that runs.
type Running struct {
	// Dial connects a device. It returns an error if the gateway refuses.
	Dial func(id linktest.Identity) (Device, error)

	// Stop ends the configurator, and the gateway where the two are one.
	Stop func()

	// Forget has the gateway lose what it was told, while the configurator runs; nil where it has no memory of its own.
	Forget func()
}

// A Device is connected.
type Device interface {
	Publish() error        // sends telemetry, and waits until the gateway has taken it
	Gone() <-chan struct{} // closed when the connection has ended
	Close()
}

// Run runs the suite.
func Run(t *testing.T, g Gateway) {
	for _, kind := range g.Kinds {
		for _, s := range stories {
			t.Run(string(kind)+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				w := linktest.NewWorld(t)
				w.Fill()
				st := &stage{t: t, w: w, g: g, kind: kind, told: listen(t, w)}
				st.Running = g.Start(t, w)
				s.play(st)
			})
		}
	}
}

var stories = []struct {
	name string
	play func(*stage)
}{
	{"who is admitted comes in, and it is told", admitted},
	{"who is removed is cut off within a second and stays out", removed},
	{"who is admitted again comes in again", again},
	{"who is suspended stays out, also after a restart, and comes in again by what it had", suspended},
	{"strangers, and devices with another's credential, stay out", strangers},
	{"while a credential is renewed both are good, and only who shows the old one goes with it", renewed},
	{"what stays the same ends no session", same},
	{"an admission ends by itself", expires},
	{"who has topics of its own comes in where they are kept apart, else it is told why not", ownTopics},
	{"what changes while the configurator is away counts when it is back", away},
	{"a gateway that has lost its memory is told everything again", forgets},
}

// A stage is where one story plays.
type stage struct {
	Running
	t    *testing.T
	w    *linktest.World
	g    Gateway
	kind device.Kind
	told func() []api.GatewayApplied
}

// admission makes a credential for ref: what the device shows, and what the gateway is told.
func (s *stage) admission(ref device.Ref) (linktest.Identity, api.Admission) {
	s.t.Helper()
	a := api.Admission{Client: string(ref), Phase: "operational", Kind: s.kind}
	if s.kind == device.Certificate {
		cert := s.w.CA.Issue(s.t, string(ref))
		a.Fingerprints = []string{linktest.Fingerprint(cert)}
		return linktest.Identity{Client: string(ref), Certificate: &cert}, a
	}
	id, a, secret := linktest.Secret(ref, s.kind)
	if s.g.Seal != nil {
		s.g.Seal(s.t, s.w, &a, secret)
	}
	return id, a
}

// admit lets a new device in.
func (s *stage) admit(ref device.Ref) (linktest.Identity, api.Admission) {
	s.t.Helper()
	id, a := s.admission(ref)
	s.put(a)
	return id, a
}

// put has the gateway told, and waits until it has told back.
func (s *stage) put(a api.Admission) uint64 {
	s.t.Helper()
	revision := s.w.Admit(a)
	s.await(a.Client, revision)
	return revision
}

func (s *stage) remove(ref device.Ref) uint64 {
	s.t.Helper()
	revision := s.w.Dismiss(string(ref))
	s.await(string(ref), revision)
	return revision
}

func (s *stage) await(client string, revision uint64) (told api.GatewayApplied) {
	s.t.Helper()
	linktest.Eventually(s.t, "the gateway tells what it has applied for "+client, func() bool {
		for _, a := range s.told() {
			if a.Client == client && a.Revision == revision && a.Gateway == s.w.Gateway {
				told = a
				return true
			}
		}
		return false
	})
	return told
}

// in connects a device that the gateway must let in now.
func (s *stage) in(id linktest.Identity) Device {
	s.t.Helper()
	d, err := s.Dial(id)
	if err != nil {
		s.t.Fatalf("%s is refused: %v", id.Client, err)
	}
	s.t.Cleanup(d.Close)
	if err := d.Publish(); err != nil {
		s.t.Fatalf("%s cannot publish: %v", id.Client, err)
	}
	return d
}

// out finds a device refused.
func (s *stage) out(id linktest.Identity, why string) {
	s.t.Helper()
	if d, err := s.Dial(id); err == nil {
		err = d.Publish()
		d.Close()
		s.t.Errorf("%s was let in: %s (its message: %v)", id.Client, why, err)
	}
}

func (s *stage) gone(d Device, within time.Duration, what string) {
	s.t.Helper()
	select {
	case <-d.Gone():
	case <-time.After(within):
		s.t.Fatalf("not within %s: the end of %s", within, what)
	}
}

func (s *stage) stays(d Device, what string) {
	s.t.Helper()
	select {
	case <-d.Gone():
		s.t.Fatalf("%s has ended", what)
	default:
	}
	if err := d.Publish(); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

// floor is how slow the machine is now: the slowest of three messages of a device.
func (s *stage) floor(d Device) (slowest time.Duration) {
	s.t.Helper()
	for range 3 {
		begin := time.Now()
		if err := d.Publish(); err != nil {
			s.t.Fatal(err)
		}
		slowest = max(slowest, time.Since(begin))
	}
	return slowest
}

// listen collects what the gateway tells.
func listen(t testing.TB, w *linktest.World) func() []api.GatewayApplied {
	t.Helper()
	var mu sync.Mutex
	var told []api.GatewayApplied
	stop, err := w.Bus.Watch([]event.Topic{event.GatewayApplied}, func(e event.Event) {
		var a api.GatewayApplied
		if err := e.Decode(&a); err != nil || !strings.HasPrefix(e.ID, "applied:") {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		told = append(told, a)
	}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return func() []api.GatewayApplied {
		mu.Lock()
		defer mu.Unlock()
		return append([]api.GatewayApplied(nil), told...)
	}
}
