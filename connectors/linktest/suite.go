package linktest

import (
	"slices"
	"testing"

	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
)

// A Protocol is what the suite needs of one.
type Protocol struct {
	// Start runs a gateway of the phase ("operational" or "provisioning") and its connector on w until stop is called
	// or the test ends, and returns the address devices connect to.
	Start func(t testing.TB, w *World, phase string) (address string, stop func())

	// Dial connects a device. It returns an error if the gateway refuses.
	Dial func(w *World, address string, id Identity) (Device, error)

	// Legacy connects a device that speaks one of Dialects, with its last will, and gives itself id.Client as its name. nil = the protocol
	// has none. Start must give the connector workers for drivers then.
	Legacy func(w *World, address string, id Identity, will Saying) (Legacy, error)

	// What the protocol can do beside telemetry, so that nothing is skipped unseen.
	Provisions  bool          // it has provisioning gateways
	Secrets     []device.Kind // what devices may show in place of a certificate, at gateways that have VerifierKey
	Renews      bool          // its Devices are Renewers
	Knocks      bool          // its Devices are Knockers, and its provisioning gateways take them
	KnocksAgain bool          // a Knocker hears what was decided by knocking again: nothing reaches it between
	MaxPayload  int           // bytes; larger ones end the connection
	Brokered    bool          // a broker of somebody else's stands between, which acknowledges what it has taken; see brokered
	OneByOne    bool          // a device waits for the answer to one message before it sends the next, so that nothing of it gathers
}

// A Device is the far end of a protocol, as a device would program it.
type Device interface {
	// Publish sends a message and returns at once. stored is closed when the gateway has acknowledged it.
	Publish(kind telemetry.Kind, payload []byte) (stored <-chan struct{})

	// Answer answers a command.
	Answer(command string, payload []byte) (stored <-chan struct{})

	// Confirm sends the confirmation of a provisioned device.
	Confirm() (taken <-chan struct{})

	// Request sends a provisioning request; answers come as Messages named accepted, rejected or status.
	Request(kind string, payload []byte)

	// Foreign tries to speak for another device: it publishes telemetry as it.
	Foreign(client string, payload []byte) (stored <-chan struct{})

	// Messages are what the platform sends. Name is ack, accepted, rejected, status, or the protocol's own.
	Messages() <-chan Message

	// Gone is closed when the connection has ended, by whichever side.
	Gone() <-chan struct{}

	Close() // in an orderly way
	Cut()   // as a cable is cut
}

// A Message is one the platform sent to a device.
type Message struct {
	Name    string
	Payload []byte
}

// Run runs the suite.
func Run(t *testing.T, p Protocol) {
	all := slices.Concat(stories, commandStories)
	if p.Provisions {
		all = append(all, provisioningStories...)
	}
	for _, kind := range p.Secrets {
		all = append(all, story{"a device is let in by its secret only: " + string(kind), secretsLetIn(kind)})
	}
	if p.Renews {
		all = append(all, renewStories...)
	}
	if p.Knocks {
		all = append(all, knockStories...)
	}
	if p.Legacy != nil {
		for _, d := range Dialects {
			all = append(all, d.stories()...)
		}
	}
	for _, story := range all {
		if p.Brokered && slices.Contains(brokered, story.name) {
			continue
		}
		t.Run(story.name, func(t *testing.T) {
			story.play(t, &stage{t: t, w: NewWorld(t), p: p})
		})
	}
}

// brokered are the stories that a protocol cannot play which declares Brokered: those that rest on the acknowledgement of a message
// that has no order of the device's, which the broker gives before it is stored; and the end of a connection that only the broker
// can end.
var brokered = []string{
	"what cannot be decoded is parked raw and acknowledged",
	"a device that is nobody's is heard and parked",
	"an oversized message ends the connection and nothing else",
	"a device confirms and the confirmation is acknowledged when taken",
}

type story struct {
	name string
	play func(*testing.T, *stage)
}

var stories = []story{
	{"a message is acknowledged when it is stored and not before", storedBeforeAck},
	{"nothing is acknowledged while ingest fails, then everything is", ingestFails},
	{"what ingest wants again is sent again in its order", retryKeepsOrder},
	{"what a device sends again is told again as stored", sentAgain},
	{"a backlog comes in order, in few calls", backlog},
	{"what cannot be decoded is parked raw and acknowledged", undecodable},
	{"a message that ingest will not read does not hold up the others", unreadable},
	{"a device that is nobody's is heard and parked", nobody},
	{"a late disconnect tells the session it belongs to", lateDisconnect},
	{"a second session of a device replaces the first", secondSession},
	{"two hundred devices come back at once", reconnectStorm},
	{"an oversized message ends the connection and nothing else", oversized},
	{"a device cannot speak for another", foreign},
	{"a device that is removed is cut off at once and stays out", removed},
	{"a device is told of that comes with a credential it has not confirmed", seen},
	{"a device confirms and the confirmation is acknowledged when taken", confirm},
	{"a message down reaches the device and no other", downlink},
	{"what is under way is stored and acknowledged when the gateway ends", stops},
	{"the gateway is reported alive and the connector found", alive},
}

var provisioningStories = []story{
	{"a claim asks and is answered", provisioned},
	{"a request that cannot be read is rejected with why", rejected},
	{"a claim is let in by its token only, and cut when it ends", claimEnds},
	{"an answer that comes later reaches the one who asked", answeredLater},
	{"a session is not taken over by another claim", notTakenOver},
}
