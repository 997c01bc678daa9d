package http

import (
	"time"

	"github.com/castor-iot/castor/connectors/link"
)

// deviceState is what belongs to a device's session: the link's side of it, and what waits to go down.
type deviceState struct {
	link   *link.Session
	places chan struct{} // of requests under way
	serial chan struct{} // holds a place for the one that hands a message to the link
	hooks  chan struct{} // of webhooks among them
	down   *link.Mailbox[down]
	behind *endDevices
}

func newDevice(h *Connector, l *link.Session) *deviceState {
	return &deviceState{link: l, places: make(chan struct{}, h.limits.Each), hooks: make(chan struct{}, h.limits.Webhooks), behind: newEndDevices(h, string(l.Ref)), serial: make(chan struct{}, 1), down: link.NewMailbox[down](link.DeviceDowns, link.DeviceDownBytes)}
}

// A down is something that an answer brings: one of the two.
type down struct {
	command *command
	message *message
}

// downs is what an answer brings down.
type downs struct {
	Commands []command `json:"commands,omitempty"`
	Messages []message `json:"messages,omitempty"`
}

// A command is one as the device gets it.
type command struct {
	ID string `json:"id"`
	link.DeviceCommand
}

// A message is anything else that the platform has to say.
type message struct {
	Name string `json:"name"` // the topic without the device
	Body any    `json:"body,omitempty"`
	Raw  []byte `json:"raw,omitempty"` // instead, where it is not JSON
}

// listen waits for what comes down, for patience at most.
func (v *visit) listen(patience time.Duration, poll bool) (out downs, replaced bool) {
	all, replaced := v.device.down.Take(v.ctx, v.device.link, v.session.Done(), patience, poll)
	for _, d := range all {
		if d.command != nil {
			out.Commands = append(out.Commands, *d.command)
		} else {
			out.Messages = append(out.Messages, *d.message)
		}
	}
	return out, replaced
}
