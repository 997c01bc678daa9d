package link

import (
	"errors"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
)

// The answer of a call that an event overtook may be of before the change it tells of.
func TestAnAnswerThatAnEventOvertookIsVoid(t *testing.T) {
	w := linktest.NewWorld(t)
	calling, hold := make(chan struct{}, 10), make(chan struct{})
	w.Platform.OnResolve(func() { calling <- struct{}{}; <-hold })
	l, err := New(Config{
		Gateway: api.Gateway{ID: w.Gateway, Phase: "operational", Protocol: "test", URL: "test://here"},
		API:     w.API, Bus: w.Bus, Protocol: deaf{}, Log: linktest.Quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.stop()
	go l.mappings.run(l.work)
	known := make(chan bool)
	go func() {
		_, ok, _ := l.mappings.get("p-1", nil)
		known <- ok
	}()
	<-calling
	l.mappings.changed(event.New("c#1", event.CredentialChanged, "", time.Now(), api.CredentialChanged{Ref: "p-1"}))
	close(hold)
	if !<-known {
		t.Error("the reference has a twin")
	}
	if n := w.Platform.Calls("POST credentials/resolve"); n != 2 {
		t.Errorf("%d calls, want the first answer to be void and a second call", n)
	}
}

type deaf struct{}

func (deaf) Stored(*Session, twin.Order)           {}
func (deaf) Answer(*Claimant, api.ProvisionAnswer) {}
func (deaf) Deliver(bus.Downlink)                  {}

func (deaf) Command(*Session, Down) error { return errors.New("deaf") }
