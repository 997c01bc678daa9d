package wasm

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// with is a driver that has these sections, in place of its own of the same number.
func with(module []byte, sections ...[]byte) []byte {
	c := &cursor{b: module, at: 8}
	all := map[byte][]byte{}
	for c.more() {
		from := c.at
		id := c.byte()
		c.take(c.u32())
		all[id] = module[from:c.at]
	}
	for _, s := range sections {
		all[s[0]] = s
	}
	out := module[:8:8]
	for _, id := range []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11, 0} {
		out = append(out, all[id]...)
	}
	return out
}

func section(id byte, parts ...any) []byte {
	body := code(parts...)
	return append(leb([]byte{id}, len(body)), body...)
}

var most = []byte{0xff, 0xff, 0xff, 0xff, 0x0f} // the largest number of 32 bits

// greedy are sections that say more than they have: each had the engine make room for gigabytes.
var greedy = []struct {
	want    string
	section []byte
}{
	{"section 1: it is cut", section(1, 1, 0x60, most)},
	{"section 1: it is cut", section(1, 1, 0x60, 0, most)},
	{"section 1: it is cut", section(1, 1, 0x4e, 1, 0x60, []byte{0x80, 0x80, 0x80, 0x80, 1})},
	{"section 1: a function has 1001 parameters or results", section(1, 1, 0x60, leb(nil, 1001), bytes.Repeat([]byte{0x7f}, 1001), 0)},
	{"section 3: it is cut", section(3, 0x94, 0x94, 0x94, 0x94)}, // its number ends in the next section
	{"section 4: its tables begin with 134217728 entries", section(4, 1, 0x70, 0, leb(nil, 1<<27))},
	{"section 4: its tables begin with 1048577 entries", section(4, 2, 0x70, 0, leb(nil, 1<<20), 0x40, 0, 0x63, 0x70, 1, 1, 1, 0xd0, 0x70, 0x0b)},
	{"section 7: it is cut", section(7, 1, most)},
	{"section 9: it is cut", section(9, 1, 0, i32(0), 0x0b, most)},
	{"section 9: it is cut", section(9, 1, 1, 0, most)},
	{"section 9: it is cut", section(9, 1, 2, 0, i32(0), 0x0b, 0, most)},
	{"section 9: it is cut", section(9, 1, 4, i32(0), 0x0b, most)},
	{"section 9: it is cut", section(9, 1, 7, 0x70, most)},
	{"section 10: function 0 has 4294967295", section(10, 1, 8, 1, most, 0x7f, 0x0b)},
	{"section 10: function 1 has 50001", section(10, 2, 2, 0, 0x0b, 7, 1, leb(nil, 50_001), 0x7e, 0, 0x0b)},
	{"section 10: its functions have more", section(10, leb(nil, 84), bytes.Repeat(code(6, 1, leb(nil, 50_000), 0x7e, 0x0b), 84))},
	{"section 11: it is cut", section(11, 1, 0, i32(0), 0x0b, most)},
	{"section 11: it is cut", section(11, 1, 1, most)},
}

// What it says is looked at before the engine makes room for it.
func TestASectionThatSaysMoreThanItHas(t *testing.T) {
	good := says(t, object{"version": 1})
	for _, c := range greedy {
		if _, err := read(with(good, c.section)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%x: %v, want %q", c.section, err, c.want)
		}
	}
}

// Custom sections are for tools. The engine would read one that is named name, and believe what it says.
func TestCustomSectionsAreLeftOut(t *testing.T) {
	module := says(t, object{"version": 1, "data": object{"ok": true}})
	for _, s := range [][]byte{section(0, text("name"), 1, 6, most, 0), section(0, text("name"), 2, 7, 1, 0, most), section(0, most), section(0, text(".debug_info"), most)} {
		b, err := read(with(slices.Concat(module[:8], s, module[8:]), s))
		if err != nil || !bytes.Equal(b.bare, module) {
			t.Errorf("%x: %v, %x, want %x", s, err, b.bare, module)
			continue
		}
		if r := call(open(t, with(module, s), Limits{}), up); !r.OK() {
			t.Errorf("%x: %+v", s, r)
		}
	}
}

// A module may have all that there is, and as much as that.
func TestSectionsAreWalkedThrough(t *testing.T) {
	types := code(0x60, 1, 0x7f, 1, 0x7f, 0x60, 2, 0x7f, 0x7f, 1, 0x7e, 0x60, 0, 0, 0x60, 2, 0x7f, 0x7f, 0, 0x60, 1, 0x7f, 0)
	module := with(says(t, object{"version": 1, "data": object{}}),
		section(1, 6, types, 0x60, leb(nil, 1000), bytes.Repeat([]byte{0x7f}, 999), 0x70, 1, 0x6f),
		section(4, 2, 0x70, 0, 9, 0x6f, 1, leb(nil, 1<<20-9), leb(nil, 1<<20)),
		section(9, 8, 0, i32(0), 0x0b, 2, 0, 1, 1, 0, 1, 0, 2, 0, i32(0), 0x0b, 0, 1, 1, 3, 0, 1, 0, 4, i32(0), 0x0b, 1, 0xd2, 0, 0x0b,
			5, 0x70, 1, 0xd0, 0x70, 0x0b, 6, 0, i32(0), 0x0b, 0x70, 1, 0xd2, 0, 0x0b, 7, 0x70, 0),
		section(11, 3, 0, i32(4096), 0x0b, 1, 0xa0, 1, 2, 1, 2, 2, 0, i32(0), 0x0b, 0))
	if _, err := read(module); err != nil {
		t.Fatal(err)
	}
	e := open(t, module, Limits{})
	if e.lasting != "" {
		t.Error(e.lasting)
	}
}

// What a global refers to is part of its type, so that it is not taken for one that cannot change.
func TestAGlobalThatRefersToSomething(t *testing.T) {
	e := open(t, made{Globals: [][]byte{{nullableReference, 0x70, 1, 0xd0, 0x70, 0x0b}}, Exports: map[string][]byte{"decode": answer(1)}}.Bytes(), Limits{})
	if e.lasting == "" {
		t.Error("what it refers to after a call is seen by the next")
	}
}
