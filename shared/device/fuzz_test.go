package device

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/twin"
)

// What a device says of itself is refused in words, or it has one form, which is that of nobody else's path, topic or document.
func FuzzIdentity(f *testing.F) {
	for _, s := range [][4]string{
		{"P-7", "02:42:ac:11:00:02", "X1", "Acme"}, {" P/7 #2 ", "02-42-AC-11-00-02", "", ""}, {"../../etc", "", "", ""}, {"P/../../GOOD-1", "", "", ""}, {"P//7", "", "", ""}, {"..", "", "", ""}, {`P\7`, "", "", ""},
		{"G\u041e\u041eD-1", "", "", ""}, {"\uff27OOD-1", "", "", ""}, {"GOOD\u200b-1", "", "", ""}, {"P-7\x00", "", "", ""}, {"P-7\n", "", "", ""}, {"P-\xff", "x", "\xff", "\x1b[2J"}, {"", "", "", ""},
		{strings.Repeat("P", 10<<10), "00:00:00:00:fe:80:00:00:00:00:00:00:02:00:5e:10:00:00:00:01", strings.Repeat("m", 257), ""}, {"+", "", "", ""}, {"#", "", "", ""}, {"$SYS/x", "", "", ""},
	} {
		f.Add(s[0], s[1], s[2], s[3])
	}
	f.Fuzz(func(t *testing.T, serial, mac, model, maker string) {
		i := Identity{Serial: serial, MAC: mac, Model: model, Maker: maker}
		if err := i.Normalise(); err != nil {
			if !errors.Is(err, twin.ErrInvalid) || len(err.Error()) > 1000 {
				t.Fatalf("refused with %q", err)
			}
			return
		}
		if i.ID.Valid() != nil || strings.ContainsAny(string(i.ID), "/+#*\x00") || strings.Contains(i.Serial, "..") || strings.Contains(i.Serial, "//") {
			t.Fatalf("serial %q has the id %q", i.Serial, i.ID)
		}
		if !utf8.ValidString(i.Serial+i.MAC+i.Model+i.Maker) || len(i.Serial) > 64 || len(i.MAC) > 64 {
			t.Fatalf("taken: %+v", i)
		}
		again := i
		if err := again.Normalise(); err != nil || !again.Same(&i) {
			t.Fatalf("%+v is normalised to %+v, %v", i, again, err)
		}
	})
}

// What a device shows as one string names a reference and a secret, as Joined made them, or is none.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"dev-1.secret", "dev-1.", ".secret", ".", "", "a.b.c", "dev/1.x", "dev-1\x00.x", "\xff.\xff", "dev-1." + strings.Repeat("s", 65)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, shown string) {
		ref, secret, ok := Split(shown)
		if ok && (Joined(ref, secret) != shown || ref.Valid() != nil || secret == "" || len(secret) > 64) {
			t.Fatalf("%q is %q and %q", shown, ref, secret)
		}
	})
}
