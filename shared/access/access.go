// Package access decides who may do what (paper 4.3.2, 7.1): callers, the objects they want, and the grants between them.
// It is the decision only: tokens are checked by package platform, grants are kept by function authorization.
package access

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
)

// Errors of every call. ErrDenied is also what a caller gets who may see an object but not change it; one who may not
// even see it is told that there is none.
var (
	ErrUnauthenticated = errors.New("not signed in")
	ErrDenied          = errors.New("not allowed")
)

// A Role is what a person does on the platform.
type Role string

// The roles of the paper's interfaces (7.1).
const (
	Maintainer   Role = "maintainer"   // runs the platform; may do everything
	Configurator Role = "configurator" // adds device technologies: types, models, templates, identities, claims
	Owner        Role = "owner"        // has devices: sees and manages those of the own groups
	Developer    Role = "developer"    // publishes apps
	Viewer       Role = "viewer"       // reads what is granted
)

// Roles lists every role.
var Roles = []Role{Maintainer, Configurator, Owner, Developer, Viewer}

// CallerKind tells who is calling.
type CallerKind string

// The kinds of callers.
const (
	User    CallerKind = "user"
	Service CallerKind = "service"  // a service account: an external application, with the roles and grants people gave it
	Part    CallerKind = "platform" // a function or connector of the platform itself
)

// A Caller is who makes a call, as its token says.
type Caller struct {
	Kind   CallerKind `json:"kind"`
	ID     string     `json:"id"` // user id, service account's id, or the function's or connector's name
	Roles  []Role     `json:"roles,omitempty"`
	Groups []string   `json:"groups,omitempty"`

	// Gateway limits a connector: it may act for twins assigned to this gateway only. "" for all other callers.
	Gateway string `json:"gateway,omitempty"`

	// Phase and Made are what the secret of a connector's folder binds it to: the phase of its gateway, and when it was made. Zero for
	// connectors that are bound to neither.
	Phase string    `json:"-"`
	Made  time.Time `json:"-"`

	// For is the user on whose behalf a part of the platform calls; nil if it calls for itself. Both need the right.
	For *Caller `json:"for,omitempty"`

	// Expires is when the token ends that told who calls; what outlives a call, as a stream does, ends then. The zero time
	// where there was no token.
	Expires time.Time `json:"-"`

	// Bound tells that the token counts only in calls of the one console's page that made this call.
	Bound bool `json:"-"`
}

// known tells whether the caller is anybody: the zero Caller is not.
func (c Caller) known() bool { return c.Kind == User || c.Kind == Service || c.Kind == Part }

// Is tells whether the caller is a user or service account with one of roles.
func (c Caller) Is(roles ...Role) bool {
	return (c.Kind == User || c.Kind == Service) && slices.ContainsFunc(roles, func(r Role) bool { return slices.Contains(c.Roles, r) })
}

// String is how the caller is named in logs and audits: "user:ada", "service:erp", "platform:twin-command for user:ada";
// "nobody" is who shows no token.
func (c Caller) String() string {
	if c.Kind == "" {
		return "nobody"
	}
	s := string(c.Kind) + ":" + c.ID
	if c.For != nil {
		s += " for " + c.For.String()
	}
	return s
}

// Subjects are the names under which grants are made to the caller: itself and its groups.
func (c Caller) Subjects() []string {
	s := []string{string(c.Kind) + ":" + c.ID}
	for _, g := range c.Groups {
		s = append(s, "group:"+g)
	}
	return s
}

// Right is what a grant allows.
type Right string

// The rights of the paper (4.3.2). Write includes Read.
const (
	Read  Right = "read"
	Write Right = "write"
)

// An Object is what a caller wants to read or write.
type Object struct {
	// Name is "twin:pump-7" (any kind of twin) or "service:alerts".
	Name string

	// Parents are the objects whose grants reach this one: the type and the aggregates of an instance.
	Parents []string

	// Owner is the group that the object belongs to; "" = nobody's.
	Owner string

	// Shared is set for what everybody who is signed in may read: a type that belongs to nobody is the platform's, and its
	// properties and units are needed by whoever has an instance.
	Shared bool
}

// Twin is the object of a twin.
func Twin(t *twin.Twin) Object {
	o := Object{Name: TwinName(t.ID), Owner: t.Definition.Owner, Shared: SharedType(t.Kind, t.Definition.Owner)}
	if t.Definition.Type != "" {
		o.Parents = append(o.Parents, TwinName(t.Definition.Type))
	}
	for _, a := range t.Definition.Aggregates {
		o.Parents = append(o.Parents, TwinName(a))
	}
	return o
}

// SharedType tells whether a twin of that kind and owner is a type of the platform itself, which everybody may read.
func SharedType(kind twin.Kind, owner string) bool { return kind == twin.Type && owner == "" }

