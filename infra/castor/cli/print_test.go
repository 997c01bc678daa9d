package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// What drivers, devices and other people wrote neither moves the cursor nor turns the direction of writing.
func TestTextOfOthersIsPlain(t *testing.T) {
	const bad = "a\u001b]0;x\u0007\u009b2J\u202eb\U000e0041"
	if got := Plain("first\n\tsecond " + bad); got != "first\n  second a?]0;x??2J?b?" {
		t.Errorf("%q", got)
	}
	var out bytes.Buffer
	if err := printOne(&app{output: asJSON}, &out, map[string]string{"text": bad}); err != nil {
		t.Fatal(err)
	}
	var back map[string]string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["text"] != bad {
		t.Errorf("%q, %v", back, err)
	}
	if strings.ContainsAny(out.String(), "\u001b\u0007\u009b\u202e\U000e0041") {
		t.Errorf("%q", out.String())
	}
}
