package telemetry

import (
	"math"
	"strings"
	"testing"
)

func TestNewAnswer(t *testing.T) {
	type m = map[string]any
	for name, c := range map[string]struct {
		data               m
		ok                 bool
		output, reason, no string
	}{
		"done":                        {m{"status": "succeeded"}, true, "", "", ""},
		"with an output":              {m{"status": "succeeded", "output": m{"a": []any{1.0, "<x>"}}}, true, `{"a":[1,"<x>"]}`, "", ""},
		"of CBOR":                     {m{"status": "succeeded", "output": map[any]any{uint64(1): []any{map[any]any{"x": []byte("y")}}}}, true, `{"1":[{"x":"eQ=="}]}`, "", ""},
		"failed":                      {m{"status": "failed", "reason": "stuck\r\n\x1b[2J"}, false, "", "stuck   [2J", ""},
		"a long reason":               {m{"status": "failed", "reason": strings.Repeat("ä", 1000)}, false, "", strings.Repeat("ä", 512), ""},
		"an output that is too large": {m{"status": "succeeded", "output": strings.Repeat("x", 70_000), "reason": "r"}, true, "", "the output of 70002 bytes was not kept, at most 65536 are taken. r", ""},
		"an output that is none":      {m{"status": "succeeded", "output": math.NaN()}, true, "", "the output was not kept, it cannot be said in JSON.", ""},
		"no status":                   {m{"output": 1}, false, "", "", "status"},
		"another status":              {m{"status": true}, false, "", "", "status"},
		"a reason that is no text":    {m{"status": "failed", "reason": 7}, false, "", "", "reason"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := NewAnswer("cmd-1", c.data)
			if c.no != "" {
				if err == nil || !strings.Contains(err.Error(), c.no) {
					t.Errorf("%+v, %v", a, err)
				}
				return
			}
			if err != nil || a.OK != c.ok || string(a.Output) != c.output || a.Reason != c.reason {
				t.Fatalf("%+v with output %.80s, %v", a, a.Output, err)
			}
			if b, ok := AnswerOf(a.Samples()); !ok || b.Command != "cmd-1" || b.OK != a.OK || string(b.Output) != string(a.Output) || b.Reason != a.Reason {
				t.Errorf("from history it is %+v", b)
			}
		})
	}
	for _, id := range []string{"", "a/b", "+", "a b", "\x00", strings.Repeat("x", 65)} {
		if _, err := NewAnswer(id, map[string]any{"status": Succeeded}); err == nil {
			t.Errorf("id %q was taken", id)
		}
	}
	if _, ok := AnswerOf([]Sample{{"rpm", 7.0}}); ok {
		t.Error("a reading is taken for an answer")
	}
}
