package provision

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
)

// A Run is one device on its way through a model. It keeps the model's version it began with.
type Run struct {
	ID string `json:"id" bson:"_id"`

	// By is who began it: "device", or the person who did for a device that cannot ask, like "user:ada".
	By string `json:"by,omitempty" bson:"by,omitempty"`

	Type    twin.TypeID `json:"type" bson:"type"`
	Twin    twin.ID     `json:"twin,omitempty" bson:"twin,omitempty"` // known once the identity is
	Request Request     `json:"request" bson:"request"`

	// Owner is the group that the claim says.
	Owner string `json:"owner,omitempty" bson:"owner,omitempty"`

	// Location is where the claim says its devices are; nil if it does not.
	Location *twin.Location `json:"location,omitempty" bson:"location,omitempty"`

	// Known is what guards see of the device's identity and claim.
	Known Known `json:"known,omitzero" bson:"known"`

	// Round counts how often the device has begun: a rejected device may ask anew, an operational one once it was reset.
	Round int64 `json:"round" bson:"round"`

	State   string `json:"state" bson:"state"`
	Waiting bool   `json:"waiting" bson:"waiting"` // the state's action is done, its trigger is awaited
	Tries   int    `json:"tries" bson:"tries"`     // how often the state's action was repeated

	// Attempt numbers what is under way; it grows with every state entered and every repetition. What comes of an older
	// attempt is dropped, so that two instances that work on one run do not disturb each other.
	Attempt int64 `json:"attempt" bson:"attempt"`

	// First is the attempt with which the round began.
	First int64 `json:"first" bson:"first"`

	// Withdrawing is set while what was made is undone, before the run ends as rejected.
	Withdrawing bool `json:"withdrawing,omitempty" bson:"withdrawing,omitempty"`

	// Came are triggers that came before a state awaited them.
	Came []Trigger `json:"came,omitempty" bson:"came,omitempty"`

	// Asks is what people are asked while the run waits for them; Decision is what they decided last.
	Asks     *Asked    `json:"asks,omitempty" bson:"asks,omitempty"`
	Decision *Decision `json:"decision,omitempty" bson:"decision,omitempty"`

	// Call is the call of a service that the run waits for or has had last; Answer is what the service answered.
	Call   *Call          `json:"call,omitempty" bson:"call,omitempty"`
	Answer map[string]any `json:"answer,omitempty" bson:"answer,omitempty"`

	// Entered are the states with an Undo that the round has entered, the latest last. While the run is Withdrawing they are
	// undone from the end.
	Entered []string `json:"entered,omitempty" bson:"entered,omitempty"`

	Outcome Outcome `json:"outcome,omitempty" bson:"outcome,omitempty"`
	Reason  string  `json:"reason,omitempty" bson:"reason,omitempty"` // why it was rejected

	// CameIn is when the run had completed whose device's twin was deleted since, which is why it is rejected; zero else.
	CameIn time.Time `json:"cameIn,omitzero" bson:"cameIn,omitempty"`

	// Hears is the reason that the device hears, where Reason names people; "" = Reason.
	Hears string `json:"-" bson:"hears,omitempty"`

	// Sent is when the run was rejected while its device was not asking: the reason is on its way to it since then. Zero else.
	Sent time.Time `json:"-" bson:"sent,omitempty"`

	// Free is set where the run was reset, or its twin deleted after it had completed: its device may ask anew at once, and is
	// not told the reason first.
	Free bool `json:"-" bson:"free,omitempty"`

	// Results is what actions made: what later actions, and a repeated one, need of it.
	Results Results `json:"results" bson:"results"`

	Steps []Step `json:"steps" bson:"steps"`

	// Deadline is when the state's limit passes, Rest until when a failed action rests before it is repeated; zero if neither.
	Deadline time.Time `json:"deadline,omitzero" bson:"deadline,omitempty"`
	Rest     time.Time `json:"rest,omitzero" bson:"rest,omitempty"`

	// Due is when somebody must look at the run although nothing comes: its rest or limit is over, or whoever worked on it
	// may have died. Zero once it has ended.
	Due time.Time `json:"due,omitzero" bson:"due,omitempty"`

	Outbox  event.Outbox `json:"-" bson:"outbox"`
	Created time.Time    `json:"created" bson:"created"`
	Updated time.Time    `json:"updated" bson:"updated"`

	// Trace is that of the request that began the round.
	Trace string `json:"trace,omitempty" bson:"trace,omitempty"`

	// Model comes last, for it is the longest and people read the rest.
	Model Model `json:"model" bson:"model"`

	fresh []Step
	guard Guard
}

