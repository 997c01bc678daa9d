package format

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

var blocks = regexp.MustCompile("(?s)```text\n(.*?)```")

// Each payload in the guide is read as the guide says.
func TestGuide(t *testing.T) {
	b, err := os.ReadFile("../../../docs/payload-formats.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, block := range blocks.FindAllStringSubmatch(string(b), -1) {
		for line := range strings.SplitSeq(strings.TrimSpace(block[1]), "\n") {
			asked, want, _ := strings.Cut(line, " → ")
			if got := answer(t, asked); got != want {
				t.Errorf("%s\ngot  %s\nwant %s", asked, got, want)
			}
			lines++
		}
	}
	if lines < 10 {
		t.Errorf("only %d payloads were found", lines)
	}
}

func answer(t *testing.T, line string) string {
	name, text, _ := strings.Cut(line, " ")
	payload := []byte(text)
	if f := Name(name); f == CBOR || f == SenMLCBOR || f == Compact {
		var err error
		if payload, err = hex.DecodeString(strings.ReplaceAll(text, " ", "")); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	r, err := Decode(Name(name), payload, Options{IDs: IDs{1: "temperature", 2: "humidity", 3: "open"}, Received: now})
	if err != nil {
		return err.Error()
	}
	var parts []string
	add := func(data any, at time.Time) {
		b, _ := json.Marshal(data)
		if s := string(b); at.IsZero() {
			parts = append(parts, s)
		} else {
			parts = append(parts, s+" "+at.Format(time.RFC3339))
		}
	}
	if r.Data != nil {
		add(r.Data, r.Time)
	}
	for _, rec := range r.Records {
		add(rec.Data, rec.Time)
	}
	got := strings.Join(parts, " + ")
	for _, w := range r.Warnings {
		got += " warning: " + w
	}
	return got
}
