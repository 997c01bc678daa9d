package foreign_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/gateway/configurator"
	"github.com/castor-iot/castor/connectors/gateway/configurator/configuratortest"
	"github.com/castor-iot/castor/connectors/gateway/foreign"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/seal"
)

func TestSuite(t *testing.T) {
	var mu sync.Mutex
	strangers := map[*linktest.World]*stranger{}
	public, private, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	configuratortest.Run(t, configuratortest.Gateway{
		Kinds: []device.Kind{device.Certificate, device.Password},
		Seal: func(t testing.TB, w *linktest.World, a *api.Admission, secret string) {
			raw, err := seal.ReadPublicKey(public)
			if err == nil {
				a.Sealed, err = seal.Seal(raw, api.SealInfo(device.Ref(a.Client)), fmt.Appendf(nil, `{"secret":%q}`, secret))
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		Start: func(t testing.TB, w *linktest.World) configuratortest.Running {
			mu.Lock()
			s := strangers[w]
			if s == nil { // it outlives its configurator
				s = newStranger(t, w, private)
				strangers[w] = s
			}
			mu.Unlock()
			return configuratortest.Running{Dial: func(id linktest.Identity) (configuratortest.Device, error) {
				d, err := s.dial(w, id)
				if err != nil {
					return nil, err
				}
				return d, nil
			},
				Stop: configure(t, w, s), Forget: s.forget}
		},
	})
}

func configure(t testing.TB, w *linktest.World, s *stranger) (stop func()) {
	t.Helper()
	target, err := foreign.New(foreign.Config{URL: s.contract.URL + "/castor/", Token: "token", HTTP: s.contract.Client()})
	if err != nil {
		t.Fatal(err)
	}
	c, err := configurator.New(configurator.Config{Gateway: api.Gateway{ID: w.Gateway, Phase: "operational", Protocol: "lines", URL: "tls://" + s.devices.Addr().String()},
		API: w.API, Bus: w.Bus, Target: target, Dir: w.Dir, Log: linktest.Quiet, Heartbeat: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

// A gateway that answers nonsense, too much, or somewhere else is not believed.
func TestWhatAStrangerMayNotAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"no epoch":     {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) }, "epoch"},
		"no JSON":      {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `<html>`) }, "no JSON"},
		"a long epoch": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"epoch":%q}`, strings.Repeat("x", 200)) }, "epoch"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}, "302"},
		"a fault":        {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `{"detail":"on fire"}`, 500) }, "on fire"},
		"that it cannot": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `{"detail":"no secret"}`, http.StatusGone) }, "must be issued anew"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(tt.answer)
			defer s.Close()
			target, err := foreign.New(foreign.Config{URL: s.URL, Token: "token"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := target.State(t.Context()); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
	for _, url := range []string{"", "http://gateway.example/castor", "ftp://127.0.0.1", "https://user:word@gateway.example", "https://gateway.example/?x=1"} {
		if _, err := foreign.New(foreign.Config{URL: url, Token: "token"}); err == nil {
			t.Errorf("address %q is taken", url)
		}
	}
}
