package twin

import "slices"

// Commands are the ids of a twin's commands, oldest first, so that whoever reads the twin knows of them without asking
// function twin-command, which writes them and has the commands themselves.
type Commands struct {
	// Waiting are to be delivered to the device.
	Waiting []string `json:"waiting,omitempty" bson:"waiting,omitempty"`

	// Sent are on their way to the device, or there, and not answered yet.
	Sent []string `json:"sent,omitempty" bson:"sent,omitempty"`

	// Late are over without an answer although the device may have them: an answer still counts. At most MaxLate.
	Late []string `json:"-" bson:"late,omitempty"`
}

// MaxLate bounds Commands.Late; beyond it the oldest is forgotten.
const MaxLate = 32

// Open is how many commands are not over.
func (c *Commands) Open() int { return len(c.Waiting) + len(c.Sent) }

// Has tells whether an answer to the command counts.
func (c *Commands) Has(id string) bool {
	return slices.Contains(c.Sent, id) || slices.Contains(c.Waiting, id) || slices.Contains(c.Late, id)
}

// A Place is where a command is listed.
type Place string

// The places; Nowhere are commands that are answered, or over without having reached the device.
const (
	Nowhere Place = ""
	Waiting Place = "waiting"
	Sent    Place = "sent"
	Late    Place = "late"
)

// Put lists the command in one place, and in no other. It tells whether that changed anything.
func (c *Commands) Put(id string, in Place) (changed bool) {
	for _, l := range []struct {
		place Place
		ids   *[]string
	}{{Waiting, &c.Waiting}, {Sent, &c.Sent}, {Late, &c.Late}} {
		i := slices.Index(*l.ids, id)
		switch {
		case l.place == in && i < 0:
			*l.ids = append(slices.Clone(*l.ids), id)
			changed = true
		case l.place != in && i >= 0:
			*l.ids = slices.Delete(slices.Clone(*l.ids), i, i+1)
			changed = true
		}
	}
	if n := len(c.Late) - MaxLate; n > 0 {
		c.Late = c.Late[n:]
	}
	return changed
}
