package declarative

import (
	"math"
	"math/big"
	"math/rand"
	"reflect"
	"strconv"
	"testing"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/unit"
)

// The quick way in 64 bits and the long one in fractions give the same number, whatever overflows.
func TestNumbersAreExact(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	size := func() int64 { return r.Int63() >> r.Intn(63) * int64(1-2*r.Intn(2)) }
	for range 50_000 {
		x := rational(big.NewRat(size(), max(1, size())))
		a, b := big.NewRat(size(), max(1, size())), big.NewRat(size(), max(1, size()))
		if a.Sign() == 0 {
			continue
		}
		l := newLine(a, b)
		want := new(big.Rat).Mul(x.rat(), a)
		want.Add(want, b)
		got := l.of(x)
		if got.rat().Cmp(want) != 0 {
			t.Fatalf("%v·%v + %v = %v, not %v", x.rat(), a, b, want, got.rat())
		}
		if f, _ := want.Float64(); got.float() != f {
			t.Fatalf("%v is %v, not %v", want, f, got.float())
		}
		if back := l.back(got); back.rat().Cmp(x.rat()) != 0 {
			t.Fatalf("%v came back as %v", x.rat(), back.rat())
		}
	}
}

// A number in decimal digits is the float64 that Go reads, and what is no number is none.
func TestDecimals(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 20_000 {
		s := strconv.FormatFloat(math.Float64frombits(r.Uint64()), "efg"[r.Intn(3)], -1, 64)
		x, ok := decimal(s)
		want, err := strconv.ParseFloat(s, 64)
		if len(s) <= 64 && (err == nil && !math.IsNaN(want) && !math.IsInf(want, 0)) != ok {
			t.Fatalf("%s: %v", s, ok)
		}
		if ok && x.float() != want {
			t.Fatalf("%s is %v", s, x.float())
		}
	}
	for _, s := range []string{"", "-", ".", "+", "1..2", "1e", "e5", "0x10", "1_000", "1/2", "inf", "NaN", " 1", "1e401", "1e-99999999999", "--1"} {
		if x, ok := decimal(s); ok {
			t.Errorf("%q is read as %v", s, x.float())
		}
	}
}

func TestConversions(t *testing.T) {
	for _, tt := range []struct {
		value    string
		from, to string
		want     float64
	}{
		{"212", "[degF]", "Cel", 100}, {"-40", "[degF]", "Cel", -40}, {"0", "Cel", "K", 273.15}, {"98.6", "[degF]", "Cel", 37},
		{"1013.25", "hPa", "atm", 1}, {"29.92", "mm[Hg]", "Pa", 3988.99424}, {"1", "[psi]", "kPa", 6.894757293168361},
		{"26", "[mi_i]", "km", 41.842944}, {"1", "kW.h", "MJ", 3.6}, {"36", "km/h", "m/s", 10}, {"10", "[kn_i]", "km/h", 18.52},
		{"1", "m3/h", "L/min", 16.666666666666668}, {"180", "deg", "rad", math.Pi}, {"1", "KiBy", "bit", 8192}, {"450", "[ppm]", "%", 0.045},
		{"3600", "mA.h", "A.h", 3.6}, {"90", "min", "h", 1.5}, {"1413", "uS/cm", "mS/cm", 1.413},
	} {
		a, b, err := unit.Convert(tt.from, tt.to)
		if err != nil {
			t.Error(err)
			continue
		}
		x, _ := decimal(tt.value)
		if got := newLine(a, b).of(x).float(); got != tt.want {
			t.Errorf("%s %s is %v %s, want %v", tt.value, tt.from, got, tt.to, tt.want)
		}
	}
	// There and back is where one was, between all units of a quantity.
	quantity := map[string]string{}
	for q, codes := range unit.Quantities() {
		for _, code := range codes {
			quantity[code] = q
		}
	}
	for from, f := range quantity {
		for to, q := range quantity {
			a, b, err := unit.Convert(from, to)
			if (err == nil) != (f == q) {
				t.Fatalf("%s to %s: %v", from, to, err)
			}
			if err != nil {
				continue
			}
			c, d, _ := unit.Convert(to, from)
			if x := newLine(c, d).of(newLine(a, b).of(whole(7))); x.rat().Cmp(big.NewRat(7, 1)) != 0 {
				t.Errorf("7 %s came back from %s as %v", from, to, x.float())
			}
		}
	}
}

// What is written is read as it was given, for any values that the message can hold.
func TestWhatIsWrittenIsRead(t *testing.T) {
	p := parse(t, `
castor: 1
downlink:
  fields:
    - {name: a, type: i12, scale: 0.1, unit: Cel}
    - {name: b, type: u4}
    - {name: c, type: u24, endian: little, scale: 0.001, from: kPa, unit: hPa}
    - {name: d, type: bcd24}
    - {name: e, type: f32, endian: little}
    - {name: f, type: f16}
    - {type: u16, endian: little, bits: [{name: g, bit: 3}, {name: h, bit: 5, type: i7, offset: 3}, {name: i, bit: 0, type: u2, values: {0: w, 1: x, 2: y, 3: z}}]}
    - {name: _n, type: u8}
    - {name: j, type: text, length: _n}
    - {name: k, type: hex, length: 3}
    - {name: _m, type: u8}
    - {repeat: _m, name: l, fields: [{name: x, type: i64}, {name: y, type: bool}, {name: _, type: u7, default: 0}]}
`)
	r := rand.New(rand.NewSource(1))
	for range 3_000 {
		list := []any{}
		for range r.Intn(4) {
			list = append(list, m{"x": float64(r.Int63n(1<<54) - 1<<53), "y": r.Intn(2) == 0})
		}
		data := m{
			"a": float64(r.Intn(4096)-2048) / 10, "b": float64(r.Intn(16)), "c": float64(r.Intn(1<<24)) / 100, "d": float64(r.Intn(1_000_000)),
			"e": float64(r.Intn(1<<24)) / 8, "f": float64(r.Intn(2048)) / 4, "g": r.Intn(2) == 0, "h": float64(r.Intn(128) - 64 + 3),
			"i": string("wxyz"[r.Intn(4)]), "j": "text"[:r.Intn(5)], "k": "00beef", "l": list,
		}
		written := run(t, p, driver.Call{Op: driver.EncodeDownlink, Data: data})
		back := run(t, p, driver.Call{Op: driver.DecodeDownlink, Bytes: written.Bytes})
		if len(list) == 0 {
			delete(data, "l")
		}
		if !reflect.DeepEqual(back.Data, any(data)) {
			t.Fatalf("%v\nwas written as %s and read as\n%v", data, told(written), told(back))
		}
	}
}
