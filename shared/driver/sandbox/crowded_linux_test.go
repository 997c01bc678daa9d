package sandbox

import (
	"fmt"
	"testing"
)

// Drivers that each leave behind as much as they may do not take the memory of who comes after them: that one would be blamed.
func TestWhatDriversLeaveLyingAboutIsNotMissedByOthers(t *testing.T) {
	p := pool(t, Config{Workers: 1})
	good := script(p, `function decodeUplink(i) { var a = []; for (var k = 0; k < 100; k++) a.push(new Array(1000).fill(k)); return {data: {n: i.bytes[0]}}; }`)
	for i := range 30 {
		ask(t, script(p, fmt.Sprintf(`function decodeUplink() { var a = []; for (;;) { var b = new Array(5000).fill(1); b.push(a); a.push(b); } } // %d`, i)), frames("00"))
		if r := ask(t, good, frames("07")); !r[0].OK() {
			t.Fatalf("after %d of them: %+v", i+1, r[0])
		}
	}
}
