package twinprovision_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
)

// Who asks by which model a device would come in is told of every choice, and the device that comes then does come in by that one.
func TestWhichModelADeviceWouldGet(t *testing.T) {
	w := start(t)
	w.newType("boat", twin.Model{Choices: []twin.Choice{
		{If: `answer.score > 3`, Model: "manual"},
		{If: `facts.firmware == "0"`, Model: "semi-automatic"},
		{If: `claim.batch == "x"`, Model: "manual"}}})
	sample := provision.Sample{Type: "boat", Request: provision.Request{Facts: map[string]string{"firmware": "0"}}}
	got, err := w.admin.ChooseModel(w.ctx, sample)
	w.must(err)
	want := []provision.Verdict{provision.Unjudged, provision.Holds, provision.PassedBy}
	for i, v := range want {
		if len(got.Choices) != len(want) || got.Choices[i].Verdict != v || (got.Choices[i].Reason == "") != (v != provision.Unjudged) {
			t.Errorf("choice %d: %+v, want %s", i+1, got.Choices, v)
		}
	}
	a := w.ask(w.request(w.claim(api.NewClaim{Type: "boat"}), "B-1", func(r *api.ProvisionRequest) { r.Type, r.Facts = "boat", map[string]string{"firmware": "0"} }))
	if r := w.run(a.Run); r.Model.ID != got.Model || r.Model.Version != got.Version || got.Model != "semi-automatic" {
		t.Errorf("it is told %s, version %d, and the device comes in by %s, version %d", got.Model, got.Version, r.Model.ID, r.Model.Version)
	}
	if got, err := w.admin.ChooseModel(w.ctx, provision.Sample{Type: "pump"}); err != nil || got.Model != "automatic" || got.Choices == nil {
		t.Errorf("of a type that names none: %+v, %v", got, err)
	}
	owner := w.User("olga", []access.Role{access.Owner}, "press")
	stranger := w.User("otto", []access.Role{access.Configurator}, "paint")
	if _, err := owner.ChooseModel(w.ctx, sample); !errors.Is(err, access.ErrDenied) {
		t.Errorf("an owner: %v", err)
	}
	for name, in := range map[string]provision.Sample{"no type": {}, "a type that is none": {Type: "../x"}, "one that is not there": {Type: "none"}} {
		if _, err := w.admin.ChooseModel(w.ctx, in); !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = w.admin.CreateTwin(w.ctx, api.NewTwin{ID: "hers", Kind: twin.Type, Definition: twin.Definition{Owner: "press", Model: &twin.Model{}}})
	w.must(err)
	_, hers := stranger.ChooseModel(w.ctx, provision.Sample{Type: "hers"})
	_, none := stranger.ChooseModel(w.ctx, provision.Sample{Type: "none"})
	if hers == nil || none == nil || hers.Error() != strings.Replace(none.Error(), "none", "hers", 1) {
		t.Errorf("a configurator of another group is told %v of the type, and %v of none", hers, none)
	}
}