// Asked is what people are asked by a run.
type Asked struct {
	State string        `json:"state" bson:"state"`
	Text  string        `json:"text" bson:"text"`                       // the question, or what an installer is to do
	By    string        `json:"by" bson:"by"`                           // who may decide: "owner" or "group:<id>"
	Input string        `json:"input,omitempty" bson:"input,omitempty"` // what must come with the decision: "", serial or mac
	Since time.Time     `json:"since" bson:"since"`
	Every twin.Duration `json:"every,omitempty" bson:"every,omitempty"` // how often they are reminded; 0 = never

	// Told is when they were told that the question is open; an installer who is led through steps is not.
	Told time.Time `json:"told,omitzero" bson:"told,omitempty"`

	// Remind is when they are reminded next; zero if they are not. Reminders counts how often they were.
	Remind    time.Time `json:"remind,omitzero" bson:"remind,omitempty"`
	Reminders int       `json:"reminders,omitempty" bson:"reminders,omitempty"`
}

// A Decision is what people decided.
type Decision struct {
	Trigger Trigger   `json:"trigger" bson:"trigger"` // approved, declined or confirmed
	By      string    `json:"by" bson:"by"`           // "user:ada"
	Reason  string    `json:"reason,omitempty" bson:"reason,omitempty"`
	At      time.Time `json:"at" bson:"at"`
	State   string    `json:"state,omitempty" bson:"state,omitempty"` // that was asked about
}

// A Call is one call of a service that takes part as a step. It is noted before the call is made: an answer may be faster
// than the call's end.
type Call struct {
	Attempt  int64     `json:"attempt" bson:"attempt"`                     // of the run; with run and round it names the call
	Service  string    `json:"service,omitempty" bson:"service,omitempty"` // its id in the directory
	Token    string    `json:"-" bson:"token"`                             // SHA-256 of the one-time token the service answers with, hexadecimal
	Body     string    `json:"-" bson:"body,omitempty"`                    // SHA-256 of the answer, once there is one
	Deadline time.Time `json:"deadline,omitzero" bson:"deadline,omitempty"`
	Answered time.Time `json:"answered,omitzero" bson:"answered,omitempty"`
}

// Known is what was known of a device's identity and claim when they were last looked at.
type Known struct {
	Identity KnownIdentity `json:"identity,omitzero" bson:"identity"`
	Claim    KnownClaim    `json:"claim,omitzero" bson:"claim"`
}

// A KnownIdentity is what was registered of a device; zero if nothing was.
type KnownIdentity struct {
	ID     string `json:"id,omitempty" bson:"id,omitempty"`
	Serial string `json:"serial,omitempty" bson:"serial,omitempty"`
	MAC    string `json:"mac,omitempty" bson:"mac,omitempty"`
	Model  string `json:"model,omitempty" bson:"model,omitempty"`
	Maker  string `json:"maker,omitempty" bson:"maker,omitempty"`
	Type   string `json:"type,omitempty" bson:"type,omitempty"`
	Owner  string `json:"owner,omitempty" bson:"owner,omitempty"`
}

// A KnownClaim is the claim a device asked with; zero if it has none.
type KnownClaim struct {
	ID        string `json:"id,omitempty" bson:"id,omitempty"`
	Owner     string `json:"owner,omitempty" bson:"owner,omitempty"`
	Type      string `json:"type,omitempty" bson:"type,omitempty"`
	Batch     string `json:"batch,omitempty" bson:"batch,omitempty"`
	Temporary bool   `json:"temporary,omitempty" bson:"temporary,omitempty"`
}

// A Request is what a device asked with.
type Request struct {
	Claim   string            `json:"claim" bson:"claim"`
	Serial  string            `json:"serial" bson:"serial"`
	MAC     string            `json:"mac,omitempty" bson:"mac,omitempty"`
	Model   string            `json:"model,omitempty" bson:"model,omitempty"`
	Facts   map[string]string `json:"facts,omitempty" bson:"facts,omitempty"`
	CSR     string            `json:"-" bson:"csr"`                               // PEM
	Key     string            `json:"key" bson:"key"`                             // SHA-256 of the CSR's public key, hexadecimal: who asks again must have the same
	Gateway string            `json:"gateway,omitempty" bson:"gateway,omitempty"` // the provisioning gateway and client the answer goes to
	Client  string            `json:"client,omitempty" bson:"client,omitempty"`

	// Listed is the id in the waiting list of a device that has shown nothing: people admitted it, and its claim's token is nobody's.
	Listed string `json:"listed,omitempty" bson:"listed,omitempty"`

	PublicKey string `json:"publicKey,omitempty" bson:"publicKey,omitempty"` // X25519, base64: what secrets are sealed to
	Protocol  string `json:"protocol,omitempty" bson:"protocol,omitempty"`   // that it will speak: mqtt, grpc, http; "" = mqtt
	Kind      string `json:"kind,omitempty" bson:"kind,omitempty"`           // of credential that it asks for; "" = certificate

	// Via is the twin whose device speaks for this one. Name is what that one calls it, or what topics of its own firmware call it;
	// "" = its serial. Bridge tells that in these topics it speaks for devices of any name. Username is what it will log in with.
	Via      twin.ID `json:"via,omitempty" bson:"via,omitempty"`
	Name     string  `json:"name,omitempty" bson:"name,omitempty"`
	Bridge   bool    `json:"bridge,omitempty" bson:"bridge,omitempty"`
	Username string  `json:"username,omitempty" bson:"username,omitempty"`
}

