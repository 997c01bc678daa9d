package twin

import (
	"slices"
	"strings"
	"time"
)

// Order is a device's own order of its messages: Epoch grows at each boot, Seq is given when it measures. The zero value is
// before every message.
type Order struct {
	Epoch int64 `json:"epoch" bson:"epoch"`
	Seq   int64 `json:"seq" bson:"seq"`

	// Assigned is set where the device gives neither, so that the connector assigned both, per session.
	Assigned bool `json:"assigned,omitempty" bson:"assigned,omitempty"`
}

// IsZero tells whether o is before every message; what is stored leaves it out then.
func (o Order) IsZero() bool { return o == Order{} }

// After tells whether o comes after p. The device's own numbers and assigned ones have nothing to do with each other: where
// a device changes from one to the other, what arrives later is after.
func (o Order) After(p Order) bool {
	if o.Assigned != p.Assigned {
		return true
	}
	return o.Epoch > p.Epoch || o.Epoch == p.Epoch && o.Seq > p.Seq
}

// A Reading is the newest value of one property.
type Reading struct {
	Property string `json:"property" bson:"p"`

	// Value is a float64, bool or string, in the unit that the twin's type declares. A reported nil removes the property.
	Value any `json:"value" bson:"v"`

	// At is when the device says it measured (if it does not say, when it was received), in UTC, cut to milliseconds.
	// Devices' clocks are wrong: it orders nothing where the device numbers its messages.
	At time.Time `json:"at" bson:"at"`

	// Flag says what is doubtful about the reading; "" = nothing.
	Flag Flag `json:"flag,omitempty" bson:"flag,omitempty"`

	Order Order `json:"order" bson:"o"`
}

// after tells whether r is newer than held. Assigned numbers tell when a message arrived, not when it was measured; there a
// plausible time tells what is late, and the same value of the same time is the same reading sent again.
func (r Reading) after(held Reading) bool {
	if r.Order.Assigned && r.timed() && held.timed() {
		if !r.At.Equal(held.At) {
			return r.At.After(held.At)
		}
		if r.Value == held.Value {
			return false
		}
	}
	return r.Order.After(held.Order)
}

func (r Reading) timed() bool { return r.Flag != ClockAhead && r.Flag != ClockUnset }

// A Flag marks a reading that is kept although something about it is doubtful.
type Flag string

// What can be doubtful.
const (
	ClockAhead Flag = "clock-ahead"  // stamped in the future of the platform's clock
	ClockUnset Flag = "clock-unset"  // stamped before any device of this platform was built
	Unexpected Flag = "unexpected"   // not of the kind that the type declares (text for a number), or none of the values there are
	OutOfRange Flag = "out-of-range" // outside the range that the type declares
	Unknown    Flag = "unknown"      // of a property that the type does not name although it names others
)

// Live is what the device does and says. Only function twin-ingest writes it.
type Live struct {
	// Version grows with every change that a reader can see.
	Version int64 `json:"version" bson:"version"`

	// Generation is that of the newest mapping from device reference to this twin that messages came by; messages that
	// came by an older one are refused (the device was replaced).
	Generation int64 `json:"generation,omitempty" bson:"generation,omitempty"`

	// Last is the newest order among the messages applied.
	Last Order `json:"last" bson:"last"`

	// Reported is sorted by property.
	Reported []Reading `json:"reported,omitempty" bson:"reported,omitempty"`

	// Removed is the newest order at which the device removed a property; an older reading does not bring one back.
	Removed Order `json:"-" bson:"removed,omitempty"`

	Presence Presence `json:"presence" bson:"presence"`

	// Heard is the number of the newest record that event twin.heard told of, Spoken the newest order among what it told of that connectors had numbered.
	// Missing are spans of the device's own numbers that have not come, oldest first, so that what comes late is told once. All three
	// stay as they are where the type's driver does not react.
	Heard   int64  `json:"-" bson:"heard,omitempty"`
	Spoken  Order  `json:"-" bson:"spoken,omitempty"`
	Missing []Span `json:"-" bson:"missing,omitempty"`

	// Rules is the memory of each rule that watches this twin; package monitor gives it its meaning.
	Rules []RuleState `json:"rules,omitempty" bson:"rules,omitempty"`

	// Episodes is the highest number of an alarm among rules that are forgotten, so that none is used twice.
	Episodes int64 `json:"-" bson:"episodes,omitempty"`

	// Recent are the last things that happened, oldest first, at most MaxRecent: an alarm's context (paper FR10).
	Recent []Occurrence `json:"recent,omitempty" bson:"recent,omitempty"`

	// Due is when somebody must look at this twin even if no message comes (a rule's duration ends, silence becomes
	// offline); the zero time if never. The scheduled run finds twins by it.
	Due time.Time `json:"due,omitzero" bson:"due,omitempty"`

	// Messages counts the messages applied, Late those that came after a newer one, Parked those that could not be decoded.
	// They are for people: where a crash came between history and twin, a late or parked one may be missing in them.
	Messages int64 `json:"messages" bson:"messages"`
	Late     int64 `json:"late" bson:"late"`
	Parked   int64 `json:"parked" bson:"parked"`
}

// Presence tells whether the device can be reached.
type Presence struct {
	Connected bool `json:"connected" bson:"connected"`

	// Session is the id of the newest connection; a disconnect ends only its own session.
	Session string `json:"session,omitempty" bson:"session,omitempty"`

	Gateway string    `json:"gateway,omitempty" bson:"gateway,omitempty"`
	Since   time.Time `json:"since,omitzero" bson:"since,omitempty"` // of the last change of Connected

	// LastSeen is when the platform last heard anything from the device.
	LastSeen time.Time `json:"lastSeen,omitzero" bson:"lastSeen,omitempty"`

	// Offline is set when the type's OfflineAfter has passed without contact.
	Offline bool `json:"offline" bson:"offline"`
}

