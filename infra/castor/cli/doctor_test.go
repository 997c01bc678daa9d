package cli

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/castor-iot/castor/infra/castor/doctor"
)

// The clock of this world is months away from that of its server, nothing calls its watchdog, and it has no object store.
func TestDoctor(t *testing.T) {
	p := newPerson(t)
	p.login("admin")
	out, _, err := p.castor("", "doctor", "--json")
	var unwell Unwell
	if !errors.As(err, &unwell) || unwell.ExitCode() != 2 {
		t.Fatalf("castor doctor ends with %v, want exit code 2", err)
	}
	var r doctor.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found := map[string]doctor.Finding{}
	for _, f := range r.Findings {
		if f.Level == doctor.Bad {
			found[f.Check] = f
		}
	}
	if f := found["clock"]; !strings.Contains(f.Fact, "behind the platform's") && !strings.Contains(f.Fact, "ahead of the platform's") || f.Remedy == "" {
		t.Errorf("the clock: %+v", f)
	}
	if f := found["watchdog"]; !strings.Contains(f.Fact, "never run") || !strings.Contains(f.Remedy, "castor-connector events") {
		t.Errorf("the watchdog: %+v", f)
	}
	text, _, _ := p.castor("", "doctor")
	for _, want := range []string{"bad", "clock", "→ ", "not ready: artifacts"} {
		if !strings.Contains(text, want) {
			t.Errorf("castor doctor does not print %q:\n%s", want, text)
		}
	}
}
