package gateway_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
)

// run runs a door of a protocol that says nothing: what is accepted stays open until the door ends it.
func run(t *testing.T, w *linktest.World, change func(*gateway.Config)) *gateway.Door {
	t.Helper()
	c := gateway.Config{ID: w.Gateway, Phase: gateway.Operational, Protocol: "silence", Addr: "127.0.0.1:0", TLS: w.CA.Server(t, true), Dir: t.TempDir(), Bus: w.Bus,
		VerifierKey: linktest.VerifierKey, Log: linktest.Quiet}
	if change != nil {
		change(&c)
	}
	d, err := gateway.NewDoor(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	var mu sync.Mutex
	var open []net.Conn
	go func() {
		done <- d.Run(ctx, func(l net.Listener) error {
			for {
				c, err := l.Accept()
				if err != nil {
					return err
				}
				go func() { // as a server does: it notices the end by reading
					_, _ = c.Read(make([]byte, 1))
					_ = c.Close()
				}()
				mu.Lock()
				open = append(open, c)
				mu.Unlock()
			}
		}, func() {
			mu.Lock()
			defer mu.Unlock()
			for _, c := range open {
				_ = c.Close()
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the door ended with %v", err)
			}
		case <-time.After(linktest.Patience):
			t.Error("the door does not end")
		}
		if n := d.Stats().Sessions; n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
	w.Fill()
	linktest.Eventually(t, "the door is ready", func() bool { return d.Ready() == nil })
	return d
}

var home = netip.MustParseAddr("192.0.2.1")

func shown(id linktest.Identity) gateway.Shown {
	return gateway.Shown{Address: home, User: id.User, Secret: id.Password}
}

// visitor opens and closes sessions of visits, and counts.
type visitor struct {
	mu             sync.Mutex
	opened, closed int
}

func (v *visitor) open(s *gateway.Session) func() {
	s.Attach(v)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.opened++
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.closed++
	}
}

func (v *visitor) counts() (opened, closed int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.opened, v.closed
}

func TestADeviceThatVisitsHasOneSession(t *testing.T) {
	w := linktest.NewWorld(t)
	id := w.AdmitSecret("p-1", device.Token)
	d := run(t, w, func(c *gateway.Config) { c.Limits.Linger = 200 * time.Millisecond })
	v := &visitor{}
	var all sync.WaitGroup
	var mu sync.Mutex
	ids := make(map[string]int)
	for range 50 { // at once
		all.Go(func() {
			s, done, err := d.Visit(t.Context(), shown(id), v.open)
			if err != nil {
				t.Error(err)
				return
			}
			defer done()
			if s.Client != "p-1" || s.Name != "p-1" || s.Kind != device.Token || s.Attached() != v || s.Number == 0 {
				t.Errorf("visited %+v", s)
			}
			settle, ok := s.Take(t.Context())
			if !ok {
				t.Error("a message of a visit was not taken")
				return
			}
			settle(true)
			mu.Lock()
			defer mu.Unlock()
			ids[s.ID]++
		})
	}
	all.Wait()
	if opened, closed := v.counts(); opened != 1 || closed != 0 || len(ids) != 1 {
		t.Errorf("50 visits at once opened %d sessions and closed %d: %v", opened, closed, ids)
	}
	linktest.Eventually(t, "the session ends a while after the last visit", func() bool { _, closed := v.counts(); return closed == 1 && d.Stats().Sessions == 0 })
	_, done, err := d.Visit(t.Context(), shown(id), v.open)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if opened, _ := v.counts(); opened != 2 {
		t.Errorf("%d sessions were opened, want a second", opened)
	}
}

// A visit that is under way keeps its session, and holds back what closes it.
func TestASessionIsClosedWhenTheLastVisitHasEnded(t *testing.T) {
	w := linktest.NewWorld(t)
	id := w.AdmitSecret("p-1", device.APIKey)
	d := run(t, w, func(c *gateway.Config) { c.Limits.Linger = 50 * time.Millisecond })
	v := &visitor{}
	s, done, err := d.Visit(t.Context(), shown(id), v.open)
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(1500 * time.Millisecond) // longer than it would linger
	if s.Why() != nil {
		t.Fatalf("a session that is visited has ended: %v", s.Why())
	}
	w.Dismiss("p-1")
	select {
	case <-s.Done():
	case <-time.After(linktest.Patience):
		t.Fatal("a device that was removed has its session still")
	}
	if !errors.Is(s.Why(), gateway.ErrDismissed) {
		t.Errorf("the session ended because %v", s.Why())
	}
	if _, _, err := d.Visit(t.Context(), shown(id), v.open); !errors.Is(err, gateway.ErrRefused) {
		t.Errorf("a device that was removed: %v", err)
	}
	if _, closed := v.counts(); closed != 0 {
		t.Error("the session was closed while a visit is under way")
	}
	done()
	linktest.Eventually(t, "it is closed then", func() bool { _, closed := v.counts(); return closed == 1 })
}

// A stream is the session of its device: what the device asks beside visits that.
func TestACallVisitsTheStreamsSession(t *testing.T) {
	w := linktest.NewWorld(t)
	id := w.AdmitSecret("p-1", device.Password)
	d := run(t, w, nil)
	ended := make(chan error, 1)
	s, err := d.Enter(t.Context(), shown(id), func(why error) { ended <- why })
	if err != nil {
		t.Fatal(err)
	}
	s.Attach("stream")
	visited, done, err := d.Visit(t.Context(), shown(id), func(*gateway.Session) func() {
		t.Error("a second session was opened")
		return nil
	})
	if err != nil || visited != s || visited.Attached() != "stream" {
		t.Fatalf("visited %+v, %v", visited, err)
	}
	done()
	second := make(chan *gateway.Session)
	go func() {
		next, err := d.Enter(context.Background(), shown(id), func(error) {})
		if err != nil {
			t.Error(err)
		}
		second <- next
	}()
	if why := <-ended; !errors.Is(why, gateway.ErrReplaced) {
		t.Errorf("the stream was ended because %v", why)
	}
	select {
	case <-second:
		t.Error("the second began before the first had left")
	case <-time.After(50 * time.Millisecond):
	}
	s.Leave()
	next := <-second
	if next.ID <= s.ID {
		t.Errorf("session %s follows %s", next.ID, s.ID)
	}
	next.Leave()
}

func TestWhatASecretOpens(t *testing.T) {
	w := linktest.NewWorld(t)
	token, password := w.AdmitSecret("p-1", device.Token), w.AdmitSecret("p-2", device.Password)
	cert := w.CA.Issue(t, "p-3")
	w.Admit(api.Admission{Client: "p-3", Phase: "operational", Fingerprints: []string{linktest.Fingerprint(cert)}})
	d := run(t, w, func(c *gateway.Config) { c.Limits.FailureBurst = 1000 })
	_, bare, _ := device.Split(token.Password)
	try := func(s gateway.Shown) (string, error) {
		s.Address = home
		in, err := d.Enter(t.Context(), s, func(error) {})
		if err != nil {
			return "", err
		}
		defer in.Leave()
		return in.Client, nil
	}
	for what, s := range map[string]gateway.Shown{
		"token":                                  {Secret: token.Password},
		"token and any user name":                {Secret: token.Password, User: "castor"},
		"token, named by the client":             {Secret: token.Password, Client: "p-1"},
		"the bare secret, the reference as name": {Secret: bare, User: "p-1"},
	} {
		if client, err := try(s); client != "p-1" {
			t.Errorf("%s: %q, %v", what, client, err)
		}
	}
	for what, s := range map[string]gateway.Shown{
		"password":                      {User: password.User, Secret: password.Password},
		"password, named by the client": {User: password.User, Secret: password.Password, Client: "p-2"},
		"password by reference":         {User: "p-2", Secret: password.Password},
	} {
		if client, err := try(s); client != "p-2" {
			t.Errorf("%s: %q, %v", what, client, err)
		}
	}
	for what, s := range map[string]gateway.Shown{
		"nothing":                     {},
		"a client name":               {Client: "p-1"},
		"another's token":             {Secret: token.Password, Client: "p-2"},
		"another's password":          {User: password.User, Secret: password.Password, Client: "p-1"},
		"another's user name":         {User: password.User, Secret: bare, Client: "p-1"},
		"a password without a name":   {Secret: password.Password},
		"the secret of another":       {Secret: device.Joined("p-2", bare)},
		"a device with a certificate": {Secret: device.Joined("p-3", bare)},
		"a device that is not":        {Secret: device.Joined("p-9", bare)},
		"an empty secret":             {Secret: "p-1."},
		"no reference":                {Secret: "../../p-1." + bare},
		"a fingerprint as secret":     {User: "p-3", Secret: linktest.Fingerprint(cert)},
		"a huge one":                  {User: "p-1", Secret: string(make([]byte, 1<<20))},
		"bytes":                       {User: "p-1\x00", Secret: "\xff\xfe"},
	} {
		if client, err := try(s); !errors.Is(err, gateway.ErrRefused) {
			t.Errorf("%s came in as %q: %v", what, client, err)
		}
	}
	without := run(t, linktest.NewWorld(t), func(c *gateway.Config) { c.VerifierKey = nil })
	if _, err := without.Enter(t.Context(), shown(token), func(error) {}); !errors.Is(err, gateway.ErrRefused) {
		t.Errorf("a gateway without the key let a secret in: %v", err)
	}
}

// Who guesses is not heard any more, also on a connection that stays open.
func TestGuessesEnd(t *testing.T) {
	w := linktest.NewWorld(t)
	id := w.AdmitSecret("p-1", device.Token)
	d := run(t, w, func(c *gateway.Config) { c.Limits.FailureBurst, c.Limits.FailureRate = 5, 1e-9 })
	bad := shown(id)
	bad.Secret += "x"
	for range 5 {
		if _, _, err := d.Visit(t.Context(), bad, nil); !errors.Is(err, gateway.ErrRefused) {
			t.Fatal(err)
		}
	}
	if _, _, err := d.Visit(t.Context(), shown(id), nil); !errors.Is(err, gateway.ErrThrottled) {
		t.Errorf("after five guesses the address is heard: %v", err)
	}
	other := shown(id)
	other.Address = netip.MustParseAddr("192.0.2.2")
	_, done, err := d.Visit(t.Context(), other, new(visitor).open)
	if err != nil {
		t.Fatalf("another address: %v", err)
	}
	done()
}

func TestWhoShowsNothingGivesWay(t *testing.T) {
	w := linktest.NewWorld(t)
	w.AdmitClaim("claim-1", "token")
	d := run(t, w, func(c *gateway.Config) {
		c.Phase, c.Knocks, c.TLS = gateway.Provisioning, true, w.CA.Server(t, false)
		c.Limits.Knockers, c.Limits.Hurry, c.Limits.KnockBurst, c.Limits.Knocks = 3, 100*time.Millisecond, 2, 4
	})
	address := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}) }
	enter := func(i int) (*gateway.Session, error) {
		s, err := d.Enter(t.Context(), gateway.Shown{Address: address(i)}, func(error) {})
		if err == nil {
			t.Cleanup(s.Leave)
		}
		return s, err
	}
	var in []*gateway.Session
	for i := range 3 {
		s, err := enter(i)
		if err != nil || !s.Anonymous() || s.Client == "" {
			t.Fatalf("%+v, %v", s, err)
		}
		in = append(in, s)
	}
	if _, err := enter(3); !errors.Is(err, gateway.ErrThrottled) {
		t.Errorf("a fourth of three at once: %v", err)
	}
	<-time.After(150 * time.Millisecond)
	if _, err := enter(3); err != nil {
		t.Errorf("a newcomer: %v", err)
	}
	<-in[0].Done()
	if !errors.Is(in[0].Why(), gateway.ErrGaveWay) || in[1].Why() != nil {
		t.Errorf("the longest waiting ended by %v, the next by %v", in[0].Why(), in[1].Why())
	}
	for range 2 {
		if err := in[1].Knock(); err != nil {
			t.Error(err)
		}
	}
	if err := in[1].Knock(); !errors.Is(err, gateway.ErrThrottled) {
		t.Errorf("a third knock of one address: %v", err)
	}
	if _, err := enter(1); !errors.Is(err, gateway.ErrThrottled) {
		t.Errorf("an address that has no knock left came in: %v", err)
	}
	for range 2 {
		if err := in[2].Knock(); err != nil {
			t.Error(err)
		}
	}
	if last, err := enter(9); err == nil {
		if err := last.Knock(); !errors.Is(err, gateway.ErrThrottled) {
			t.Errorf("a fifth knock in all, at once: %v", err)
		}
	}
	go func() { // as a protocol does
		<-in[1].Done()
		in[1].Leave()
	}()
	s, err := d.Enter(t.Context(), gateway.Shown{Address: address(1), Client: in[1].Client, User: "claim-1", Secret: "token"}, func(error) {})
	if err != nil {
		t.Fatalf("who has a claim waits for who has none: %v", err)
	}
	defer s.Leave()
	if !errors.Is(s.Knock(), gateway.ErrRefused) {
		t.Error("who has a claim may knock")
	}
	if _, err := d.Enter(t.Context(), gateway.Shown{Address: address(4), Client: s.Client}, func(error) {}); !errors.Is(err, gateway.ErrBusy) {
		t.Errorf("who shows nothing takes the session of who has a claim: %v", err)
	}
	if n := d.Stats().Knocks; n != 3 {
		t.Errorf("%d knocks were turned away, want 3", n)
	}
}

// Connections that do not come to a session end, whatever they did before.
func TestTheHallIsLeftInTime(t *testing.T) {
	w := linktest.NewWorld(t)
	d := run(t, w, func(c *gateway.Config) { c.Limits.Handshake = 200 * time.Millisecond })
	conn, err := tls.Dial("tcp", d.Addr().String(), w.CA.Client(linktest.Identity{}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(linktest.Patience))
	begin := time.Now()
	if _, err := conn.Read(make([]byte, 1)); err == nil || time.Since(begin) > 5*time.Second {
		t.Errorf("a connection that shows nothing is there after %s: %v", time.Since(begin), err)
	}
}
