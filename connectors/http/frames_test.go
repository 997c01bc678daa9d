package http

import (
	"fmt"
	"testing"
)

// Of frames that network servers number the newest are known; one that is told of twice is one.
func TestTheNewestFramesAreKnown(t *testing.T) {
	var f frames
	f.note("cs", "a", "0", "first")
	f.note("cs", "a", "0", "second")
	if f.of("cs", "0") != "second" || f.of("other", "0") != "" || f.all != 1 {
		t.Errorf("%q, %d known", f.of("cs", "0"), f.all)
	}
	for n := range maxFrames - 1 {
		f.note("cs", "a", fmt.Sprint(n+1), "c")
	}
	if f.of("cs", "0") != "second" {
		t.Error("the oldest is forgotten while there is room")
	}
	f.note("cs", "a", "last", "last")
	one := f.by["cs"]
	if f.of("cs", "0") != "" || f.of("cs", "1") != "c" || f.of("cs", "last") != "last" || f.all != maxFrames || len(one.ids) != maxFrames || len(one.command) != maxFrames {
		t.Errorf("%d and %d are known", len(one.ids), len(one.command))
	}
}

// However many frames the integrations of one owner have, those of others are known; and so are those of one beside another that has many.
func TestNobodyHasOthersFramesForgotten(t *testing.T) {
	var f frames
	for n := range 100 {
		f.note("fine", "a", fmt.Sprint(n), "c")
		f.note("few", "b", fmt.Sprint(n), "c")
	}
	for n := range 3 * maxFrames {
		f.note(fmt.Sprint("flood-", n%10), "b", fmt.Sprint(n), "c")
	}
	for n := range 100 {
		if f.of("fine", fmt.Sprint(n)) != "c" || f.of("few", fmt.Sprint(n)) != "c" {
			t.Fatalf("frame %d: %q, %q", n, f.of("fine", fmt.Sprint(n)), f.of("few", fmt.Sprint(n)))
		}
	}
	known := 0
	for _, one := range f.by {
		known += len(one.ids)
		if len(one.ids) != len(one.command) {
			t.Errorf("%d and %d are known", len(one.ids), len(one.command))
		}
	}
	if f.all != maxFrames || known != maxFrames {
		t.Errorf("%d and %d are known", f.all, known)
	}
	for n := range maxFrames { // one that comes later has its share of what the other has
		f.note("late", "c", fmt.Sprint(n), "c")
	}
	if got := len(f.by["late"].ids); got < maxFrames/2-200 || f.of("fine", "0") != "c" {
		t.Errorf("of the late one %d are known", got)
	}
}
