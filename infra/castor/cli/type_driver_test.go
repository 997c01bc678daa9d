package cli

import (
	"context"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// Who writes or reads a type hears that nothing reads its devices, and what to do.
func TestATypeWhoseDriverReadsNothing(t *testing.T) {
	p := newMaker(t)
	p.does(words("driver new th"), "")
	p.does(words("driver publish th"), "")
	p.login(functiontest.Admin)
	warned := func(says string, args []string, typed string) {
		t.Helper()
		out, hints, err := p.castor(typed, args...)
		if err != nil || says == "" && strings.Contains(out+hints, "arning") || !strings.Contains(out+hints, says) {
			t.Errorf("castor %s: %v, want %q\n%s%s", strings.Join(args, " "), err, says, out, hints)
		}
	}
	apply := func(driver, owner string) string {
		return "id: therm\ndefinition: {owner: " + owner + ", model: {driver: " + driver + "}}\n"
	}
	warned("Warning: type therm: there is no driver nobody that you may see: messages of its devices are parked until one is published", words("type create therm --owner press --driver nobody"), "")
	warned("there is no driver nobody", words("type get therm"), "")
	warned("no version of driver th is active: messages of its devices are parked until one is promoted: castor driver promote th 0.1.0", words("type apply -f -"), apply("th", "press"))
	warned("castor driver promote th 0.1.0; besides, driver th is JavaScript: only WebAssembly drivers react", words("type apply -f -"), apply("th, reacts: true", "press"))
	p.does(words("type apply -f -"), "id: therm\ndefinition: {model: {provisioning: manual, reacts: false}}\n", "changed")
	warned("Warning: type therm: no version of driver th is active", words("run start therm --owner press --serial T-1 --key t-1.key"), "")
	p.does(words("driver canary th 0.1.0 5%"), "")
	warned("driver th has a canary only", words("type get therm"), "")
	p.does(words("driver promote th 0.1.0"), "")
	warned("", words("type get therm"), "")
	warned("", words("type apply -f -"), apply("tasmota", "press"))
	warned("Warning: type therm: driver tasmota is a document: only WebAssembly drivers react, so reacts: true has no effect", words("type apply -f -"), apply("tasmota, reacts: true", "press"))
	warned("driver th is JavaScript: only WebAssembly drivers react", words("type apply -f -"), apply("th, reacts: true", "press"))
	warned("driver th is JavaScript: only WebAssembly drivers react", words("type get therm"), "")
	warned("or say reacts: false in the type's model (castor type apply)", words("type get therm"), "")
	p.does(words("twin apply -f -"), "id: th-1\nkind: instance\ndefinition: {type: therm, owner: press}\n", "created")
	warned("th-1 is of type therm, whose driver cannot react: driver th is JavaScript", words("twin reactions th-1"), "")
	warned("", words("type apply -f -"), apply("th, reacts: false", "press"))
	warned("th-1 is of type therm, which does not let its driver react", words("twin reactions th-1"), "")
	warned("therm is no device but of kind type", words("twin reactions therm"), "")
	p.does(words("twin apply -f -"), "id: silent\nkind: type\ndefinition: {owner: press, model: {driver: th}}\n---\nid: th-2\nkind: instance\ndefinition: {type: silent, owner: press}\n", "created")
	warned("th-2 is of type silent, which does not let its driver react: say reacts: true in its model (castor type apply -f FILE)", words("twin reactions th-2"), "")
	p.does(words("group create paint"), "")
	warned("driver th belongs to group press, the type to paint", words("type apply -f -"), apply("th", "paint"))
}

// What is said of a driver in quarantine depends on what it was used for.
func TestDriversInQuarantine(t *testing.T) {
	a := &app{}
	for _, v := range []struct {
		was   api.DriverState
		state string
		says  string
	}{{api.DriverActive, "quarantined", "what they send is parked"}, {api.DriverCanary, "quarantined, its trial is over", "read as the others are"}} {
		of := api.DriverVersion{Version: "1.0.0", State: api.DriverQuarantined, Was: v.was}
		facts := ""
		for _, f := range a.versionFacts(of) {
			facts += f.name + ": " + f.value + "\n"
		}
		if driverState(of) != v.state || !strings.Contains(facts, v.says) {
			t.Errorf("of one that was %s is said %q and\n%s", v.was, driverState(of), facts)
		}
	}
	p := newMaker(t)
	p.does(words("driver new th"), "")
	p.does(words("driver publish th --activate"), "")
	p.login(functiontest.Admin)
	p.does(words("twin apply -f -"), "id: therm\nkind: type\ndefinition: {owner: press, model: {driver: th}}\n---\nid: th-1\nkind: instance\ndefinition: {type: therm, owner: press}\n---\nid: th-2\nkind: instance\ndefinition: {type: therm, owner: press}\n---\nid: th-3\nkind: instance\ndefinition: {type: therm, owner: press}\n", "created")
	p.Enrol("op-1", 1, "th-1", "th-2", "th-3")
	if err := p.Part("connector", "op-1").ReportDriver(context.Background(), api.DriverFailures{Gateway: "op-1", Name: "th", Version: "0.1.0", Failed: 1, Twins: []twin.ID{"th-1"}, Reason: "too short"}); err != nil {
		t.Fatal(err)
	}
	p.does(words("driver get th 0.1.0"), "", "active", "last failure", "too short")
	if out := p.does(words("driver get th"), "", "LAST FAILURE", "too short"); strings.Contains(out, "REASON") {
		t.Errorf("one failure of a version that is active is said to be a reason:\n%s", out)
	}
	if err := p.Part("connector", "op-1").ReportDriver(context.Background(), api.DriverFailures{Gateway: "op-1", Name: "th", Version: "0.1.0", Grave: 20, Twins: []twin.ID{"th-1", "th-2", "th-3"}, Reason: "it looped"}); err != nil {
		t.Fatal(err)
	}
	p.does(words("driver get th 0.1.0"), "", "quarantined", "what they send is parked", "reason")
	if out := p.does(words("driver get th"), "", "REASON", "it looped"); strings.Contains(out, "LAST FAILURE") {
		t.Errorf("why it is in quarantine is said to be a failure among others:\n%s", out)
	}
	p.does(words("type get therm"), "", "driver th 0.1.0 is in quarantine: messages of its devices are parked")
}
