package access

import "slices"

// An Allow is what an operation declares of its callers. The zero value allows nobody. Operations on one object decide on
// that object as well; this is the first door only.
type Allow struct {
	// Public lets everybody in, signed in or not.
	Public bool

	// Roles whose users may call; a maintainer may call whatever any user may.
	Roles []Role

	// Services lets service accounts in, whatever roles they have: what they may do is decided on the object.
	Services bool

	// Parts of the platform that may call, by name; "*" stands for every function. Connectors stand where devices are, and
	// may do what they are named for and nothing else.
	Parts []string
}

// connectors are the parts that "*" does not stand for.
var connectors = []string{"connector", "events", "stream"}

// Users lets every signed-in user in.
func Users() Allow { return Allow{Roles: Roles} }

// Only lets users with one of roles in.
func Only(roles ...Role) Allow { return Allow{Roles: roles} }

// And lets the named parts of the platform in too.
func (a Allow) And(parts ...string) Allow {
	a.Parts = append(slices.Clone(a.Parts), parts...)
	return a
}

// Services lets service accounts in and no person.
func Services() Allow { return Allow{Services: true} }

// Parts lets the named parts of the platform in and no user.
func Parts(names ...string) Allow { return Allow{Parts: names} }

// Permits tells whether c passes. A part that calls for a user needs both to pass.
func (a Allow) Permits(c Caller) bool {
	if a.Public {
		return true
	}
	if c.Kind == Part {
		if !slices.Contains(a.Parts, c.ID) && (slices.Contains(connectors, c.ID) || !slices.Contains(a.Parts, "*")) {
			return false
		}
		return c.For == nil || len(a.Roles) == 0 || a.Permits(*c.For)
	}
	return a.Services && c.Kind == Service || len(a.Roles) > 0 && c.Is(append(slices.Clone(a.Roles), Maintainer)...)
}
