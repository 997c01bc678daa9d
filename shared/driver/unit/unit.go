// Package unit converts values between units of measurement, which it knows by their UCUM code (ucum.org). It is exact: what a value
// becomes is rounded once.
package unit

import (
	"fmt"
	"math"
	"math/big"
	"sort"
	"strconv"
	"strings"
)

// A unit is what one of it is in the base unit of its quantity: base = x·a + b. The numbers are exact fractions, as the
// definitions are; π alone is cut, after 30 digits.
type unit struct {
	quantity string
	a, b     *big.Rat
}

// units are those between which one may convert, by their code (case sensitive). A value may have any unit that is not here as long as
// nothing is converted.
var units = table(map[string]map[string]string{
	"temperature": {"K": "1", "Cel": "1 273.15", "[degF]": "5/9 45967/180", "mK": "1/1000"},
	"pressure": {"Pa": "1", "hPa": "100", "kPa": "1000", "MPa": "1000000", "mbar": "100", "bar": "100000", "atm": "101325",
		"mm[Hg]": "133.322", "m[Hg]": "133322", "[psi]": "44482216152605/6451600000", "cm[H2O]": "98.0665", "m[H2O]": "9806.65"},
	"length": {"m": "1", "mm": "1/1000", "cm": "1/100", "dm": "1/10", "km": "1000", "um": "1/1000000",
		"[in_i]": "0.0254", "[ft_i]": "0.3048", "[yd_i]": "0.9144", "[mi_i]": "1609.344", "[nmi_i]": "1852"},
	"mass":           {"g": "1", "mg": "1/1000", "ug": "1/1000000", "kg": "1000", "t": "1000000", "[lb_av]": "453.59237", "[oz_av]": "28.349523125"},
	"energy":         {"J": "1", "kJ": "1000", "MJ": "1000000", "GJ": "1000000000", "W.s": "1", "W.h": "3600", "kW.h": "3600000", "MW.h": "3600000000", "cal": "4.184", "kcal": "4184", "[Btu_IT]": "1055.05585262"},
	"power":          {"W": "1", "mW": "1/1000", "kW": "1000", "MW": "1000000", "[HP]": "745.69987158227022"},
	"reactive power": {"var": "1", "kvar": "1000"},
	"apparent power": {"V.A": "1", "kV.A": "1000"},
	"speed":          {"m/s": "1", "mm/s": "1/1000", "cm/s": "1/100", "km/h": "5/18", "[mi_i]/h": "0.44704", "[kn_i]": "463/900", "[ft_i]/s": "0.3048"},
	"acceleration":   {"m/s2": "1", "[g]": "9.80665", "m[g]": "0.00980665"},
	"volume":         {"L": "1", "l": "1", "mL": "1/1000", "ml": "1/1000", "m3": "1000", "dm3": "1", "cm3": "1/1000", "[gal_us]": "3.785411784", "[gal_br]": "4.54609", "[cft_i]": "28.316846592", "[ft_i]3": "28.316846592"},
	"flow":           {"L/s": "1", "L/min": "1/60", "L/h": "1/3600", "m3/h": "5/18", "m3/s": "1000", "mL/min": "1/60000", "[gal_us]/min": "0.0630901964"},
	"voltage":        {"V": "1", "mV": "1/1000", "uV": "1/1000000", "kV": "1000"},
	"current":        {"A": "1", "mA": "1/1000", "uA": "1/1000000", "kA": "1000"},
	"charge":         {"C": "1", "A.h": "3600", "mA.h": "3.6"},
	"resistance":     {"Ohm": "1", "mOhm": "1/1000", "kOhm": "1000", "MOhm": "1000000"},
	"conductivity":   {"S/m": "1", "mS/cm": "1/10", "uS/cm": "1/10000", "mS/m": "1/1000"},
	"frequency":      {"Hz": "1", "kHz": "1000", "MHz": "1000000", "mHz": "1/1000", "/min": "1/60", "/s": "1"},
	"concentration":  {"g/m3": "1", "mg/L": "1", "mg/m3": "1/1000", "ug/m3": "1/1000000", "ug/L": "1/1000", "g/L": "1000", "kg/m3": "1000"},
	"fraction":       {"1": "1", "%": "1/100", "[ppth]": "1/1000", "[ppm]": "1/1000000", "[ppb]": "1/1000000000"},
	"time":           {"s": "1", "ms": "1/1000", "us": "1/1000000", "min": "60", "h": "3600", "d": "86400", "wk": "604800"},
	"angle":          {"deg": "1", "rad": "57.295779513082320876798154814105", "'": "1/60", "''": "1/3600", "gon": "9/10", "circ": "360"},
	"illuminance":    {"lx": "1", "klx": "1000"},
	"irradiance":     {"W/m2": "1", "kW/m2": "1000", "mW/cm2": "10"},
	"data":           {"bit": "1", "By": "8", "kBy": "8000", "MBy": "8000000", "GBy": "8000000000", "KiBy": "8192", "MiBy": "8388608", "GiBy": "8589934592"},
	"data rate":      {"bit/s": "1", "kbit/s": "1000", "Mbit/s": "1000000", "By/s": "8", "kBy/s": "8000", "MBy/s": "8000000"},
})

