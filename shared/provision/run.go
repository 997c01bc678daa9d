package provision

import (
	"time"

	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
)

// A Run is one device on its way through a model. It keeps the model's version it began with.
type Run struct {
	ID string `json:"id" bson:"_id"`

	Type    twin.TypeID `json:"type" bson:"type"`
	Twin    twin.ID     `json:"twin,omitempty" bson:"twin,omitempty"` // known once the identity is
	Model   Model       `json:"model" bson:"model"`
	Request Request     `json:"request" bson:"request"`

	// Owner is the group that the claim says; Claim the claim's id.
	Owner string `json:"owner,omitempty" bson:"owner,omitempty"`

	State   string  `json:"state" bson:"state"`
	Waiting bool    `json:"waiting" bson:"waiting"` // the state's action is done, its trigger is awaited
	Tries   int     `json:"tries" bson:"tries"`     // how often the state's action was repeated
	Outcome Outcome `json:"outcome,omitempty" bson:"outcome,omitempty"`
	Reason  string  `json:"reason,omitempty" bson:"reason,omitempty"` // why it was rejected

	// Results is what actions made: what later actions, and a repeated one, need of it.
	Results Results `json:"results" bson:"results"`

	Steps []Step `json:"steps" bson:"steps"`

	// Due is when the state's limit passes, or a passing failure is tried again; zero if neither.
	Due time.Time `json:"due,omitzero" bson:"due,omitempty"`

	Outbox  event.Outbox `json:"-" bson:"outbox"`
	Created time.Time    `json:"created" bson:"created"`
	Updated time.Time    `json:"updated" bson:"updated"`
}

// A Request is what a device asked with.
type Request struct {
	Claim   string            `json:"claim" bson:"claim"`
	Serial  string            `json:"serial" bson:"serial"`
	MAC     string            `json:"mac,omitempty" bson:"mac,omitempty"`
	Model   string            `json:"model,omitempty" bson:"model,omitempty"`
	Facts   map[string]string `json:"facts,omitempty" bson:"facts,omitempty"`
	CSR     string            `json:"csr" bson:"csr"`                             // PEM
	Key     string            `json:"key" bson:"key"`                             // SHA-256 of the CSR's public key, hexadecimal: who asks again must have the same
	Gateway string            `json:"gateway,omitempty" bson:"gateway,omitempty"` // the provisioning gateway and client the answer goes to
	Client  string            `json:"client,omitempty" bson:"client,omitempty"`
}

// Results is what the actions of a run have made.
type Results struct {
	ClaimUsed     bool   `json:"claimUsed,omitempty" bson:"claimUsed,omitempty"`
	TwinMade      bool   `json:"twinMade,omitempty" bson:"twinMade,omitempty"`
	DeviceRef     string `json:"deviceRef,omitempty" bson:"deviceRef,omitempty"`
	Certificate   string `json:"-" bson:"certificate,omitempty"` // PEM; erased once the device has confirmed
	Fingerprint   string `json:"fingerprint,omitempty" bson:"fingerprint,omitempty"`
	Gateway       string `json:"gateway,omitempty" bson:"gateway,omitempty"`
	GatewayReason string `json:"gatewayReason,omitempty" bson:"gatewayReason,omitempty"`
	GatewayURL    string `json:"gatewayUrl,omitempty" bson:"gatewayUrl,omitempty"`
	Revision      uint64 `json:"revision,omitempty" bson:"revision,omitempty"` // of the gateway's bucket that must be applied
	Template      string `json:"template,omitempty" bson:"template,omitempty"`
	Configuration string `json:"-" bson:"configuration,omitempty"`
}

// A Step is one line of a run's log.
type Step struct {
	At      time.Time `json:"at" bson:"at"`
	State   string    `json:"state" bson:"state"`
	Action  Action    `json:"action,omitempty" bson:"action,omitempty"`
	Actor   string    `json:"actor" bson:"actor"`     // "device", "twin-provision", "gateway:op-1", "user:ada", "timer"
	Outcome string    `json:"outcome" bson:"outcome"` // done, waiting, refused, failed, ignored, ended
	Reason  string    `json:"reason,omitempty" bson:"reason,omitempty"`
}

// MaxSteps bounds a run's log; beyond it only the end is logged.
const MaxSteps = 500

// Log appends a step.
func (r *Run) Log(s Step) {
	if len(r.Steps) < MaxSteps || r.Outcome != "" {
		r.Steps = append(r.Steps, s)
	}
	r.Updated = s.At
}
