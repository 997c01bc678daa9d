package declarative

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

// A number is n/d, d ≥ 1, or big where that does not fit into 64 bits. Devices count in tenths, hundredths and ninths of a degree:
// what they send is exact, what is computed of it here is exact too, and it is rounded once, at the end, to the float64 that is
// nearest. 215 × 0.1 is 21.5 that way and not 21.500000000000004.
type number struct {
	n, d int64
	big  *big.Rat
}

// exact is the largest whole number up to which float64 has them all.
const exact = 1 << 53

func whole(n int64) number { return number{n: n, d: 1} }

func wholeUnsigned(n uint64) number {
	if n <= math.MaxInt64 {
		return whole(int64(n))
	}
	return number{big: new(big.Rat).SetInt(new(big.Int).SetUint64(n))}
}

// decimal reads a number as people and JSON write it: "-21.5", "4e3". Length and exponent are bounded, because 1e999999999 would
// be a gigabyte.
func decimal(s string) (number, bool) {
	if len(s) == 0 || len(s) > 64 {
		return number{}, false
	}
	var n, d int64 = 0, 1
	i, digits, negative := 0, 0, false
	if s[0] == '-' || s[0] == '+' {
		negative, i = s[0] == '-', 1
	}
	for point := false; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			if n > (math.MaxInt64-9)/10 || point && d > math.MaxInt64/10 {
				return longDecimal(s)
			}
			if n = n*10 + int64(c-'0'); point {
				d *= 10
			}
			digits++
		case c == '.' && !point:
			point = true
		case c == 'e' || c == 'E':
			return longDecimal(s)
		default:
			return number{}, false
		}
	}
	if negative {
		n = -n
	}
	return number{n: n, d: d}, digits > 0
}

// longDecimal reads what has an exponent or many digits.
func longDecimal(s string) (number, bool) {
	mantissa, exponent, has := strings.Cut(strings.ToLower(s), "e")
	if has {
		e, err := strconv.Atoi(exponent)
		if err != nil || e > 400 || e < -400 {
			return number{}, false
		}
	}
	if strings.ContainsFunc(mantissa, func(r rune) bool { return (r < '0' || r > '9') && !strings.ContainsRune("+-.", r) }) {
		return number{}, false
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return number{}, false
	}
	return rational(r), true
}

// rational is r in the short form where it fits.
func rational(r *big.Rat) number {
	if r.Num().IsInt64() && r.Denom().IsInt64() {
		return number{n: r.Num().Int64(), d: r.Denom().Int64()}
	}
	return number{big: r}
}

// ofFloat reads a float as a person would have written it: as the shortest decimal that stands for it in its own width, so that
// the float32 nearest to 0.1 is 0.1; or as what it is, where that is hardly longer: 191.25. False for what is no number or infinite.
func ofFloat(f float64, width int) (number, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return number{}, false
	}
	if f == math.Trunc(f) && math.Abs(f) < exact {
		return whole(int64(f)), true
	}
	return decimal(shorter(f, strconv.FormatFloat(f, 'g', -1, width)))
}

// shorter is the short decimal, or f itself if that has two digits more at most.
func shorter(f float64, short string) string {
	if full := strconv.FormatFloat(f, 'g', -1, 64); figures(full) <= figures(short)+2 {
		return full
	}
	return short
}

// figures counts the digits of a number but those of its exponent.
func figures(s string) (n int) {
	for i := 0; i < len(s) && s[i] != 'e'; i++ {
		if s[i] >= '0' && s[i] <= '9' {
			n++
		}
	}
	return n
}

func (x number) rat() *big.Rat {
	if x.big != nil {
		return x.big
	}
	return big.NewRat(x.n, x.d)
}

// isWhole tells whether x has no fraction.
func (x number) isWhole() bool {
	if x.big != nil {
		return x.big.IsInt()
	}
	return x.n%x.d == 0
}

// float is the float64 nearest to x; a division of two exact whole numbers is that by IEEE 754.
func (x number) float() float64 {
	if x.big == nil && x.n < exact && x.n > -exact && x.d < exact {
		return float64(x.n) / float64(x.d)
	}
	f, _ := x.rat().Float64()
	return f
}

// text is x as a key of an enumeration or a case: whole numbers without a point.
func (x number) text() string {
	if x.big == nil && x.d == 1 {
		return strconv.FormatInt(x.n, 10)
	}
	return strconv.FormatFloat(x.float(), 'f', -1, 64)
}

// rounded is x with so many digits after the point, halves away from zero.
func (x number) rounded(digits int) number {
	r, _ := new(big.Rat).SetString(x.rat().FloatString(digits))
	return rational(r)
}

// A line is x ↦ x·a + b with rational a and b, both over one denominator: (x·p + q)/d. Scale, offset and the conversion of units
// are one line, so there is one rounding.
type line struct {
	p, q, d int64 // d = 0: a and b are used
	a, b    *big.Rat
}

func newLine(a, b *big.Rat) line {
	l := line{a: a, b: b}
	d := new(big.Int).Mul(a.Denom(), b.Denom())
	p := new(big.Int).Mul(a.Num(), b.Denom())
	q := new(big.Int).Mul(b.Num(), a.Denom())
	g := new(big.Int).GCD(nil, nil, new(big.Int).GCD(nil, nil, new(big.Int).Abs(p), new(big.Int).Abs(q)), d)
	p, q, d = p.Quo(p, g), q.Quo(q, g), d.Quo(d, g)
	if p.IsInt64() && q.IsInt64() && d.IsInt64() {
		l.p, l.q, l.d = p.Int64(), q.Int64(), d.Int64()
	}
	return l
}

// of is the line at x.
func (l line) of(x number) number {
	if l.d != 0 && x.big == nil {
		np, ok1 := times(x.n, l.p)
		qd, ok2 := times(l.q, x.d)
		d, ok3 := times(x.d, l.d)
		if n := np + qd; ok1 && ok2 && ok3 && (n < np) == (qd < 0) {
			return number{n: n, d: d}
		}
	}
	r := new(big.Rat).Mul(x.rat(), l.a)
	return rational(r.Add(r, l.b))
}

// back is the x at which the line is y. a is never zero: a document with such a scale is refused.
func (l line) back(y number) number {
	r := new(big.Rat).Sub(y.rat(), l.b)
	return rational(r.Quo(r, l.a))
}

func times(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(max(a, -a)), uint64(max(b, -b)))
	if hi != 0 || lo > math.MaxInt64 || a == math.MinInt64 || b == math.MinInt64 {
		return 0, false
	}
	return a * b, true
}

// nearest is the whole number nearest to x, halves away from zero; false if it does not fit into 64 bits with a sign or without.
func (x number) nearest() (n *big.Int) {
	if x.isWhole() {
		return x.rat().Num()
	}
	n, _ = new(big.Int).SetString(x.rat().FloatString(0), 10)
	return n
}
