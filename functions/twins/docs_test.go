package twins_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/schema"
	"github.com/castor-iot/castor/shared/twin"
	"go.yaml.in/yaml/v3"
)

var blocks = regexp.MustCompile("(?s)```(yaml|text|json)\n(.*?)```")

// The guide's type is made as it is written, and does what the guide says.
func TestTheGuideToTypes(t *testing.T) {
	b, err := os.ReadFile("../../docs/types.md")
	must(t, err)
	found := map[string][]string{}
	for _, m := range blocks.FindAllStringSubmatch(string(b), -1) {
		found[m[1]] = append(found[m[1]], m[2])
	}
	if len(found["yaml"]) != 1 || len(found["text"]) != 2 || len(found["json"]) != 1 {
		t.Fatalf("the guide has other blocks: %d, %d, %d", len(found["yaml"]), len(found["text"]), len(found["json"]))
	}
	w := newWorld(t)
	var pump api.NewTwin
	fromYAML(t, found["yaml"][0], &pump)
	pump.Kind = twin.Type
	_, err = w.admin.CreateTwin(ctx, pump)
	must(t, err)
	lines := func(block string, answer func(asked string) string) {
		t.Helper()
		for line := range strings.SplitSeq(strings.TrimSpace(block), "\n") {
			asked, want, _ := strings.Cut(line, " → ")
			if got := answer(asked); got != want {
				t.Errorf("%s\ngot  %s\nwant %s", asked, got, want)
			}
		}
	}
	lines(found["text"][0], func(asked string) string {
		var patch any
		fromYAML(t, asked, &patch)
		_, err := w.admin.UpdateTwin(ctx, "pump", 0, map[string]any{"model": patch})
		if err == nil {
			return "ok"
		}
		_, said, _ := strings.Cut(err.Error(), "invalid: ")
		return strings.TrimPrefix(said, "invalid: ")
	})
	lines(found["text"][1], func(asked string) string {
		name, input, _ := strings.Cut(asked, " ")
		s, err := schema.Compile(pump.Definition.Model.Command(name).Input)
		must(t, err)
		if err := s.Check(json.RawMessage(input)); err != nil {
			return err.Error()
		}
		return "ok"
	})
	text, err := w.admin.ThingModel(ctx, "pump")
	must(t, err)
	var is, says bytes.Buffer
	must(t, json.Compact(&is, text))
	must(t, json.Compact(&says, []byte(found["json"][0])))
	if is.String() != says.String() {
		t.Errorf("the Thing Model is\n%s\nthe guide says\n%s", &is, &says)
	}
}

func fromYAML(t *testing.T, text string, into any) {
	t.Helper()
	var v any
	must(t, yaml.Unmarshal([]byte(text), &v))
	b, err := json.Marshal(v)
	must(t, err)
	must(t, json.Unmarshal(b, into))
}
