package bus

import (
	"time"

	"github.com/castor-iot/castor/shared/event"
	"github.com/nats-io/nats.go"
)

// User authenticates as a guest: a process that may use the bus only as far as its Scope says. It makes no streams and no buckets,
// it waits for those that others make; and what it is answered comes to a place of its own, where no other guest may listen.
func User(name, password string) Option {
	return func(o *options) {
		o.guest = true
		o.nats = append(o.nats, nats.UserInfo(name, password), nats.CustomInboxPrefix(guestInbox+name))
	}
}

const guestInbox = "_INBOX."

// AnswerWithin is how long a guest may answer what it was asked.
const AnswerWithin = time.Minute

// A Scope is all that a guest may do on the bus.
type Scope struct {
	// User is the guest's name; letters, digits, '-' and '_'.
	User string

	// Gateway has its downlinks taken, Peers are asked and answered, Bucket is read.
	Gateway, Peers, Bucket string

	// Watches are topics of events. A guest publishes none: the ids by which the server knows what it had are of all topics together, so
	// who may publish one topic could silence every other.
	Watches []event.Topic
}

// Subjects are what the server lets the guest publish and subscribe to, besides one answer to each message it gets. Errors:
// ErrInvalid for a name that could mean more than one subject.
func (s Scope) Subjects() (publish, subscribe []string, err error) {
	for what, name := range map[string]string{"user": s.User, "gateway": s.Gateway, "peers": s.Peers, "bucket": s.Bucket} {
		if err := checkName(what, name); err != nil {
			return nil, nil, err
		}
	}
	watched, err := topicSubjects(s.Watches)
	if err != nil {
		return nil, nil, err
	}
	kv := "KV_" + s.Bucket
	publish = []string{peerSubject + s.Peers,
		"$JS.API.STREAM.INFO." + eventStream, // Ping
		"$JS.API.STREAM.INFO." + kv, "$JS.API.DIRECT.GET." + kv, "$JS.API.DIRECT.GET." + kv + ".>", "$JS.API.STREAM.MSG.GET." + kv}
	subscribe = append(watched, downlinkSubject+s.Gateway, peerSubject+s.Peers, "$KV."+s.Bucket+".>", guestInbox+s.User+".>")
	return publish, subscribe, nil
}
