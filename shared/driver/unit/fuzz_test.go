package unit_test

import (
	"math"
	"testing"

	"github.com/castor-iot/castor/shared/driver/unit"
)

// Whatever value and units: what is converted is a number, and converted back it is the value again, but for rounding.
func FuzzValue(f *testing.F) {
	f.Add(21.5, "Cel", "K")
	f.Add(math.Copysign(0, -1), "[degF]", "Cel")
	f.Add(math.MaxFloat64, "km", "m")
	f.Add(5e-324, "m", "km")
	f.Add(math.NaN(), "kW.h", "W.h")
	f.Add(1.0, "furlong", "\x00")
	var codes []string
	for _, of := range unit.Quantities() {
		codes = append(codes, of...)
		for _, code := range of {
			f.Add(1e9/7, code, of[0])
		}
	}
	if len(codes) < 20 {
		f.Fatalf("only %d units are known", len(codes))
	}
	f.Fuzz(func(t *testing.T, v float64, from, to string) {
		there, err := unit.Value(v, from, to)
		if err != nil {
			if there != v && !math.IsNaN(v) {
				t.Errorf("%v cannot be converted, and is %v", v, there)
			}
			return
		}
		if from != to && !(unit.Known(from) && unit.Known(to)) {
			t.Errorf("from %q to %q is converted, and one of them is not known", from, to)
		}
		if math.IsNaN(there) || math.IsInf(there, 0) {
			t.Fatalf("%v %s is %v %s", v, from, there, to)
		}
		back, err := unit.Value(there, to, from)
		if err != nil {
			if math.Abs(v) < math.MaxFloat64/1e9 {
				t.Errorf("%v %s is %v %s, and that is nothing: %v", v, from, there, to, err)
			}
			return
		}
		if rough := 1e-9 * max(math.Abs(v), 1000); math.Abs(back-v) > rough {
			t.Errorf("%v %s is %v %s is %v %s", v, from, there, to, back, from)
		}
	})
}
