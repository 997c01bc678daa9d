package house

import (
	"slices"
	"strings"
	"testing"
)

// The domain: pure rules, no I/O, standard library only.
var domain = []string{"shared/access", "shared/device", "shared/event", "shared/monitor", "shared/pause", "shared/provision", "shared/telemetry", "shared/trace", "shared/twin"}

// A room is a folder and all below it, and what of ours its files (tests apart) may import.
type room struct {
	dir string
	may []string
	why string
}

// rooms are tried in turn; the first whose folder holds the file counts.
var rooms = []room{
	{"shared/store/embedded", []string{"shared/store"}, "a driver knows the store it implements and nothing else"},
	{"shared/store/mongo", []string{"shared/store"}, "a driver knows the store it implements and nothing else"},
	{"shared/store/storetest", []string{"shared/store"}, "the suite knows the store only, so that any driver can run it"},
	{"shared/store", []string{"shared/metrics", "shared/pause"}, "the store times what it does, and does not ask what is in its documents"},
	{"shared/metrics", nil, "it counts for every room, so it knows none"},
	{"shared/bus", append([]string{"shared/metrics"}, domain...), "the bus carries events and counts them; it decides nothing"},
	{"shared/artifact", domain, "the object store decides nothing"},
	{"shared/pki", domain, "the CA signs; who gets a certificate is decided elsewhere"},
	{"shared/dial", nil, "it knows addresses, and nobody who is called there"},
	{"shared/seal", domain, "it seals and opens; for whom is decided elsewhere"},
	{"shared/schema", nil, "it judges values by a schema, and knows nothing of whose they are"},
	{"shared/wot", domain, "it writes types in the words of the W3C; what becomes of them is decided elsewhere"},
	{"shared/rule", domain, "it judges conditions of the domain, and knows no function"},
	{"shared/driver", append([]string{"shared/driver", "shared/metrics"}, domain...), "drivers turn bytes into values; which device has which is decided elsewhere"},
	{"shared/faas", append([]string{"shared/api", "shared/metrics"}, domain...), "faas declares what it needs of a platform; platform imports faas, not the reverse"},
	{"shared/api/devicepb", nil, "generated of what device makers read; it knows no Go of ours"},
	{"shared/api", append([]string{"shared/driver"}, domain...), "the public contract must not drag an implementation along"},
	{"shared/platform", []string{"shared"}, "the platform knows all implementations, and no function"},
	{"functions/functions.go", []string{"functions", "shared/faas", "shared/platform"}, "the list of all functions"},
	{"functions", append([]string{"shared/api", "shared/driver", "shared/faas", "shared/platform", "shared/store", "shared/artifact", "shared/pki", "shared/seal", "shared/rule", "shared/schema", "shared/wot", "shared/bus", "shared/metrics"}, domain...),
		"functions never import each other; they call through api.Client"},
	{"connectors/gateway/mosquitto", append([]string{"connectors", "shared/api", "shared/bus", "shared/seal"}, domain...), "mosquitto compares plain passwords: its configurator opens what is sealed to it"},
	{"connectors", append([]string{"connectors", "shared/api", "shared/bus", "shared/dial", "shared/driver", "shared/metrics"}, domain...), "a connector reaches the platform by calls and the bus"},
	{"agent", append([]string{"agent", "shared/api"}, domain...), "the agent runs on devices: it must stay small"},
	{"infra", []string{""}, "it puts everything together; nothing imports it"},
	{"tests", []string{""}, "they look at everything; nothing imports them"},
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.Files {
			if f.Test {
				continue
			}
			ours, foreign := f.Imports()
			if slices.Contains(domain, p.Dir) {
				for _, i := range foreign {
					t.Errorf("%s imports %s: the domain has the standard library only", f.Path, i)
				}
				for _, i := range ours {
					if !slices.Contains(domain, i) {
						t.Errorf("%s imports %s: the domain knows no other room", f.Path, i)
					}
				}
				continue
			}
			r, ok := roomOf(f.Path)
			if !ok {
				t.Errorf("%s is in no room: give its folder one in tests/house", f.Path)
				continue
			}
			for _, i := range ours {
				if i != p.Dir && !r.allows(f, i) {
					t.Errorf("%s imports %s: %s", f.Path, i, r.why)
				}
			}
		}
	}
}

func roomOf(file string) (room, bool) {
	for _, r := range rooms {
		if file == r.dir || strings.HasPrefix(file, r.dir+"/") {
			return r, true
		}
	}
	return room{}, false
}

func (r room) allows(f File, dir string) bool {
	// A program may open the platform; a package may not.
	if f.AST.Name.Name == "main" && dir == "shared/platform" {
		return true
	}
	return slices.ContainsFunc(r.may, func(may string) bool {
		return may == "" || dir == may || strings.HasPrefix(dir, may+"/") && !strings.HasPrefix(may, "shared/store")
	})
}

func TestNothingImportsInfraOrTests(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.Files {
			if f.Test || strings.HasPrefix(p.Dir, "infra") || strings.HasPrefix(p.Dir, "tests") {
				continue
			}
			ours, _ := f.Imports()
			for _, i := range ours {
				if strings.HasPrefix(i, "infra") || strings.HasPrefix(i, "tests") {
					t.Errorf("%s imports %s: infra and tests use the house, the house does not know them", f.Path, i)
				}
			}
		}
	}
}
