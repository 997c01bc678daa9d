package declarative

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A shape is how a value lies in bytes.
type shape struct {
	kind   byte // one of the kinds below
	bits   int  // width; 0 for texts, whose length is told apart
	little bool // the least significant byte comes first
}

const (
	unsigned = 'u'
	signed   = 'i' // two's complement
	floating = 'f'
	digits   = 'b' // binary coded decimal, four bits each
	boolean  = '1' // one bit
	ascii    = 'a' // text, zero bytes and blanks at its end cut off
	hexes    = 'h' // bytes as hexadecimal text
	skipped  = 's' // bytes without a meaning
)

// parseShape reads "u16", "i24", "f32", "bcd8", "bool", "text", "hex", "skip".
func parseShape(s string) (sh shape, err error) {
	switch s {
	case "bool":
		return shape{kind: boolean, bits: 1}, nil
	case "text":
		return shape{kind: ascii}, nil
	case "hex":
		return shape{kind: hexes}, nil
	case "skip":
		return shape{kind: skipped}, nil
	}
	for prefix, kind := range map[string]byte{"u": unsigned, "i": signed, "f": floating, "bcd": digits} {
		width, is := strings.CutPrefix(s, prefix)
		n, err := strconv.Atoi(width)
		if !is || err != nil || width != strconv.Itoa(n) {
			continue
		}
		switch {
		case kind == floating && (n == 16 || n == 32 || n == 64), kind == digits && n >= 4 && n <= 64 && n%4 == 0,
			kind == unsigned && n >= 1 && n <= 64, kind == signed && n >= 2 && n <= 64:
			return shape{kind: kind, bits: n}, nil
		}
	}
	return sh, fmt.Errorf("%q is no type; there are u1 to u64, i2 to i64, f16, f32, f64, bcd4 to bcd64, bool, text, hex and skip", s)
}

// uint reads width bits from bit pos of b, which has them.
func (s shape) uint(b []byte, pos int) (v uint64) {
	if pos%8 == 0 && s.bits%8 == 0 {
		bytes := b[pos/8 : pos/8+s.bits/8]
		for i := range bytes {
			if s.little {
				v |= uint64(bytes[i]) << (8 * i)
			} else {
				v = v<<8 | uint64(bytes[i])
			}
		}
		return v
	}
	for i := pos; i < pos+s.bits; i++ {
		v = v<<1 | uint64(b[i/8]>>(7-i%8)&1)
	}
	return v
}

// value is what the bits stand for: number, bool; false for what is no number.
func (s shape) value(v uint64) (any, bool) {
	switch s.kind {
	case boolean:
		return v != 0, true
	case signed:
		return whole(int64(v<<(64-s.bits)) >> (64 - s.bits)), true
	case digits:
		var n int64
		for i := s.bits - 4; i >= 0; i -= 4 {
			digit := int64(v >> i & 15)
			if digit > 9 {
				return nil, false
			}
			n = n*10 + digit
		}
		return whole(n), true
	case floating:
		return float(v, s.bits)
	}
	return wholeUnsigned(v), true
}

func float(v uint64, width int) (any, bool) {
	switch width {
	case 16:
		f := half(uint16(v))
		for digits := 1; digits <= 5; digits++ { // the shortest decimal that stands for this half
			text := strconv.FormatFloat(f, 'g', digits, 64)
			if g, err := strconv.ParseFloat(text, 64); err == nil && toHalf(g) == uint16(v) {
				return decimal(shorter(f, text))
			}
		}
		return ofFloat(f, 64)
	case 32:
		return ofFloat(float64(math.Float32frombits(uint32(v))), 32)
	}
	return ofFloat(math.Float64frombits(v), 64)
}

// half is the value of an IEEE 754 binary16.
func half(h uint16) float64 {
	e, m := int(h>>10&31), float64(h&1023)
	f := math.Ldexp(1024+m, e-25)
	switch {
	case e == 31 && m == 0:
		f = math.Inf(1)
	case e == 31:
		f = math.NaN()
	case e == 0:
		f = math.Ldexp(m, -24)
	}
	if h>>15 == 1 {
		f = -f
	}
	return f
}

// toHalf is the half nearest to f, ties to even.
func toHalf(f float64) uint16 {
	var sign uint16
	if math.Signbit(f) {
		sign, f = 1<<15, -f
	}
	if f >= 65520 {
		return sign | 31<<10
	}
	e := max(math.Ilogb(f), -14)
	if f == 0 {
		return sign
	}
	m := math.RoundToEven(math.Ldexp(f, 10-e)) // 1024 to 2048, below it for the smallest
	return sign | uint16(int(m)+(e+14)<<10)
}

// text is n bytes from pos as text.
func (s shape) text(b []byte) (string, bool) {
	if s.kind == hexes {
		return hex.EncodeToString(b), true
	}
	t := strings.TrimRight(string(b), "\x00 ")
	return t, utf8.ValidString(t)
}

// put writes the lowest bits of v at pos into b, which is long enough.
func (s shape) put(b []byte, pos int, v uint64) {
	if s.little && pos%8 == 0 && s.bits%8 == 0 {
		var le [8]byte
		binary.LittleEndian.PutUint64(le[:], v)
		copy(b[pos/8:], le[:s.bits/8])
		return
	}
	for i := range s.bits {
		mask := byte(1) << (7 - (pos+i)%8)
		if v>>(s.bits-1-i)&1 == 1 {
			b[(pos+i)/8] |= mask
		} else {
			b[(pos+i)/8] &^= mask
		}
	}
}

// bitsOf is value in reverse: what stands for the number in this shape; it says which numbers there are if it does not fit.
func (s shape) bitsOf(x number) (uint64, error) {
	switch s.kind {
	case floating:
		f := x.float()
		switch {
		case s.bits == 16 && math.Abs(f) < 65520:
			return uint64(toHalf(f)), nil
		case s.bits == 32 && math.Abs(f) <= math.MaxFloat32:
			return uint64(math.Float32bits(float32(f))), nil
		case s.bits == 64 && !math.IsInf(f, 0):
			return math.Float64bits(f), nil
		}
		return 0, fmt.Errorf("does not fit into %d bits", s.bits)
	}
	n := x.nearest()
	low, high := s.limits()
	if n.Cmp(low) < 0 || n.Cmp(high) > 0 {
		return 0, fmt.Errorf("would be %s in the message, which holds %s to %s", n, low, high)
	}
	if s.kind == digits {
		var v uint64
		for i, d := range []byte(fmt.Sprintf("%0*d", s.bits/4, n)) {
			v |= uint64(d-'0') << (s.bits - 4 - 4*i)
		}
		return v, nil
	}
	if n.Sign() < 0 {
		return uint64(n.Int64()) & (math.MaxUint64 >> (64 - s.bits)), nil
	}
	return n.Uint64(), nil
}

// limits are the smallest and the largest whole number of the shape.
func (s shape) limits() (low, high *big.Int) {
	one := big.NewInt(1)
	low, high = new(big.Int), new(big.Int).Lsh(one, uint(s.bits))
	switch s.kind {
	case signed:
		high.Rsh(high, 1)
		low.Neg(high)
	case digits:
		high.Exp(big.NewInt(10), big.NewInt(int64(s.bits/4)), nil)
	}
	return low, high.Sub(high, one)
}

// mask is v with its width only.
func mask(v uint64, first, width int) uint64 { return v >> first & (1<<(width-1)<<1 - 1) }
