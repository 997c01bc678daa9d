package twincommand_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// What a type says of a command is what its devices get; of other commands it says nothing.
func TestInputsFitTheModel(t *testing.T) {
	w := start(t, "valve-1")
	_, err := w.twins.Update(w.ctx, "valve", func(v *twin.Twin) error {
		v.Definition.Model.Commands = []twin.CommandModel{{Name: "turnTo", Input: json.RawMessage(`{"type":"object","required":["degrees"],"additionalProperties":false,
			"properties":{"degrees":{"type":"number","minimum":0,"maximum":90}}}`)}, {Name: "close"}, {Name: "broken", Input: json.RawMessage(`{"type":"nothing"}`)}}
		return nil
	})
	w.must(err)
	for _, c := range []struct{ name, input, says string }{
		{"turnTo", `{"degrees":45}`, ""},
		{"turnTo", `{"degrees":91}`, "input does not fit what type valve says of command turnTo: /degrees: maximum: got 91, want 90"},
		{"turnTo", `{"degrees":"45"}`, "/degrees: got string, want number"},
		{"turnTo", `{"degree":45}`, "missing property 'degrees'"},
		{"turnTo", ``, "input is missing; command turnTo of type valve takes one"},
		{"turnTo", `45`, "got number, want object"},
		{"close", `{"whatever":true}`, ""},
		{"close", ``, ""},
		{"turnto", `45`, ""}, // another one, of which the type says nothing
		{"unheard-of", `[1]`, ""},
		{"broken", `1`, ""}, // a schema that nobody can judge by stands in nobody's way
	} {
		_, err := w.owner.SendCommand(w.ctx, api.NewCommand{Twin: "valve-1", Name: c.name, Input: json.RawMessage(c.input)})
		if c.says == "" && err != nil || c.says != "" && (!errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s %s: %v, want it to say %q", c.name, c.input, err, c.says)
		}
	}
	// What was taken once is the same command still, though the type says otherwise by now.
	in := api.NewCommand{Twin: "valve-1", Name: "close", Key: "once", Input: json.RawMessage(`1`)}
	first := w.send(in)
	_, err = w.twins.Update(w.ctx, "valve", func(v *twin.Twin) error {
		v.Definition.Model.Commands[1].Input = json.RawMessage(`{"type":"string"}`)
		return nil
	})
	w.must(err)
	if again := w.send(in); again.ID != first.ID {
		t.Errorf("asked again it is %s, was %s", again.ID, first.ID)
	}
	if in.Key = "twice"; func() error { _, err := w.owner.SendCommand(w.ctx, in); return err }() == nil {
		t.Error("a changed model is not heeded")
	}
}

// What a device gives back is judged, too; it has carried the command out all the same.
func TestOutputsFitTheModel(t *testing.T) {
	w := start(t, "valve-1")
	_, err := w.twins.Update(w.ctx, "valve", func(v *twin.Twin) error {
		v.Definition.Model.Commands = []twin.CommandModel{
			{Name: "fits", Output: json.RawMessage(`{"type":"object","properties":{"position":{"maximum":40}}}`)},
			{Name: "odd", Output: json.RawMessage(`{"type":"object","properties":{"position":{"maximum":39}}}`)},
			{Name: "broken", Output: json.RawMessage(`{"type":"nothing"}`)}, {Name: "untold"}}
		return nil
	})
	w.must(err)
	w.connect("valve-1", "s1", true)
	for i, c := range []struct{ name, reason string }{
		{"fits", "as told"}, {"broken", "as told"}, {"untold", "as told"}, {"unheard-of", "as told"},
		{"odd", "the output does not fit what type valve says of command odd: /position: maximum: got 40, want 39. as told"},
	} {
		n := w.send(api.NewCommand{Twin: "valve-1", Name: c.name})
		w.report("c1", w.lease("c1", "valve-1", "s1", n.ID)[0], true)
		w.answer("valve-1", n.ID, true, int64(i+1))
		functiontest.Eventually(t, "the answer is followed", func() bool { w.must(w.deliver()); return w.get(n.ID).State.Ended() })
		if x := w.get(n.ID); x.State != api.CommandSucceeded || x.Reason != c.reason || string(x.Output) != `{"position":40}` {
			t.Errorf("%s: %s %q, output %s; want %q", c.name, x.State, x.Reason, x.Output, c.reason)
		}
	}
}
