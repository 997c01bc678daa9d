// Package device is the vocabulary of the things outside: how a device is identified (paper 4.3.1), by what reference its
// gateway knows it, and what a claim lets it ask for. It keeps nothing and speaks no protocol.
package device

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/twin"
)

// A Ref is what an operational gateway calls a device: its MQTT client id and the {device} of its topics. Only the
// credential mapper knows which twin it stands for.
type Ref string

var refPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Valid returns twin.ErrInvalid if r cannot be a reference: 1 to 64 letters, digits, dashes and underscores.
func (r Ref) Valid() error {
	if !refPattern.MatchString(string(r)) {
		return fmt.Errorf("%w: device reference %.80q must be 1 to 64 letters, digits, '-' or '_'", twin.ErrInvalid, string(r))
	}
	return nil
}

var topicWord = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// TopicWord tells whether s can be a word of a device's topics that is its own to choose: the name of an app, the id of a
// command. No gateway takes others.
func TopicWord(s string) bool { return topicWord.MatchString(s) }

// An Identity is what never changes about a device. Where it is, is the claim's or the twin's to say.
type Identity struct {
	// ID becomes the id of the device's twin.
	ID     twin.ID `json:"id" bson:"_id"`
	Serial string  `json:"serial" bson:"serial"`                   // unique on the platform
	MAC    string  `json:"mac,omitempty" bson:"mac,omitempty"`     // lower case with colons; unique where given
	Model  string  `json:"model,omitempty" bson:"model,omitempty"` // the maker's name of the model
	Maker  string  `json:"maker,omitempty" bson:"maker,omitempty"` // who made it
	Type   string  `json:"type,omitempty" bson:"type,omitempty"`   // the type it may be provisioned as; "" = any
	Made   string  `json:"made,omitempty" bson:"made,omitempty"`   // date of manufacture, RFC 3339 full-date
	Notes  string  `json:"notes,omitempty" bson:"notes,omitempty"` // static remarks of the maker

	// Owner is the group whose claims alone it counts for: of an identity that an owner made. What configurators make counts for
	// every group, and has none.
	Owner string `json:"owner,omitempty" bson:"owner,omitempty"`

	// By is who made it known: "user:ada".
	By      string    `json:"by,omitempty" bson:"by,omitempty"`
	Created time.Time `json:"created" bson:"created"`

	// Former are the devices that this one has replaced, the latest last. Serials has the serials of all of them and its own: a
	// device that was replaced is nobody any more.
	Former  []Former `json:"former,omitempty" bson:"former,omitempty"`
	Serials []string `json:"-" bson:"serials,omitempty"`

	// Replacing is when this device took over from another one whose run is still to be reset; zero once it was.
	Replacing time.Time `json:"replacing,omitzero" bson:"replacing,omitempty"`

	// Retired says that the device was decommissioned: it is refused until people restore this identity.
	Retired *Retirement `json:"retired,omitempty" bson:"retired,omitempty"`
}

// A Retirement is when and why a device was decommissioned.
type Retirement struct {
	At     time.Time `json:"at" bson:"at"`
	Reason string    `json:"reason" bson:"reason"`
}

// Former is a device that another one has replaced.
type Former struct {
	Serial string    `json:"serial" bson:"serial"`
	MAC    string    `json:"mac,omitempty" bson:"mac,omitempty"`
	Model  string    `json:"model,omitempty" bson:"model,omitempty"`
	Maker  string    `json:"maker,omitempty" bson:"maker,omitempty"`
	At     time.Time `json:"at" bson:"at"`
	By     string    `json:"by" bson:"by"`
	Reason string    `json:"reason,omitempty" bson:"reason,omitempty"`
}

// Same tells whether two identities say the same of the device; who made them known, and when, does not count.
func (i *Identity) Same(o *Identity) bool {
	return i.ID == o.ID && i.Serial == o.Serial && i.MAC == o.MAC && i.Model == o.Model && i.Maker == o.Maker && i.Type == o.Type && i.Made == o.Made && i.Notes == o.Notes
}

// Replace makes the identity that of another device, which next says (serial, MAC, model, maker). A device that was replaced
// may be put back that way.
func (i *Identity) Replace(next Identity, reason, by string, at time.Time) {
	i.Former = append(i.Former, Former{i.Serial, i.MAC, i.Model, i.Maker, at, by, reason})
	i.Former = slices.DeleteFunc(i.Former, func(f Former) bool { return f.Serial == next.Serial })
	i.Retired, i.Replacing = nil, at
	i.Serial, i.MAC, i.Model, i.Maker, i.Made = next.Serial, next.MAC, next.Model, next.Maker, next.Made
	if !slices.Contains(i.Serials, i.Serial) {
		i.Serials = append(i.Serials, i.Serial)
	}
}

var serialPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._:/#-]{0,63}$`)

// Normalise brings the identity to the form that is stored (MAC in lower case, id from the serial where none is given)
// and returns twin.ErrInvalid, naming the field, if it cannot be.
func (i *Identity) Normalise() error {
	i.Serial = strings.TrimSpace(i.Serial)
	if !serialPattern.MatchString(i.Serial) {
		return fmt.Errorf("%w: serial %.80q must be 1 to 64 letters, digits or any of \" ._:/#-\", beginning with a letter or digit", twin.ErrInvalid, i.Serial)
	}
	if strings.Contains(i.Serial, "..") || strings.Contains(i.Serial, "//") {
		return fmt.Errorf("%w: serial %.80q must not look like a path: no \"..\" and no \"//\"", twin.ErrInvalid, i.Serial)
	}
	if i.MAC != "" {
		mac, err := net.ParseMAC(strings.TrimSpace(i.MAC))
		if err != nil {
			return fmt.Errorf("%w: mac %.40q must be like 02:42:ac:11:00:02", twin.ErrInvalid, i.MAC)
		}
		i.MAC = mac.String()
	}
	if i.ID == "" {
		i.ID = idOf(i.Serial)
	}
	i.Former, i.Serials, i.Retired, i.Replacing = nil, []string{i.Serial}, nil, time.Time{}
	for _, f := range []struct{ name, value string }{{"model", i.Model}, {"maker", i.Maker}, {"notes", i.Notes}} {
		if !utf8.ValidString(f.value) || strings.ContainsFunc(f.value, unicode.IsControl) {
			return fmt.Errorf("%w: %s must be text without control characters", twin.ErrInvalid, f.name)
		}
		if len(f.value) > 256 {
			return fmt.Errorf("%w: %s has %d bytes, at most 256 are taken", twin.ErrInvalid, f.name, len(f.value))
		}
	}
	if i.Type != "" {
		if err := twin.ID(i.Type).Valid(); err != nil {
			return fmt.Errorf("type: %w", err)
		}
	}
	if i.Owner != "" {
		if err := twin.ID(i.Owner).Valid(); err != nil {
			return fmt.Errorf("owner: %w", err)
		}
	}
	if i.Made != "" {
		if _, err := time.Parse(time.DateOnly, i.Made); err != nil {
			return fmt.Errorf("%w: made %.40q must be a date like 2026-03-21", twin.ErrInvalid, i.Made)
		}
	}
	return i.ID.Valid()
}

// idOf makes a twin id of a serial: in lower case, what an id cannot have becomes a dash.
func idOf(serial string) twin.ID {
	return twin.ID(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, strings.ToLower(serial)))
}
