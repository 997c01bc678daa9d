package twinprovision_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
)

// The examples of docs/provisioning.md are models that the platform takes, and it names all that there is.
func TestTheDocumentedModels(t *testing.T) {
	w := start(t)
	doc, err := os.ReadFile("../../docs/provisioning.md")
	w.must(err)
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(doc, -1)
	if len(examples) != 3 {
		t.Fatalf("there are %d examples", len(examples))
	}
	for _, e := range examples {
		c, err := w.admin.CheckModel(w.ctx, api.TypeYAML, e[1])
		if err != nil || !c.OK {
			t.Errorf("%s\n%v, %+v", e[1], err, c.Faults)
		}
	}
	for _, a := range provision.Actions {
		if !strings.Contains(string(doc), "| `"+string(a)+"` |") {
			t.Errorf("action %s is not in it", a)
		}
		for _, p := range a.Parameters() {
			if !strings.Contains(string(doc), "`"+p.Name+"`") {
				t.Errorf("parameter %s of %s is not in it", p.Name, a)
			}
		}
	}
	for _, tr := range provision.Triggers {
		if !strings.Contains(string(doc), "`"+string(tr)+"`") {
			t.Errorf("trigger %s is not in it", tr)
		}
	}
}
