package cli

import (
	"context"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/layout"
)

// What a driver in Go or C begins with is built as its maker would, passes its tests, and answers events. It needs make, and
// for C clang and lld.
func TestModulesFromScratch(t *testing.T) {
	for _, language := range []string{"go", "c"} {
		t.Run(language, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if out, err := offline("new", "acme", "--kind", "wasm", "--language", language); err != nil {
				t.Fatal(out, err)
			}
			build := exec.Command("make", "-C", "acme")
			build.Env = append(build.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("make: %v\n%s", err, out)
			}
			out, err := offline("test", "acme", "--limit", "5s")
			if err != nil || !strings.HasSuffix(strings.TrimSpace(out), "8 passed, 0 failed") {
				t.Errorf("what it begins with does not pass its own tests: %v\n%s", err, out)
			}
			if out, err := offline("run", "acme", "08 98 64", "--limit", "5s"); err != nil || !strings.Contains(out, `"temperature": 22`) {
				t.Errorf("run: %v\n%s", err, out)
			}
			testEvents(t)
		})
	}
}

func testEvents(t *testing.T) {
	d, err := layout.Folder("acme")
	if err != nil {
		t.Fatal(err)
	}
	pool, err := workers(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	codec, err := pool.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	var state []byte
	for i, step := range []struct {
		temperature float64
		want        []any
	}{
		{4, nil},
		{-0.5, []any{map[string]any{"name": "heat", "input": map[string]any{"on": true}}}},
		{-3, nil},
		{1.5, []any{map[string]any{"name": "heat", "input": map[string]any{"on": false}}}},
	} {
		r, err := codec.Run(context.Background(), []driver.Call{{Op: driver.OnEvent, State: state, Data: map[string]any{"temperature": step.temperature}}})
		if err != nil || !r[0].OK() || !reflect.DeepEqual(r[0].Commands, step.want) {
			t.Fatalf("event %d: %+v %v, want commands %v", i, r, err, step.want)
		}
		state = r[0].State
	}
}
