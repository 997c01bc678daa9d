package access

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

var pump = Twin(&twin.Twin{ID: "pump-7", Definition: twin.Definition{Type: "pump", Owner: "press-shop", Aggregates: []twin.ID{"line-2", "hall-3"}}})

func user(id string, role Role, groups ...string) Caller {
	return Caller{Kind: User, ID: id, Roles: []Role{role}, Groups: groups}
}

func TestDecide(t *testing.T) {
	give := func(subject, object string, right Right) []Grant {
		return []Grant{{Subject: subject, Object: object, Right: right, By: "user:ada"}}
	}
	part := Caller{Kind: Part, ID: "twin-command"}
	behalf := func(c Caller) Caller { p := part; p.For = &c; return p }
	gone := give("user:vic", "twin:pump-7", Write)
	gone[0].Deleted = time.Unix(1, 0)
	for name, c := range map[string]struct {
		caller Caller
		right  Right
		grants []Grant
		want   string // in the reason; "" = denied
	}{
		"a maintainer":                                {user("m", Maintainer), Write, nil, "maintainer"},
		"an owner in the group":                       {user("o", Owner, "press-shop"), Write, nil, "group press-shop"},
		"a configurator in the group":                 {user("c", Configurator, "press-shop"), Write, nil, "group press-shop"},
		"a viewer in the group reads":                 {user("v", Viewer, "press-shop"), Read, nil, "group press-shop"},
		"a viewer in the group writes":                {user("v", Viewer, "press-shop"), Write, nil, ""},
		"a developer in the group writes":             {user("d", Developer, "press-shop"), Write, nil, ""},
		"an owner of another group":                   {user("o", Owner, "paint-shop"), Read, nil, ""},
		"an owner of none":                            {user("o", Owner), Read, nil, ""},
		"a configurator of none":                      {user("c", Configurator), Read, nil, ""},
		"a grant to read, reading":                    {user("vic", Viewer), Read, give("user:vic", "twin:pump-7", Read), "on it by user:ada"},
		"a grant to read, writing":                    {user("vic", Viewer), Write, give("user:vic", "twin:pump-7", Read), ""},
		"a grant to write, reading":                   {user("vic", Viewer), Read, give("user:vic", "twin:pump-7", Write), "granted write"},
		"a grant on the type":                         {user("vic", Viewer), Write, give("user:vic", "twin:pump", Write), "on twin:pump, above it"},
		"a grant on an aggregate":                     {user("vic", Viewer), Read, give("user:vic", "twin:hall-3", Read), "twin:hall-3"},
		"a grant on another aggregate":                {user("vic", Viewer), Read, give("user:vic", "twin:hall-4", Read), ""},
		"a grant on a twin that only begins like it":  {user("vic", Viewer), Read, give("user:vic", "twin:pump-77", Write), ""},
		"a grant to the group":                        {user("vic", Viewer, "night"), Read, give("group:night", "twin:pump-7", Read), "group:night"},
		"a grant to another group":                    {user("vic", Viewer, "night"), Read, give("group:day", "twin:pump-7", Read), ""},
		"a grant to another user":                     {user("vic", Viewer), Read, give("user:eve", "twin:pump-7", Write), ""},
		"a grant to the service of the same name":     {user("vic", Viewer), Read, give("service:vic", "twin:pump-7", Write), ""},
		"a grant that was taken back":                 {user("vic", Viewer), Read, gone, ""},
		"a service account":                           {Caller{Kind: Service, ID: "erp"}, Read, give("service:erp", "twin:pump-7", Read), "service:erp"},
		"a part of the platform":                      {part, Write, nil, "twin-command"},
		"a part for an owner":                         {behalf(user("o", Owner, "press-shop")), Write, nil, "twin-command"},
		"a part for a stranger":                       {behalf(user("o", Owner)), Read, nil, ""},
		"a part for a user with a grant":              {behalf(user("vic", Viewer)), Read, give("user:vic", "twin:pump-7", Read), "twin-command"},
		"a part for a user, with a grant to the part": {behalf(user("vic", Viewer)), Read, give("platform:twin-command", "twin:pump-7", Write), ""},
		"a part that says it is a maintainer":         {behalf(Caller{Kind: "", Roles: []Role{Maintainer}}), Read, nil, ""},
		"nobody":                                      {Caller{}, Read, give(":", "twin:pump-7", Write), ""},
		"nobody with a role":                          {Caller{Roles: []Role{Maintainer}}, Read, nil, ""},
		"a kind that does not exist":                  {Caller{Kind: "god", ID: "m", Roles: []Role{Maintainer}}, Read, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decide(c.caller, c.right, pump, c.grants)
			if d.Allowed != (c.want != "") || !strings.Contains(d.Reason, c.want) || d.Reason == "" {
				t.Errorf("%+v, want %q", d, c.want)
			}
		})
	}
	if d := Decide(user("o", Owner, ""), Write, Object{Name: "twin:x"}, nil); d.Allowed {
		t.Error("the group without a name owns what is nobody's")
	}
}

