package device_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/agent/device"
	"github.com/castor-iot/castor/agent/internal/gatewaytest"
	"github.com/castor-iot/castor/shared/api"
)

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// Two hundred devices come in, half of them lose the link while all measure, and each value is stored once.
func TestFleet(t *testing.T) {
	const devices, values = 200, 30
	p := gatewaytest.New(t)
	cfgs := make([]device.Config, devices)
	for i := range cfgs {
		serial := fmt.Sprintf("P-%d", i)
		cfgs[i] = device.Config{Claim: p.Claim, Serial: serial, Progress: func(p agent.Progress) {
			if p.Phase == agent.Waiting && strings.Contains(p.Detail, "no answer in time") {
				t.Errorf("%s did not notice at once that its link was cut: %s", serial, p.Detail)
			}
		}}
	}
	fleet, err := device.StartAll(within(t, 60*time.Second), cfgs, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := device.CloseAll(fleet); err != nil {
			t.Error(err)
		}
	})
	noon := time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)
	for n := range values {
		for i, d := range fleet {
			if i%2 == 0 && n == values/3 {
				d.CutOff()
			}
			if _, err := d.Measure(noon.Add(time.Duration(n)*time.Second), map[string]any{"n": n}); err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 && n == values-2 {
				d.Reconnect()
			}
		}
	}
	ctx := within(t, 60*time.Second)
	for _, d := range fleet {
		if err := d.Drain(ctx); err != nil {
			t.Fatal(d.Ref(), err)
		}
	}
	next := map[string]int{} // of each device
	for _, m := range p.Messages() {
		ref := string(m.Ref)
		if n := int(m.Data["n"].(float64)); n == next[ref] {
			next[ref]++
		} else if n > next[ref] {
			t.Fatalf("%s: value %d came before value %d", ref, n, next[ref])
		}
	}
	for _, d := range fleet {
		if got := next[string(d.Ref())]; got != values {
			t.Errorf("%s: %d values stored, want %d", d.Ref(), got, values)
		}
	}
}

func TestStartAllTellsWhoWasRejected(t *testing.T) {
	p := gatewaytest.New(t)
	p.Answer = func(req api.ProvisionRequest) *api.ProvisionAnswer {
		if req.Serial == "P-2" {
			return &api.ProvisionAnswer{Status: "rejected", Reason: "serial P-2 is unknown"}
		}
		return p.Accept(req)
	}
	cfgs := []device.Config{{Claim: p.Claim, Serial: "P-1"}, {Claim: p.Claim, Serial: "P-2"}, {Claim: p.Claim, Serial: "P-3"}}
	_, err := device.StartAll(within(t, 20*time.Second), cfgs, 1, nil)
	if !errors.Is(err, agent.ErrRejected) || !strings.Contains(err.Error(), "P-2 is unknown") {
		t.Errorf("StartAll returned %v", err)
	}
}

func TestDeviceWithADirectoryComesBack(t *testing.T) {
	p := gatewaytest.New(t)
	dir := t.TempDir()
	d, err := device.Start(device.Config{Claim: p.Claim, Serial: "P-1", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Ready(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	d.CutOff()
	d.Measure(time.Now(), map[string]any{"n": 1})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err = device.Start(device.Config{Serial: "P-1", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Pending() != 1 {
		t.Errorf("%d messages pending after the restart, want 1", d.Pending())
	}
	if err := d.Drain(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	if len(p.Requests()) != 1 || len(p.Messages()) != 1 {
		t.Errorf("%d requests, %d messages; want one of each", len(p.Requests()), len(p.Messages()))
	}
}
