package api

import (
	"context"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// ProvisionRequest is a device's request as its connector got it.
type ProvisionRequest struct {
	Gateway string      `json:"gateway"`
	Client  string      `json:"client"` // MQTT client id: where the answer goes
	Claim   string      `json:"claim"`  // the claim id the gateway authenticated
	Type    twin.TypeID `json:"type"`   // from the topic

	Serial string            `json:"serial"`
	MAC    string            `json:"mac,omitempty"`
	Model  string            `json:"model,omitempty"`
	Facts  map[string]string `json:"facts,omitempty"`
	CSR    string            `json:"csr,omitempty"` // PEM; for a certificate

	// PublicKey is X25519, base64: what the platform makes for the device is sealed to it. One of CSR and PublicKey must be there.
	PublicKey string `json:"publicKey,omitempty"`
	Kind      string `json:"kind,omitempty"`     // of credential: certificate, token, password, api-key; "" = what its key is for
	Protocol  string `json:"protocol,omitempty"` // that it will speak: mqtt, grpc, http; "" = mqtt
}

// ProvisionAnswer is what the device is told: on castor/provision/{client}/accepted, rejected or status.
type ProvisionAnswer struct {
	Status string  `json:"status"` // accepted, rejected or pending
	Run    string  `json:"run,omitempty"`
	State  string  `json:"state,omitempty"`  // of a pending run
	Reason string  `json:"reason,omitempty"` // of a rejection
	Bundle *Bundle `json:"bundle,omitempty"`
}

// Bundle is all a device needs to go operational.
type Bundle struct {
	Ref           device.Ref `json:"ref"`                   // MQTT client id and {device} of its topics
	Twin          twin.ID    `json:"twin"`                  // for people
	Gateway       string     `json:"gateway"`               // "tls://host:port"
	Gateways      []string   `json:"gateways,omitempty"`    // what to dial, Gateway first; the others should that one not answer or not let it in
	CA            string     `json:"ca"`                    // PEM
	Protocol      string     `json:"protocol,omitempty"`    // that the gateways speak; "" = mqtt
	Kind          string     `json:"kind,omitempty"`        // of the credential; "" = certificate
	Username      string     `json:"username,omitempty"`    // of kind password
	Certificate   string     `json:"certificate,omitempty"` // PEM, for the key of the request's CSR
	Sealed        string     `json:"sealed,omitempty"`      // Secret, sealed to the request's public key
	Configuration string     `json:"configuration"`         // "" if the type has none
}

// Confirmation tells that a device has confirmed on its operational gateway.
type Confirmation struct {
	Gateway string     `json:"gateway"`
	Ref     device.Ref `json:"ref"`
	Twin    twin.ID    `json:"twin"`

	// Seen is set where the device has not said so: its session has begun, with a credential that is not confirmed yet.
	Seen bool `json:"seen,omitempty"`
}

// ProvisionStep is the data of event provision.step.
type ProvisionStep struct {
	Run     string            `json:"run"`
	Type    twin.TypeID       `json:"type"`
	Twin    twin.ID           `json:"twin,omitempty"`
	Owner   string            `json:"owner,omitempty"`
	Serial  string            `json:"serial"`
	Outcome provision.Outcome `json:"outcome,omitempty"`
	Steps   []provision.Step  `json:"steps"` // what was logged since the last event

	// Scope is who may see the twin when this was logged; nil where there is none (yet): then the run's type and owner count.
	Scope *TwinScope `json:"scope,omitempty"`
}

// Reset says why a run is reset.
type Reset struct {
	Reason string `json:"reason"`
}

// Rejection is a request that never became a run, or an attempt on somebody else's run.
type Rejection struct {
	ID      string           `json:"id" bson:"_id"`
	Request ProvisionRequest `json:"request" bson:"request"`
	Reason  string           `json:"reason" bson:"reason"`
	At      time.Time        `json:"at" bson:"at"`
}

// RequestProvisioning brings a device's request to its type's TDTA.
func (c *Client) RequestProvisioning(ctx context.Context, in ProvisionRequest) (out ProvisionAnswer, err error) {
	return out, c.Call(ctx, "POST", "twin-provision", "/requests", in, &out)
}

// ConfirmProvisioning tells that a device has confirmed.
func (c *Client) ConfirmProvisioning(ctx context.Context, in Confirmation) error {
	return c.Call(ctx, "POST", "twin-provision", "/confirmations", in, nil)
}

// PutModel makes a provisioning model or a new version of it.
func (c *Client) PutModel(ctx context.Context, in provision.Model) (out provision.Model, err error) {
	return out, c.Call(ctx, "PUT", "twin-provision", "/models/"+in.ID, in, &out)
}

// ListModels lists the provisioning models.
func (c *Client) ListModels(ctx context.Context, cursor string) (out Page[provision.Model], err error) {
	return out, c.Call(ctx, "GET", "twin-provision", "/models"+query("cursor", cursor), nil, &out)
}

// GetModel returns a provisioning model.
func (c *Client) GetModel(ctx context.Context, id string) (out provision.Model, err error) {
	return out, c.Call(ctx, "GET", "twin-provision", "/models/"+id, nil, &out)
}

// ResetRun withdraws what a run has made, also that of a device which is operational: its certificate ends, it is cut off, and
// it may ask to be provisioned anew, with another key too. Its twin stays.
func (c *Client) ResetRun(ctx context.Context, id, reason string) (out provision.Run, err error) {
	return out, c.Call(ctx, "POST", "twin-provision", "/runs/"+id+"/reset", Reset{reason}, &out)
}

// GetRun returns a run with its log.
func (c *Client) GetRun(ctx context.Context, id string) (out provision.Run, err error) {
	return out, c.Call(ctx, "GET", "twin-provision", "/runs/"+id, nil, &out)
}

// RunQuery selects runs; zero fields select nothing out.
type RunQuery struct {
	Twin   twin.ID
	Type   twin.TypeID
	Model  string // the id of a provisioning model
	State  string // the name of a state; only those that are in it, which ended ones are not
	Awaits string // "people": only those that people are to decide about
	Open   string // "true": only those that have not ended; "false": only those that have

	Outcome provision.Outcome // only those that have ended so
	Since   time.Time         // only those begun then or later; the zero time = all

	Limit  int // 0 = 100, at most 1,000
	Cursor string
}

// ListRuns pages through the runs the caller may see, newest first.
func (c *Client) ListRuns(ctx context.Context, q RunQuery) (out Page[provision.Run], err error) {
	since := ""
	if !q.Since.IsZero() {
		since = q.Since.UTC().Format(time.RFC3339Nano)
	}
	return out, c.Call(ctx, "GET", "twin-provision", "/runs"+query("twin", string(q.Twin), "type", string(q.Type), "model", q.Model, "state", q.State,
		"open", q.Open, "outcome", string(q.Outcome), "since", since, "awaits", q.Awaits, "limit", positive(q.Limit), "cursor", q.Cursor), nil, &out)
}

// GetModelVersion returns a provisioning model as it was in one of its versions.
func (c *Client) GetModelVersion(ctx context.Context, id string, version int64) (out provision.Model, err error) {
	return out, c.Call(ctx, "GET", "twin-provision", "/models/"+id+query("version", fmt.Sprint(version)), nil, &out)
}

// ListRejections pages through the rejections, newest first.
func (c *Client) ListRejections(ctx context.Context, cursor string) (out Page[Rejection], err error) {
	return out, c.Call(ctx, "GET", "twin-provision", "/rejections"+query("cursor", cursor), nil, &out)
}
