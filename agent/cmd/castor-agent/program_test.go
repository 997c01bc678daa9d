package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/castor-iot/castor/agent"
)

// script writes a program.
func script(t *testing.T, lines string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("scripts are for a Unix shell")
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+lines), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrograms(t *testing.T) {
	t.Setenv("SECRET", "of the agent")
	for name, c := range map[string]struct{ lines, output, reason string }{
		"input comes on the standard input":      {"cat", `{"a":"$(id)"}`, ""},
		"text is text":                           {"echo opened $CASTOR_COMMAND", `"opened c-1"`, ""},
		"nothing is nothing":                     {"true", "null", ""},
		"the environment is its own":             {`echo "<$SECRET>"`, `"\u003c\u003e"`, ""},
		"it has no arguments":                    {"echo $#", "0", ""},
		"a failure has the standard error":       {"echo stuck >&2; exit 3", "null", "exit status 3: stuck"},
		"too much output is not cut unseen":      {"head -c 100000 /dev/zero", "null", "more than 64 KiB"},
		"what it prints does not fill memory up": {"head -c 10000000 /dev/zero >&2; exit 1", "null", "exit status 1"},
	} {
		t.Run(name, func(t *testing.T) {
			handlers, err := programs([]string{"do=" + script(t, c.lines)})
			if err != nil {
				t.Fatal(err)
			}
			out, err := handlers["do"](context.Background(), agent.Command{ID: "c-1", Input: json.RawMessage(`{"a":"$(id)"}`)})
			b, merr := json.Marshal(out)
			if merr != nil {
				t.Fatal(merr)
			}
			if got := string(b); got != c.output {
				t.Errorf("output %.200s, want %s", got, c.output)
			}
			if (err == nil) != (c.reason == "") || err != nil && !strings.Contains(err.Error(), c.reason) {
				t.Errorf("error %.200v, want %q", err, c.reason)
			}
		})
	}
	for _, bad := range [][]string{{"open"}, {"0pen=/bin/true"}, {"open=true"}, {"open=./true"}, {"open=/no/such/program"}, {"a=/bin/sh", "a=/bin/sh"}} {
		if _, err := programs(bad); err == nil {
			t.Errorf("--command %v was taken", bad)
		}
	}
}
