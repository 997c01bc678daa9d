package platform_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/platform"
)

func TestCache(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var read []string           // keys, in the order of reading
	var fails error             // what reading comes to
	meanwhile := func() {}      // what happens while it is read
	version := map[string]int{} // of keys that are there
	c := platform.NewCache(func() time.Time { return now }, 3, func(_ context.Context, missing []string) (map[string]int, error) {
		slices.Sort(missing)
		read = append(read, missing...)
		out := map[string]int{}
		for _, key := range missing {
			if v, ok := version[key]; ok {
				out[key] = v
			}
		}
		meanwhile()
		return out, fails
	})
	get := func(what string, keys []string, want map[string]int, reads ...string) {
		t.Helper()
		read = nil
		got, err := c.Get(context.Background(), keys)
		if !errors.Is(err, fails) || err == nil && fmt.Sprint(got) != fmt.Sprint(want) || !slices.Equal(read, reads) {
			t.Errorf("%s: %v, %v, read %v; want %v, read %v", what, got, err, read, want, reads)
		}
	}
	version["a"] = 1
	get("nothing is known", []string{"a", "none"}, map[string]int{"a": 1, "none": 0}, "a", "none")
	version["a"] = 2
	get("what is known is not read, nor what is not there", []string{"a", "none", "b"}, map[string]int{"a": 1, "none": 0, "b": 0}, "b")

	c.Forget("a", func(v int) bool { return v == 2 })
	get("it was not what is to be forgotten", []string{"a"}, map[string]int{"a": 1})
	c.Forget("a", func(v int) bool { return v == 1 })
	get("it was forgotten", []string{"a", "b"}, map[string]int{"a": 2, "b": 0}, "a")
	c.Clear()
	get("everything was", []string{"a", "b"}, map[string]int{"a": 2, "b": 0}, "a", "b")

	now = now.Add(5 * time.Second)
	get("it is old", []string{"a"}, map[string]int{"a": 2}, "a")
	now = now.Add(-time.Hour)
	get("the clock was set back", []string{"a"}, map[string]int{"a": 2}, "a")

	meanwhile = c.Clear
	get("it changes while it is read", []string{"c"}, map[string]int{"c": 0}, "c")
	meanwhile, version["c"] = func() {}, 1
	get("so it was not kept", []string{"c"}, map[string]int{"c": 1}, "c")

	now = now.Add(5 * time.Second)
	meanwhile = func() { c.Forget("other", nil); c.Forget("new", func(int) bool { return false }) }
	get("it is told of while it is read for the first time", []string{"new"}, map[string]int{"new": 0}, "new")
	meanwhile, version["new"] = func() { c.Forget("other", nil) }, 1
	get("so it was not kept, whatever it was", []string{"new"}, map[string]int{"new": 1}, "new")
	meanwhile = func() {}
	get("what is told of another does not matter", []string{"new"}, map[string]int{"new": 1})
	c.Clear()
	get("one more time", []string{"c"}, map[string]int{"c": 1}, "c")

	fails = errors.New("away")
	get("reading fails", []string{"c", "d"}, nil, "d")
	fails = nil
	get("so nothing is kept of it", []string{"c", "d"}, map[string]int{"c": 1, "d": 0}, "d")

	get("there is room for three", []string{"e"}, map[string]int{"e": 0}, "e")
	get("one more is one too many", []string{"f"}, map[string]int{"f": 0}, "f")
	get("it began anew", []string{"e", "f"}, map[string]int{"e": 0, "f": 0}, "e")
}