// TwinName is how grants name a twin.
func TwinName(id twin.ID) string { return "twin:" + string(id) }

// A Grant lets a subject read or write an object and what is below it (paper 4.3.2: parents grant for their instances).
type Grant struct {
	ID      string    `json:"id" bson:"_id"`
	Subject string    `json:"subject" bson:"subject"` // "user:ada", "group:press-shop", "service:erp"
	Object  string    `json:"object" bson:"object"`   // "twin:pump-7", "twin:pump" (a type), "service:alerts"
	Right   Right     `json:"right" bson:"right"`
	By      string    `json:"by" bson:"by"` // who granted it
	Created time.Time `json:"created" bson:"created"`

	// Deleted is set on what is left of a grant until everybody was told that it is gone; it grants nothing.
	Deleted time.Time `json:"-" bson:"deleted,omitempty"`

	// Outbox holds the events of this document that are not published yet.
	Outbox event.Outbox `json:"-" bson:"outbox"`
}

// A Decision says whether, and why.
type Decision struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"`
}

// Decide tells whether c may use right on o, given the grants made to c's subjects. What no line allows is denied.
// A call on someone's behalf needs both rights.
func Decide(c Caller, right Right, o Object, grants []Grant) Decision {
	if c.For != nil {
		if d := Decide(*c.For, right, o, grants); !d.Allowed {
			return d
		}
		c.For = nil
	}
	switch {
	case !c.known():
		return Decision{false, "nobody is signed in"}
	case c.Kind == Part:
		// Which operations a part may call is declared at each operation; there it acts on any object.
		return Decision{true, "part " + c.ID + " of the platform is allowed this operation"}
	case c.Is(Maintainer):
		return Decision{true, "role maintainer may do everything"}
	case c.Is(Owner, Configurator) && o.Owner != "" && slices.Contains(c.Groups, o.Owner):
		return Decision{true, "it belongs to group " + o.Owner}
	case right == Read && o.Owner != "" && slices.Contains(c.Groups, o.Owner):
		return Decision{true, "it belongs to group " + o.Owner}
	case right == Read && o.Shared:
		return Decision{true, "a type that belongs to nobody is everybody's to read"}
	}
	subjects := c.Subjects()
	for _, g := range grants {
		if !g.Deleted.IsZero() || !slices.Contains(subjects, g.Subject) || right == Write && g.Right != Write {
			continue
		}
		if g.Object == o.Name {
			return Decision{true, g.Subject + " was granted " + string(g.Right) + " on it by " + g.By}
		}
		if slices.Contains(o.Parents, g.Object) {
			return Decision{true, g.Subject + " was granted " + string(g.Right) + " on " + g.Object + ", above it, by " + g.By}
		}
	}
	return Decision{false, "no grant, ownership or role allows it"}
}

// A Scope says which twins a caller may read: all, or those owned by a group, below a type or aggregate, or named, and types
// that belong to nobody. The zero value is nobody's, who may read nothing.
type Scope struct {
	All    bool
	Shared bool      // types that belong to nobody
	Groups []string  // owners
	Twins  []twin.ID // each with everything below it
}

// Visible is the scope of what c may read, given the grants made to c's subjects.
func Visible(c Caller, grants []Grant) Scope {
	if c.For != nil {
		c = *c.For
	}
	switch {
	case !c.known():
		return Scope{}
	case c.Kind == Part, c.Is(Maintainer):
		return Scope{All: true}
	}
	s := Scope{Shared: true, Groups: slices.Clone(c.Groups)}
	subjects := c.Subjects()
	for _, g := range grants {
		if id, ok := strings.CutPrefix(g.Object, "twin:"); ok && g.Deleted.IsZero() && slices.Contains(subjects, g.Subject) {
			s.Twins = append(s.Twins, twin.ID(id))
		}
	}
	slices.Sort(s.Twins)
	s.Twins = slices.Compact(s.Twins)
	return s
}

// Allows tells whether o is within the scope.
func (s Scope) Allows(o Object) bool {
	if s.All || s.Shared && o.Shared || o.Owner != "" && slices.Contains(s.Groups, o.Owner) {
		return true
	}
	return slices.ContainsFunc(s.Twins, func(id twin.ID) bool {
		return TwinName(id) == o.Name || slices.Contains(o.Parents, TwinName(id))
	})
}

// A Record tells who changed what: one line of the audit.
type Record struct {
	ID       string    `json:"id" bson:"_id"`
	At       time.Time `json:"at" bson:"at"`
	Caller   string    `json:"caller" bson:"caller"`
	Function string    `json:"function" bson:"function"`
	Method   string    `json:"method" bson:"method"`
	Path     string    `json:"path" bson:"path"`
	Status   int       `json:"status" bson:"status"`
	CallID   string    `json:"callId,omitempty" bson:"callId,omitempty"`
}
