package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// The media types of a provisioning model's text.
const (
	TypeYAML = "application/yaml"
	TypeJSON = "application/json"
)

// ModelCheck is what was found in a provisioning model.
type ModelCheck struct {
	OK     bool              `json:"ok"`
	Faults []provision.Fault `json:"faults"`          // in the order of the text
	Model  *provision.Model  `json:"model,omitempty"` // as it was read, if it has no faults
}

// Simulate asks what would become of a device in a model: of one that is kept, or of a text.
type Simulate struct {
	Model   string `json:"model,omitempty"`   // its id
	Version int64  `json:"version,omitempty"` // of Model; 0 = the newest
	Text    string `json:"text,omitempty"`    // YAML or JSON, in place of Model

	Sample provision.Sample  `json:"sample,omitzero"`
	Events []provision.Event `json:"events,omitempty"`
}

// ModelChoice is the provisioning model by which a device of a type would come in, and why.
type ModelChoice struct {
	Type    twin.TypeID `json:"type"`
	Version int64       `json:"version"` // of the model
	provision.Chosen
}

// ServiceAnswer is how a service that was called by a provisioning run answers: at once, as the call's answer, or later by
// AnswerRun.
type ServiceAnswer struct {
	// Token is the one-time token of the call; needed where the answer comes later.
	Token string `json:"token,omitempty"`

	Outcome string         `json:"outcome"` // done or refused
	Reason  string         `json:"reason,omitempty"`
	Data    map[string]any `json:"data,omitempty"` // for the model's conditions: answer.<name>
}

// ServiceCall is what a service is called with as a step of a provisioning run. The call is signed as webhooks of alarms are,
// and may come more than once with the same Key.
type ServiceCall struct {
	Key string `json:"key"` // <run>.<round>.<attempt>: calls with the same key are the same call

	Run        string `json:"run"`
	Step       string `json:"step"`
	Capability string `json:"capability"`
	State      string `json:"state"`
	Undo       bool   `json:"undo,omitempty"` // it undoes what an earlier step did

	Type     string                  `json:"type"`
	Serial   string                  `json:"serial"`
	Twin     string                  `json:"twin,omitempty"`
	Owner    string                  `json:"owner,omitempty"`
	Identity provision.KnownIdentity `json:"identity"`
	Claim    provision.KnownClaim    `json:"claim"`
	Facts    map[string]string       `json:"facts"`

	AnswerTo string `json:"answerTo,omitempty"` // the path that later answers are posted to, below the platform's URL
	Token    string `json:"token,omitempty"`    // for it, once
	Deadline string `json:"deadline,omitempty"` // RFC 3339; an answer after it changes nothing
}

// PutModelText makes a provisioning model, or a new version of it, from YAML or JSON. What is wrong with it is in the Faults of
// the *Problem.
func (c *Client) PutModelText(ctx context.Context, id, contentType string, text []byte) (out provision.Model, err error) {
	return out, c.Call(ctx, "PUT", "twin-provision", "/models/"+id, Raw{contentType, text}, &out)
}

// CheckModel tells the faults of a model's text, and keeps nothing.
func (c *Client) CheckModel(ctx context.Context, contentType string, text []byte) (out ModelCheck, err error) {
	return out, c.Call(ctx, "POST", "twin-provision", "/models/check", Raw{contentType, text}, &out)
}

// SimulateModel tries a model with a sample device.
func (c *Client) SimulateModel(ctx context.Context, in Simulate) (out provision.Simulation, err error) {
	return out, c.Call(ctx, "POST", "twin-provision", "/models/simulate", in, &out)
}

// ChooseModel tells by which model a device would come in of which this much is known. What is not given is not known.
func (c *Client) ChooseModel(ctx context.Context, in provision.Sample) (out ModelChoice, err error) {
	return out, c.Call(ctx, "POST", "twin-provision", "/models/choose", in, &out)
}

// ModelText returns a provisioning model as YAML; version 0 is the newest.
func (c *Client) ModelText(ctx context.Context, id string, version int64) ([]byte, error) {
	var out Raw
	v := ""
	if version > 0 {
		v = fmt.Sprint(version)
	}
	err := c.call(ctx, "GET", "twin-provision", "/models/"+id+query("version", v), http.Header{"Accept": {TypeYAML}}, nil, &out)
	return out.Body, err
}

// ModelSchema returns the JSON Schema of provisioning models.
func (c *Client) ModelSchema(ctx context.Context) ([]byte, error) {
	var out Raw
	err := c.Call(ctx, "GET", "twin-provision", "/models/schema", nil, &out)
	return out.Body, err
}

// ListModelVersions lists the versions of a provisioning model without their states, newest first.
func (c *Client) ListModelVersions(ctx context.Context, id string) (out Page[provision.Model], err error) {
	return out, c.Call(ctx, "GET", "twin-provision", "/models/"+id+"/versions", nil, &out)
}

// DeleteModel takes a provisioning model away that no type names and no open run follows.
func (c *Client) DeleteModel(ctx context.Context, id string) error {
	return c.Call(ctx, "DELETE", "twin-provision", "/models/"+id, nil, nil)
}

// AnswerRun brings a service's later answer to the run that called it. The same answer may be brought again.
func (c *Client) AnswerRun(ctx context.Context, run string, in ServiceAnswer) error {
	return c.Call(ctx, "POST", "twin-provision", "/runs/"+run+"/answers", in, nil)
}
