package provision

import (
	"slices"
	"strings"
)

// An Action is an operation of the platform that a state performs.
type Action string

// The actions. Each is idempotent: a run that was interrupted repeats it.
const (
	CheckClaim       Action = "check-claim"          // the claim covers type and serial; a use of it is reserved
	CheckIdentity    Action = "check-identity"       // the serial is known, its MAC and model agree, and its type may be this one
	RegisterIdentity Action = "register-identity"    // the serial becomes known, as the request says
	CheckLocation    Action = "check-location"       // the device is in a region
	CreateTwin       Action = "create-twin"          // the instance (DTI) exists in phase provisioning, owned by the claim's group
	IssueCredential  Action = "issue-credential"     // the device gets what it proves itself with, mapped to the twin
	RegisterGateway  Action = "register-gateway"     // an operational gateway is chosen and told to let the device in
	RenderConfig     Action = "render-configuration" // the type's template is rendered for the twin
	Deliver          Action = "deliver"              // the bundle is sent to the device
	CloseClaim       Action = "close-claim"          // a claim that is used up is taken from the provisioning gateway
	EraseCredential  Action = "erase-credential"     // what was kept of the credential for delivery is erased
	Activate         Action = "activate"             // the twin is operational
	Ask              Action = "ask"                  // people are asked to decide
	Instruct         Action = "instruct"             // an installer is told what to do, and confirms it
	Notify           Action = "notify"               // people are told something
	CallService      Action = "call-service"         // a service that was found by its capability does a step
	Withdraw         Action = "withdraw"             // undoes what the run has made: gateway entry, mapping, certificate, claim use, twin
)

// A Parameter is what an action may be told in a state's With.
type Parameter struct {
	Name     string
	Required bool
	Values   []string // that it may have; nil = any text of its form
	Form     Form
	Note     string // for people
}

// A Form is how a parameter's text must look.
type Form int

// The forms.
const (
	Text   Form = iota // up to 1,000 bytes for people; {serial}, {type}, {twin} and {run} are filled in
	Word               // up to 64 letters, digits or any of "._:/+-"
	People             // "owner" or "group:<id>"
	Span               // a duration of at most 30s
)

// parameters are those of each action. An action that is not here does not exist.
var parameters = map[Action][]Parameter{
	CheckClaim: nil,
	CheckIdentity: {{Name: "unknown", Values: []string{"reject", "wait"},
		Note: "what becomes of a device whose serial is not known: it is rejected, or waits in the waiting list"}},
	RegisterIdentity: nil,
	CheckLocation:    {{Name: "region", Required: true, Form: Word, Note: "the region that the device must be in"}},
	CreateTwin:       nil,
	IssueCredential: {{Name: "kind", Values: []string{"certificate", "token", "password", "api-key", "relayed", "asked"},
		Note: "what the device will prove itself with; relayed = nothing, another device speaks for it; asked = what it asks for, which is the default"}},
	RegisterGateway: nil,
	RenderConfig:    nil,
	Deliver:         nil,
	CloseClaim:      nil,
	EraseCredential: nil,
	Activate:        nil,
	Ask: {
		{Name: "question", Required: true, Note: "what is to be decided"},
		{Name: "by", Form: People, Note: "who decides: owner (the default) or group:<id>"},
		{Name: "input", Values: []string{"", "serial"}, Note: "what must be typed or scanned with the decision"},
		{Name: "reason", Values: []string{"required", "optional"}, Note: "whether who decides must say why; required is the default"}},
	Instruct: {
		{Name: "text", Required: true, Note: "what the installer is to do"},
		{Name: "by", Form: People, Note: "who confirms: owner (the default) or group:<id>"},
		{Name: "input", Values: []string{"", "serial", "mac"}, Note: "what must be typed or scanned with the confirmation"}},
	Notify: {
		{Name: "to", Form: People, Note: "who is told: owner (the default) or group:<id>"},
		{Name: "text", Required: true, Note: "what they are told"}},
	CallService: {
		{Name: "capability", Required: true, Form: Word, Note: "what the service must be able to do, as it says in the directory"},
		{Name: "step", Form: Word, Note: "what the service is told to do; the default is the state's name"},
		{Name: "timeout", Form: Span, Note: "how long its answer to the call may take, 10s if it is not given; not how long its work may"}},
	Withdraw: nil,
}

// Actions lists every action.
var Actions = []Action{CheckClaim, CheckIdentity, RegisterIdentity, CheckLocation, CreateTwin, IssueCredential, RegisterGateway, RenderConfig,
	Deliver, CloseClaim, EraseCredential, Activate, Ask, Instruct, Notify, CallService, Withdraw}

// Parameters lists what an action may be told.
func (a Action) Parameters() []Parameter { return parameters[a] }

// A Trigger is something from outside that a state waits for.
type Trigger string

// The triggers.
const (
	GatewayReady  Trigger = "gateway-ready"  // the gateway has written back that it lets the device in
	DeviceConfirm Trigger = "device-confirm" // the device has confirmed on the operational gateway
	DeviceAsked   Trigger = "device-asked"   // the device asks again, perhaps with new facts
	DeviceSeen    Trigger = "device-seen"    // a session of the device began at its operational gateway
	Approved      Trigger = "approved"       // people have decided so
	Declined      Trigger = "declined"
	Confirmed     Trigger = "confirmed" // an installer has done what was asked
	Answered      Trigger = "answered"  // the service that was called has answered
	Timer         Trigger = "timer"     // the state's limit has passed, which is no failure then
)

// Triggers lists every trigger.
var Triggers = []Trigger{GatewayReady, DeviceConfirm, DeviceAsked, DeviceSeen, Approved, Declined, Confirmed, Answered, Timer}

// Human tells whether a trigger is a decision of people.
func (t Trigger) Human() bool { return slices.Contains([]Trigger{Approved, Declined, Confirmed}, t) }

// misses are what it means for people that a trigger did not come.
var misses = map[Trigger]string{GatewayReady: "the gateway did not let the device in", DeviceConfirm: "the device did not confirm", DeviceAsked: "the device did not ask again",
	DeviceSeen: "the device did not come to its gateway", Approved: "nobody decided", Declined: "nobody decided", Confirmed: "nobody confirmed it",
	Answered: "the service did not answer"}

// missed says that none of all came: "nobody decided", "the device did not come to its gateway, and the device did not confirm".
func missed(all []Trigger) string {
	var said []string
	for _, t := range all {
		if m := misses[t]; m != "" && !slices.Contains(said, m) {
			said = append(said, m)
		}
	}
	if len(said) == 0 {
		return "no way on"
	}
	return strings.Join(said, ", and ")
}

// kept tells whether a trigger counts that came before its state awaited it. A decision, and a device that asks, are about what
// is asked at that time; the others have happened for good.
func (t Trigger) kept() bool {
	return slices.Contains([]Trigger{GatewayReady, DeviceConfirm, DeviceSeen, Answered}, t)
}