// Called is what the device is called by whoever speaks for it, or in topics of its own.
func (r *Request) Called() string { return cmp.Or(r.Name, r.Serial) }

// Results is what the actions of a run have made. What is noted before an action does it (TwinMade) may not be there yet.
type Results struct {
	ClaimUsed     bool     `json:"claimUsed,omitempty" bson:"claimUsed,omitempty"`
	TwinMade      bool     `json:"twinMade,omitempty" bson:"twinMade,omitempty"`   // by this run, not by people before it
	TwinReady     bool     `json:"twinReady,omitempty" bson:"twinReady,omitempty"` // it is in phase provisioning
	DeviceRef     string   `json:"deviceRef,omitempty" bson:"deviceRef,omitempty"`
	Kind          string   `json:"kind,omitempty" bson:"kind,omitempty"` // of the credential
	Username      string   `json:"username,omitempty" bson:"username,omitempty"`
	Certificate   string   `json:"-" bson:"certificate,omitempty"` // PEM; erased once the device has confirmed
	Sealed        string   `json:"-" bson:"sealed,omitempty"`      // the device's secret, sealed to its public key; likewise
	Verifier      string   `json:"-" bson:"verifier,omitempty"`    // of the secret
	CA            string   `json:"-" bson:"ca,omitempty"`          // PEM
	Fingerprint   string   `json:"fingerprint,omitempty" bson:"fingerprint,omitempty"`
	Gateway       string   `json:"gateway,omitempty" bson:"gateway,omitempty"`
	GatewayReason string   `json:"gatewayReason,omitempty" bson:"gatewayReason,omitempty"`
	GatewayURL    string   `json:"gatewayUrl,omitempty" bson:"gatewayUrl,omitempty"`
	Gateways      []string `json:"gateways,omitempty" bson:"gateways,omitempty"`   // what the device may dial, GatewayURL first
	Delivered     bool     `json:"delivered,omitempty" bson:"delivered,omitempty"` // the bundle may be handed out
	Kept          bool     `json:"kept,omitempty" bson:"kept,omitempty"`           // the run was completed: twin and claim use are the device's own, and a reset leaves them

	// SealedFor is the secret for gateways that compare plain ones, sealed to each.
	SealedFor map[string]string `json:"-" bson:"sealedFor,omitempty"`

	Topics *device.Topics `json:"topics,omitempty" bson:"topics,omitempty"` // of firmware that has its own

	ProofVersion int64     `json:"-" bson:"proofVersion,omitempty"` // of what gateways must know of the credential
	Expires      time.Time `json:"expires,omitzero" bson:"expires,omitempty"`

	Configuration *twin.Configuration `json:"-" bson:"configuration,omitempty"`
}

// Bundled tells whether there still is a credential to hand out.
func (r *Results) Bundled() bool { return r.Certificate != "" || r.Sealed != "" }

// A Step is one line of a run's log.
type Step struct {
	At      time.Time `json:"at" bson:"at"`
	State   string    `json:"state" bson:"state"`
	Action  Action    `json:"action,omitempty" bson:"action,omitempty"` // or the trigger that came
	Actor   string    `json:"actor" bson:"actor"`                       // "device", "platform:twin-provision", "gateway:op-1", "user:ada", "timer"
	Outcome string    `json:"outcome" bson:"outcome"`                   // done, waiting, refused, failed, undone, ended; ignored = it changed nothing, like somebody else's attempt on the run
	Reason  string    `json:"reason,omitempty" bson:"reason,omitempty"`
	Trace   string    `json:"trace,omitempty" bson:"trace,omitempty"` // of the call in which it was taken
}

// MaxSteps bounds a run's log; beyond it the oldest steps are forgotten.
const MaxSteps = 500

// maxReason bounds a reason, in bytes.
const maxReason = 512

// Log appends a step.
func (r *Run) Log(s Step) {
	if len(s.Reason) > maxReason {
		s.Reason = strings.ToValidUTF8(s.Reason[:maxReason], "") + "…"
	}
	r.Steps, r.fresh = append(r.Steps, s), append(r.fresh, s)
	if n := len(r.Steps) - MaxSteps; n > 0 {
		r.Steps = slices.Delete(r.Steps, 0, n)
	}
	r.Updated = s.At
}

// Mark gives the steps logged since the run was read their trace.
func (r *Run) Mark(trace string) {
	for i := range r.fresh {
		r.fresh[i].Trace = trace
	}
	n := min(len(r.fresh), len(r.Steps))
	for i := len(r.Steps) - n; i < len(r.Steps); i++ {
		r.Steps[i].Trace = trace
	}
}

// Fresh are the steps logged since the run was read, which are still to be told of.
func (r *Run) Fresh() []Step { return r.fresh }
