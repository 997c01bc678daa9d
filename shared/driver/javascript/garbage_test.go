package javascript

import "testing"

// What a call leaves lying about, and how it ended, costs the calls after it no memory: the heap is theirs, too.
func TestGarbageCostsNoOtherCall(t *testing.T) {
	for name, bad := range map[string]string{
		"without end":  `var a = []; for (;;) { var b = new Array(5000).fill(1); b.push(a); a.push(b); }`,
		"caught":       `var a = []; try { for (;;) { var b = new Array(5000).fill(1); b.push(a); a.push(b); } } catch (e) {} return {data: {}};`,
		"work to come": `for (var k = 0; k < 200; k++) { var b = new Array(5000).fill(k); import('x').then((function (b) { return function () { return b; }; })(b)); } return {data: {}};`,
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, `function decodeUplink(i) { if (i.bytes[0] === 255) {`+bad+`} var a = []; for (var k = 0; k < 100; k++) a.push(new Array(1000).fill(k)); return {data: {n: 1}}; }`, Limits{})
			for _, frame := range []string{"00", "ff", "00", "ff", "00", "00"} {
				if r := call(e, up(frame)); frame == "00" && !r.OK() {
					t.Fatalf("%+v", r)
				}
			}
		})
	}
}