// Lists select by Visible, single objects by Decide: what one shows and the other hides would leak.
func TestVisibleAgreesWithDecide(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	names := []string{"", "a", "b", "c"}
	allowed := 0
	for range 20_000 {
		c := Caller{Kind: CallerKind(pick("user", "service", "platform", "")), ID: pick("x", "y"), Roles: []Role{Roles[r.IntN(len(Roles))]}}
		if g := pick(names...); g != "" {
			c.Groups = []string{g}
		}
		if c.Kind == Part {
			c.Roles, c.Groups = nil, nil
			if r.IntN(2) == 0 {
				c.For = &Caller{Kind: User, ID: "x", Roles: []Role{Roles[r.IntN(len(Roles))]}, Groups: []string{"a"}}
			}
		}
		d := twin.Definition{Owner: pick(names...), Type: twin.TypeID(pick(names...))}
		if a := pick(names...); a != "" {
			d.Aggregates = []twin.ID{twin.ID(a)}
		}
		o := Twin(&twin.Twin{ID: twin.ID(pick("a", "b", "d")), Kind: twin.Kind(pick("instance", "type", "aggregate")), Definition: d})
		var grants []Grant
		for range r.IntN(3) {
			g := Grant{Subject: pick("user:x", "group:a", "service:y", "user:z", ":x"), Object: pick("twin:a", "twin:b", "twin:c", "service:a"), Right: Right(pick("read", "write"))}
			if r.IntN(4) == 0 {
				g.Deleted = time.Unix(1, 0)
			}
			grants = append(grants, g)
		}
		one, list := Decide(c, Read, o, grants).Allowed, Visible(c, grants).Allows(o)
		if one != list {
			t.Fatalf("%+v of %+v with %+v: decided %v, listed %v", c, o, grants, one, list)
		}
		if one {
			allowed++
		}
	}
	if allowed < 1000 || allowed > 19_000 {
		t.Errorf("%d of 20,000 are allowed: the test tries too little", allowed)
	}
}

func TestAllow(t *testing.T) {
	owner, maintainer, viewer := user("o", Owner), user("m", Maintainer), user("v", Viewer)
	part := Caller{Kind: Part, ID: "events"}
	behalf := part
	behalf.For = &owner
	for name, c := range map[string]struct {
		allow  Allow
		caller Caller
		want   bool
	}{
		"the zero value lets nobody in":           {Allow{}, maintainer, false},
		"nor parts":                               {Allow{}, part, false},
		"public lets nobody known in":             {Allow{Public: true}, Caller{}, true},
		"everybody signed in":                     {Users(), viewer, true},
		"not who is not":                          {Users(), Caller{}, false},
		"not who is not, whatever the roles":      {Users(), Caller{Roles: []Role{Maintainer}}, false},
		"a part is no user":                       {Users(), part, false},
		"a role":                                  {Only(Owner), owner, true},
		"another role":                            {Only(Owner), viewer, false},
		"a maintainer in the place of any role":   {Only(Owner), maintainer, true},
		"a part by name":                          {Parts("events"), part, true},
		"another part":                            {Parts("twins"), part, false},
		"any function":                            {Parts("*"), Caller{Kind: Part, ID: "twins"}, true},
		"a connector is no function":              {Parts("*"), part, false},
		"a gateway's connector is none either":    {Parts("*"), Caller{Kind: Part, ID: "connector", Gateway: "g"}, false},
		"a maintainer is no part":                 {Parts("*"), maintainer, false},
		"a user called like the part":             {Parts("events"), Caller{Kind: User, ID: "events", Roles: Roles}, false},
		"a part for a user, both let in":          {Only(Owner).And("events"), behalf, true},
		"a part for a user who is not let in":     {Only(Developer).And("events"), behalf, false},
		"a part that is not let in for a user":    {Only(Owner), behalf, false},
		"a part for a user where no user may":     {Parts("events"), behalf, true},
		"And leaves what it was made of as it is": {Users(), part, false},
	} {
		t.Run(name, func(t *testing.T) {
			_ = c.allow.And("events")
			if got := c.allow.Permits(c.caller); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestCallerName(t *testing.T) {
	ada := user("ada", Owner)
	for want, c := range map[string]Caller{
		"user:ada": ada, "service:erp": {Kind: Service, ID: "erp"}, "nobody": {},
		"platform:twin-command for user:ada": {Kind: Part, ID: "twin-command", For: &ada},
	} {
		if got := c.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := fmt.Sprint(user("ada", Owner, "a", "b").Subjects()); got != "[user:ada group:a group:b]" {
		t.Error(got)
	}
}
