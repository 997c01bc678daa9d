package javascript

import (
	"fmt"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/driver"
)

// digits is what V8 (Node.js 20) computes: each sum changes with any digit of 300 answers of a function, with usual numbers, with
// very large and small ones, and with those at which the way to compute changes. Later versions of V8 have other last digits.
var digits = []struct{ expr, functions, sums string }{
	{"f(x)", "exp expm1 log log1p log2 log10 sinh cosh tanh asinh acosh atanh sin cos tan asin acos atan cbrt sqrt",
		"760213 670829 160916 305213 536326 810743 973998 941466 742098 354380 583325 854779 236515 830718 410483 846313 621147 361702 752922 755684"},
	{"f(x, i / 7 - 20)", "pow",
		"720855"},
	{"f(i / 10, i % 40 - 20)", "pow",
		"261081"},
	{"f(x, y)", "pow atan2",
		"981718 525071"},
	{"f(x, i)", "hypot",
		"868841"},
}

const sumOf = `["%s"].map(name => { const f = Math[name]; let sum = 7;
	const at = [0, -0, NaN, Infinity, -Infinity, 1, -1, 0.5, -0.5, 2, 1e-310, 5e-324, 1.7e308, 3e-9, 0.34657359, 0.3466, 1.04, 22, 709.78, 710.4, -745.1, -740, 0.41422, -0.2929, 2 ** 31, 400000.5];
	for (let i = 0; i < 300; i++) {
		const y = (i * 104729 %% 4001) / 41 - 40, x = i < at.length ? at[i] : i %% 3 ? (i * 7919 %% 5003) / 97 - 12 : Math.abs((i * 7919 %% 5003) / 5003 - 0.2);
		const text = String(%s);
		for (let k = 0; k < text.length; k++) sum = (sum * 31 + text.charCodeAt(k)) %% 1000003;
	}
	return sum;
}).join(' ')`

func TestTheLastDigitOfMath(t *testing.T) {
	var b strings.Builder
	b.WriteString("function decodeUplink() { return {data: [")
	for _, d := range digits {
		fmt.Fprintf(&b, sumOf+",\n", strings.ReplaceAll(d.functions, " ", `", "`), d.expr)
	}
	b.WriteString("Math.pow(10, -4), Math.pow(2, -1074), Math.pow('2', '0.5'), Math.pow.length, Math.pow.name, 'prototype' in Math.exp, isNaN(Math.exp()), isNaN(Math.log('x'))]}; }")
	r := call(open(t, b.String(), Limits{}), driver.Call{Op: driver.DecodeUplink})
	got, _ := r.Data.([]any)
	if len(got) != len(digits)+8 {
		t.Fatalf("%+v", r)
	}
	for i, d := range digits {
		if got[i] != d.sums {
			t.Errorf("%s of %s:\n  here %s\n  V8   %s", d.expr, d.functions, got[i], d.sums)
		}
	}
	if s := fmt.Sprint(got[len(digits):]); s != "[9.999999999999999e-05 5e-324 1.4142135623730951 2 pow false true true]" {
		t.Errorf("of odd arguments: %s", s)
	}
}
