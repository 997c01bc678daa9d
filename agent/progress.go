package agent

import (
	"encoding/json"
	"time"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// Phase is how far a device has come.
type Phase string

// The phases, in the order in which a new device goes through them. A provisioned device begins at Connected.
const (
	Keying    Phase = "keying"    // makes its key
	Claiming  Phase = "claiming"  // has shown its claim and asks to be provisioned
	Knocking  Phase = "knocking"  // has no claim, and makes itself known
	Pending   Phase = "pending"   // the platform has taken the request and is not done with it
	Accepted  Phase = "accepted"  // has its certificate
	Connected Phase = "connected" // is known at its operational gateway
	Confirmed Phase = "confirmed" // the platform knows that it arrived
	Renewed   Phase = "renewed"   // has a new certificate, and the one before has ended
	Reporting Phase = "reporting" // the platform has stored a message of this connection

	Waiting Phase = "waiting" // something did not work and is tried again; the detail says what
	Failed  Phase = "failed"  // the agent has ended; the detail says why
)

// Progress tells that a phase was entered.
type Progress struct {
	Phase  Phase      `json:"phase"`
	At     time.Time  `json:"at"`
	Detail string     `json:"detail,omitempty"` // for people
	Ref    device.Ref `json:"ref,omitempty"`
	Twin   twin.ID    `json:"twin,omitempty"`
}

// tell notes the phase where status finds it, and passes it on.
func (a *Agent) tell(phase Phase, detail string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := Progress{Phase: phase, At: a.cfg.Now().UTC().Truncate(time.Millisecond), Detail: detail}
	if b := a.id.bundle; b != nil {
		p.Ref, p.Twin = b.Ref, b.Twin
	}
	a.phase = p
	if b, err := json.Marshal(p); err == nil {
		if err := a.vault.note(phaseName, b); err != nil {
			a.cfg.Log.Debug("phase not noted", "error", err)
		}
	}
	a.cfg.Log.Info("device phase", "phase", phase, "detail", detail, "device", p.Ref, "twin", p.Twin)
	if a.cfg.Progress != nil {
		a.cfg.Progress(p)
	}
}

// Phase tells the newest phase.
func (a *Agent) Phase() Progress {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.phase
}
