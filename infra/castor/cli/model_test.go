package cli

import (
	"strings"
	"testing"
)

const pier = `id: pier
start: who
states:
  - {name: who, do: check-claim, then: ask}
  - name: ask
    do: ask
    with: {question: "May {serial} come in?"}
    on:
      - {when: approved, if: 'facts.firmware == "2"', then: done}
      - {when: approved, then: no}
    limit: 72h
    else: no
  - {name: done, do: check-identity, then: make}
  - {name: make, do: create-twin, then: sign}
  - {name: sign, do: issue-credential, then: place}
  - {name: place, do: register-gateway, then: hand}
  - {name: hand, do: deliver, then: live}
  - {name: live, do: activate, end: completed}
  - {name: no, do: withdraw, end: rejected}
`

func TestModelsAtATerminal(t *testing.T) {
	p := newPerson(t)
	p.login("admin")
	file := p.file("pier.yaml", pier)
	bad := p.file("bad.yaml", strings.Replace(pier, "do: check-claim", "do: fly", 1))
	p.does(words("model check "+file), "", "good model", "9 states")
	p.does(words("model put "+file), "", "model pier is version 1")
	p.does(words("model put "+file), "", "model pier is unchanged, version 1")
	p.does(words("model put "+p.file("pier.yaml", strings.Replace(pier, "limit: 72h", "limit: 71h", 1))), "", "model pier is version 2")
	p.does(words("model put "+p.file("pier.yaml", pier)), "", "model pier is version 3")
	p.does(words("model versions pier"), "", "1", "2", "3")
	p.does(words("model list"), "", "pier", "automatic", "semi-automatic", "manual")
	p.does(words("model get pier"), "", "question: May {serial} come in?")
	out, _, err := p.castor("", "model", "check", bad)
	if err == nil || !strings.Contains(out, bad+":4:21: states[0].do: there is no action \"fly\"") {
		t.Errorf("a bad one: %v\n%s", err, out)
	}
	p.fails(words("model put "+bad), "1 fault")
	p.does(words("model simulate "+file+" --event approved@2h --set facts.firmware=2 --set request.serial=P-1"), "", "The way: who → ask → done → make → sign → place → hand → live", "The device is in, 2h after the beginning.")
	p.does([]string{"model", "simulate", "--model", "pier", "--event", "declined:not ours"}, "", "The way: who → ask → no", "The device is rejected, 0s after the beginning: declined: not ours")
	p.does(words("model simulate --model pier"), "", "It waits in state ask for approved, until 72h after the beginning.", "owner is asked: May … come in?")
	p.does(words("model simulate --model pier --event timer@73h"), "", "The device is rejected, 72h after the beginning: nobody decided within 72h")
	p.does(words("model simulate --model pier --event refuse:check-claim:late"), "", "The device is rejected, 0s after the beginning: late")
	p.does(words("model simulate --model pier --event device-asked --event refuse:deliver"), "", "device-asked changed nothing: nothing waited for it.", "refuse of deliver changed nothing")
	p.fails(words("model simulate --model pier --event aproved"), "there is no trigger \"aproved\"; there are gateway-ready")
	p.fails(words("model simulate --model pier --event approved@soon"), "soon")
	p.fails(words("model simulate --model pier --set colour=red"), "identity.maker=acme")
	p.fails(words("model simulate --model pier --set identity.colour=red"), "colour")
	p.fails(words("model simulate"), "--model")
	typed := p.file("boat.yaml", "id: boat\ndefinition:\n  name: Boat\n  model:\n    choices:\n      - {if: 'identity.maker == \"acme\"', model: manual}\n"+
		"      - {if: 'facts.firmware == \"0\"', model: pier}\n      - {if: 'claim.temporary', model: semi-automatic}\n")
	p.does(words("type apply -f "+typed), "", "boat")
	p.does(words("type get boat"), "", "automatic, where none of the choices below holds", "manual", `identity.maker == "acme"`, "pier", "semi-automatic")
	p.does(words("model choose boat facts.firmware=0"), "", "model pier, version 3: choice 2 of the type holds", "does not hold", "not looked at: an earlier one holds")
	p.does(words("model choose boat -o json claim.temporary=true"), "", `"model": "semi-automatic"`, `"verdict": "fails"`)
	p.does(words("model choose boat"), "", "model automatic, version 1: the type names none, and none of its 3 choices holds")
	p.fails(words("model choose none"), "no type")
	p.fails(words("model choose boat maker=acme"), "identity.maker=acme")
	p.does(words("type delete boat"), "", "boat")
	p.does(words("model delete pier"), "", "pier")
	p.fails(words("model get pier"), "pier")
	p.fails(words("model delete automatic"), "comes with the platform")
}
