package unit

import "testing"

func TestWhatPeopleMeanCanBeConverted(t *testing.T) {
	for written, code := range meant {
		if !Known(code) && code != "{rev}/min" || Meant(written) != code && !Known(written) {
			t.Errorf("%s is said to be %q", written, Meant(written))
		}
	}
	for _, right := range []string{"Cel", "m/s", "A.h", "Ohm", "rad", "", "furlong"} {
		if got := Meant(right); got != "" {
			t.Errorf("%q is said to be %q", right, got)
		}
	}
}