// Online tells whether the device counts as reachable: it is connected, or it needs no connection and is not silent.
func (p *Presence) Online() bool {
	return !p.Offline && (p.Connected || p.Session == "" && !p.LastSeen.IsZero())
}

// RuleState is what one rule remembers of one twin.
type RuleState struct {
	Rule    string `json:"rule" bson:"rule"`
	Version int64  `json:"version" bson:"version"` // the rule's version; another one starts from zero

	// Breached is set while the condition holds; Since is the measuring time at which it began, SinceReceived the
	// platform's time.
	Breached      bool      `json:"breached" bson:"breached"`
	Since         time.Time `json:"since,omitzero" bson:"since,omitempty"`
	SinceReceived time.Time `json:"sinceReceived,omitzero" bson:"sinceReceived,omitempty"`

	// Active is set while an alarm is raised. Episode numbers the alarms of this rule on this twin, the first is 1.
	Active  bool  `json:"active" bson:"active"`
	Episode int64 `json:"episode" bson:"episode"`

	// Title is the raised alarm's, for its end when the rule is gone by then; "" if none is raised.
	Title string `json:"title,omitempty" bson:"title,omitempty"`

	// Due is when the condition will have held long enough; the zero time if it does not hold or the alarm is raised.
	Due time.Time `json:"due,omitzero" bson:"due,omitempty"`
}

// An Occurrence is one thing that happened to a twin.
type Occurrence struct {
	At   time.Time `json:"at" bson:"at"`
	What string    `json:"what" bson:"what"` // "connected", "alarm raised: cpu.percent > 80", …
}

// MaxRecent bounds Live.Recent.
const MaxRecent = 16

// Bounds on what a twin holds of what its device reports: how many properties, and how many bytes of a text. Of a longer
// text it holds the beginning; history has all of it.
const (
	MaxProperties = 1000
	MaxText       = 1024
)

// Reading returns the newest reading of property.
func (l *Live) Reading(property string) (Reading, bool) {
	i, ok := l.find(property)
	if !ok {
		return Reading{}, false
	}
	return l.Reported[i], true
}

// Report records r as the newest reading of its property and tells whether it changed the twin. A reading that is not
// after the one held changes nothing, because devices send again what was not acknowledged. So does a reading of a new
// property when the twin already reports MaxProperties, or when it is older than a removal; one of the
// message that removed something is not. A nil value removes the property.
func (l *Live) Report(r Reading) (changed bool) {
	if text, ok := r.Value.(string); ok {
		r.Value = clip(text, MaxText)
	}
	i, held := l.find(r.Property)
	switch {
	case held && !r.after(l.Reported[i]):
		return false
	case r.Value == nil:
		if r.Order.After(l.Removed) {
			l.Removed = r.Order
		}
		if held {
			l.Reported = slices.Delete(l.Reported, i, i+1)
		}
		return held
	case held:
		l.Reported[i] = r
		return true
	case len(l.Reported) >= MaxProperties || l.Removed != (Order{}) && r.Order != l.Removed && !r.Order.After(l.Removed):
		return false
	}
	l.Reported = slices.Insert(l.Reported, i, r)
	return true
}

// Recount forgets the orders held, so that the next message counts as newer whatever its number: a device that was enrolled
// anew, or took another's place, counts from its own beginning. Values and history stay.
func (l *Live) Recount() {
	l.Last, l.Removed, l.Spoken, l.Missing = Order{}, Order{}, Order{}, nil
	for i := range l.Reported {
		l.Reported[i].Order = Order{}
	}
}

func (l *Live) find(property string) (int, bool) {
	return slices.BinarySearchFunc(l.Reported, property, func(r Reading, p string) int { return strings.Compare(r.Property, p) })
}

// Rule returns the memory of the given version of rule, made new if there is none or only one of another version without
// an alarm. The numbers of its alarms go on across versions, so that an alarm's id is never used twice.
func (l *Live) Rule(rule string, version int64) *RuleState {
	for i := range l.Rules {
		if s := &l.Rules[i]; s.Rule == rule {
			if s.Version != version && !s.Active {
				*s = RuleState{Rule: rule, Version: version, Episode: s.Episode}
			}
			return s
		}
	}
	l.Rules = append(l.Rules, RuleState{Rule: rule, Version: version, Episode: l.Episodes})
	return &l.Rules[len(l.Rules)-1]
}

// Forget removes the memory of the rules that gone names.
func (l *Live) Forget(gone func(*RuleState) bool) {
	l.Rules = slices.DeleteFunc(l.Rules, func(s RuleState) bool {
		if !gone(&s) {
			return false
		}
		l.Episodes = max(l.Episodes, s.Episode)
		return true
	})
}

// maxWhat bounds what an occurrence says, in bytes: a part of it may come from the device.
const maxWhat = 200

// Happened notes an occurrence, forgetting the oldest beyond MaxRecent.
func (l *Live) Happened(at time.Time, what string) {
	l.Recent = append(l.Recent, Occurrence{At: at, What: clip(what, maxWhat)})
	if n := len(l.Recent) - MaxRecent; n > 0 {
		l.Recent = slices.Delete(l.Recent, 0, n)
	}
}

// clip cuts text to n bytes, at a character's end.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
