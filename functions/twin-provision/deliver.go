package twinprovision

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/provision"
)

// The statuses of an answer; each is a topic of the device's.
const (
	accepted = "accepted"
	rejected = "rejected"
	pending  = "status"
)

// answer is what a device is told of its run: the bundle once the model has delivered it and while it is kept, which makes it
// the same bundle however often it is asked for.
func answer(r *provision.Run) api.ProvisionAnswer {
	a := api.ProvisionAnswer{Status: "pending", Run: r.ID, State: r.State}
	switch {
	case r.Outcome == provision.Rejected || r.Withdrawing:
		a.Status, a.State, a.Reason = rejected, "", cmp.Or(r.Hears, r.Reason)
	case r.Results.Delivered && r.Results.Bundled():
		a.Status, a.State, a.Bundle = accepted, "", bundle(r)
	case r.Outcome == provision.Completed:
		a.Status, a.State, a.Reason = rejected, "", erased(r)
	}
	return a
}

func bundle(r *provision.Run) *api.Bundle {
	s := &r.Results
	b := &api.Bundle{Ref: device.Ref(s.DeviceRef), Twin: r.Twin, Gateway: s.GatewayURL, Gateways: s.Gateways, Protocol: r.Request.Protocol, CA: s.CA,
		Kind: s.Kind, Username: s.Username, Certificate: s.Certificate, Sealed: s.Sealed}
	if c := r.Results.Configuration; c != nil {
		b.Configuration = c.Content
	}
	return b
}

// erased is the reason that a device is told which asks again after its credential was erased.
func erased(r *provision.Run) string {
	return "serial " + r.Request.Serial + " is provisioned already and its credential was handed out; to enrol it anew, reset its run: castor run reset " + r.ID
}

// deliver sends the bundle to the device if it is there. One that is not asks again.
func (f *function) deliver(ctx context.Context, r *provision.Run) (result, error) {
	if r.Results.Kind == string(device.Relayed) {
		return result{"nothing is carried to it: " + string(r.Request.Via) + " speaks for it", func(r *provision.Run) { r.Results.Delivered = true }}, nil
	}
	if !r.Results.Bundled() || r.Results.GatewayURL == "" {
		return result{}, refusal("the model delivers before there are a credential and a gateway")
	}
	err := f.send(ctx, r, api.ProvisionAnswer{Status: accepted, Run: r.ID, Bundle: bundle(r)})
	note := "sent to client " + r.Request.Client + " at gateway " + r.Request.Gateway
	if errors.Is(err, bus.ErrNoListener) {
		note, err = "the device's gateway does not listen; it gets the bundle when it asks again", nil
	}
	return result{note, func(r *provision.Run) { r.Results.Delivered = true }}, err
}

// sendFor bounds how long a gateway may take to take an answer.
const sendFor = 5 * time.Second

// send brings an answer to the device at the provisioning gateway it asked through.
func (f *function) send(ctx context.Context, r *provision.Run, a api.ProvisionAnswer) error {
	if r.Request.Gateway == "" {
		return bus.ErrNoListener
	}
	payload, err := json.Marshal(a)
	if err != nil {
		return err
	}
	topic := a.Status
	if topic == "pending" {
		topic = pending
	}
	claim := r.Request.Claim
	if r.Request.Listed != "" {
		claim = "" // its connection shows none
	}
	ctx, cancel := context.WithTimeout(ctx, sendFor)
	defer cancel()
	return f.p.Bus.Send(ctx, bus.Downlink{Gateway: r.Request.Gateway, Device: r.Request.Client, Claim: claim, ID: roundOf(r) + "." + a.Status,
		Topic: "castor/provision/" + r.Request.Client + "/" + topic, Payload: payload})
}
