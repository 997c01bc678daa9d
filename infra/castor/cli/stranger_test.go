package cli

import (
	"strings"
	"testing"

	"github.com/castor-iot/castor/tests/functiontest"
)

// A field that is misspelt, or stands in another's place, is told with its place and what there is.
func TestAFieldThatIsNotThereIsToldWithItsPlace(t *testing.T) {
	p := newMaker(t)
	p.login(functiontest.Admin)
	for file, want := range map[string]string{
		"id: a\ndefinition: {model: {properties: [{name: t}, {name: u, unti: Cel}]}}": `unknown field "unti": definition.model.properties[1].unti is not known here; there are enum, id, max, min, name`,
		"id: a\nmodel: {driver: x}": `unknown field "model": model is not known here, it stands in definition; there are created, definition, id`,
		"id: a\ndefinition: {model: {commands: [{name: c, inputs: {type: object}}]}}": "definition.model.commands[0].inputs is not known here; there are input, name",
	} {
		if out, _, err := p.castor(file, words("type apply -f -")...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q\n%s", file, err, want, out)
		}
	}
}

// A unit that people write and UCUM does not have is told with the one that it has: nothing would be converted.
func TestAUnitThatUCUMDoesNotHaveIsTold(t *testing.T) {
	p := newMaker(t)
	p.login(functiontest.Admin)
	for property, want := range map[string]string{
		"t=degC":          `property t: unit "degC" is no UCUM code, and nothing is converted to it; write Cel`,
		"e=kWh":           "write kW.h",
		"air.temp=C":      `property air.temp: unit "C" is the coulomb in UCUM; write Cel`,
		"charge=C":        "",
		"flow=m3/h":       "",
		"speed={rev}/min": "",
		"capacity=F":      "",
	} {
		_, hints, err := p.castor("", "type", "create", strings.NewReplacer("=", "-", "/", "", "{", "", "}", "", ".", "").Replace(property), "--owner", "press", "--property", property)
		if err != nil || want == "" && strings.Contains(hints, "arning") || !strings.Contains(hints, want) {
			t.Errorf("%s: %v, want %q\n%s", property, err, want, hints)
		}
	}
}