func table(quantities map[string]map[string]string) map[string]unit {
	all := map[string]unit{}
	for quantity, of := range quantities {
		for code, line := range of {
			a, b, _ := strings.Cut(line, " ")
			u := unit{quantity: quantity, a: fraction(a), b: new(big.Rat)}
			if b != "" {
				u.b = fraction(b)
			}
			all[code] = u
		}
	}
	return all
}

func fraction(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		panic("unit: " + s + " in the table of units is no number")
	}
	return r
}

// Convert is the line from one unit to another: to = from·a + b. The error says between which one may convert.
func Convert(from, to string) (a, b *big.Rat, err error) {
	if from == to {
		return big.NewRat(1, 1), new(big.Rat), nil
	}
	f, okFrom := units[from]
	t, okTo := units[to]
	switch {
	case !okFrom:
		return nil, nil, fmt.Errorf("nothing is known of the unit %q; known are %s", from, known(t.quantity))
	case !okTo:
		return nil, nil, fmt.Errorf("nothing is known of the unit %q; from %s one may convert to %s", to, from, known(f.quantity))
	case f.quantity != t.quantity:
		return nil, nil, fmt.Errorf("%s is a %s and %s a %s; from %s one may convert to %s", from, f.quantity, to, t.quantity, from, known(f.quantity))
	}
	a = new(big.Rat).Quo(f.a, t.a)
	b = new(big.Rat).Sub(f.b, t.b)
	return a, b.Quo(b, t.a), nil
}

// known are the codes of a quantity, or of all.
func known(quantity string) string {
	var codes []string
	for code, u := range units {
		if quantity == "" || u.quantity == quantity {
			codes = append(codes, code)
		}
	}
	sort.Strings(codes)
	return strings.Join(codes, ", ")
}

// Value converts a value, which counts as the shortest decimal that stands for it: 0.1 is a tenth.
func Value(v float64, from, to string) (float64, error) {
	a, b, err := Convert(from, to)
	if err != nil {
		return v, err
	}
	x, ok := new(big.Rat).SetString(strconv.FormatFloat(v, 'g', -1, 64))
	if !ok {
		return v, fmt.Errorf("%v is no number", v)
	}
	out, _ := x.Add(x.Mul(x, a), b).Float64()
	if math.IsInf(out, 0) {
		return v, fmt.Errorf("%v %s is too large in %s", v, from, to)
	}
	return out, nil
}

// Known tells whether values of the unit can be converted.
func Known(code string) bool { return units[code].a != nil }

// Quantities are the codes by what they measure.
func Quantities() map[string][]string {
	all := map[string][]string{}
	for code, u := range units {
		all[u.quantity] = append(all[u.quantity], code)
	}
	for _, codes := range all {
		sort.Strings(codes)
	}
	return all
}
