package sandbox

import "testing"

// A driver that has cost a worker has the last worker only: what it is asked alone, later, must wake that one and not another.
func TestABarredDriverIsServedWhenItIsAskedAlone(t *testing.T) {
	p := pool(t, Config{Workers: 6})
	c := script(p, `function decodeUplink(i) { if (i.bytes[0] === 13) for (;;) {} return {data: {n: i.bytes[0]}}; }`)
	ask(t, c, frames("0d"))
	for range 6 {
		if r := ask(t, c, frames("01")); !r[0].OK() {
			t.Fatalf("%+v", r)
		}
	}
}
