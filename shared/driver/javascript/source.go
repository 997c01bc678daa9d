package javascript

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"modernc.org/quickjs"
)

//go:embed prelude.js
var prelude string

//go:embed buffer.js
var buffer string

//go:embed v8.js
var v8 string

//go:embed fdlibm.js
var fdlibm string

//go:embed regexp.js
var oldRegExp string

//go:embed web.js
var web string

// tampers tells that a codec may change the language's own objects, look at them or at its own names in the global object in ways
// that a closed heap would show, or leave work behind: it is evaluated as a script in a heap of its own for each call.
var tampers = regexp.MustCompile(`\b(Object|Function|Array|String|Number|Boolean|Date|RegExp|Math|JSON|Error|Promise|Map|Set|Symbol|Buffer|[A-Za-z0-9]+Array)(\.prototype)?(\.\w+|\s*\[[^\]]*\])\s*=[^=]` +
	`|\.prototype\s*\[|__proto__|setPrototypeOf|definePropert|globalThis|Reflect|Promise|\basync\b|\bawait\b|\beval\b|\bFunction\s*\(|WeakRef|FinalizationRegistry|Symbol\.for|\bthis\.\w+\s*=[^=]` +
	`|\bthis\s*\[|\}\s*\)?\s*(\.\s*call\s*)?\(\s*this\b|(?m:^(var|let|const)?\s*\w+\s*=\s*this\b)|\bRegExp\s*[.\[]`)

// lastMatch is what old codecs read after a match.
var lastMatch = regexp.MustCompile(`RegExp\s*(\.\s*(\$|lastMatch|lastParen|leftContext|rightContext|input)|\[)`)

// exporting tells that a codec gives its functions as a module of Node.js does, without asking whether it is one.
var exporting, asking = regexp.MustCompile(`\b(module\s*\.\s*)?exports\s*(\.\s*\w+\s*)?=[^=]`), regexp.MustCompile(`typeof\s*\(?\s*(module|exports)\b`)

// extras are what a codec finds beside the language if its text names it.
var extras = []struct {
	named  *regexp.Regexp
	script *string
}{
	{regexp.MustCompile(`Buffer`), &buffer},
	{regexp.MustCompile(`TextDecoder|TextEncoder|\batob\b|\bbtoa\b|structuredClone`), &web},
	{regexp.MustCompile(`asUintN|hypot|[sS]ort|localeCompare`), &v8},
	{regexp.MustCompile(`\b(pow|exp|expm1|log1p|log2|log10|a?sinh|a?cosh|a?tanh|sin|cos)\b|Math\s*(\.\s*log\b|\[)|\blog\b[^}]*\}\s*=\s*Math`), &fdlibm},
	{lastMatch, &oldRegExp},
}

// locale tells that a codec gets what languages and countries have of their own.
var locale = regexp.MustCompile(`\btoLocale|\bIntl\b`)

// text is what Node.js reads of a file: what is no UTF-8, as the degree sign of an older character set, becomes U+FFFD.
func text(source []byte) string {
	if utf8.Valid(source) {
		return string(source)
	}
	return string([]rune(string(source)))
}

// modular finds what only modules have.
var modular = regexp.MustCompile(`(?m)^\s*(import\s*["'{*\w]|export\s+(default|function|async|const|let|var|class)\b|export\s*\{)`)

// compile makes bytecode of the codec and of what its text needs.
func (e *Engine) compile() error {
	vm, err := e.empty()
	if err != nil {
		return err
	}
	defer vm.Close()
	// A text that is a whole script stays within the function that is put around it.
	if _, err := vm.Compile(e.source, quickjs.EvalGlobal); err != nil {
		if err = syntax(err); modular.MatchString(e.source) {
			err = fmt.Errorf("%w; a codec is a script and no module: leave out import and export, and bundle what is imported into it", err)
		}
		return err
	}
	if e.setup, err = vm.Compile(prelude, quickjs.EvalGlobal); err != nil {
		return fmt.Errorf("javascript: prelude: %w", err)
	}
	for _, x := range extras {
		if !x.named.MatchString(e.source) {
			continue
		}
		code, err := vm.Compile(*x.script, quickjs.EvalGlobal)
		if err != nil {
			return fmt.Errorf("javascript: extras: %w", err)
		}
		e.extras = append(e.extras, code)
	}
	codec := e.source
	before := ""
	if exporting.MatchString(codec) && !asking.MatchString(codec) {
		before = "var module = {exports: {}}, exports = module.exports; "
	}
	if e.isolated {
		if e.script, err = vm.Compile(before+codec, quickjs.EvalGlobal); err != nil {
			return syntax(err)
		}
		codec = ""
	} else {
		codec = before + codec
	}
	if e.wrapped, err = vm.Compile(wrap(codec, before != ""), quickjs.EvalGlobal); err != nil {
		return syntax(err)
	}
	return nil
}

var functions = []string{"decodeUplink", "encodeDownlink", "decodeDownlink", "normalizeUplink", "Decoder", "Encoder", "Decode", "Encode"}

func wrap(source string, exported bool) string {
	var b strings.Builder
	b.WriteString("(function () { ")
	b.WriteString(source)
	b.WriteString("\n;return {")
	for _, f := range functions {
		otherwise := "undefined"
		if exported {
			otherwise = "module.exports." + f
		}
		fmt.Fprintf(&b, "%s: typeof %s === 'function' ? %s : %s, ", f, f, f, otherwise)
	}
	b.WriteString("}; })")
	return b.String()
}

func syntax(err error) error {
	var js *quickjs.Error
	if errors.As(err, &js) && js.LineNumber > 0 {
		return fmt.Errorf("line %d: %s: %s", js.LineNumber, js.Name, js.Message)
	}
	return errors.New(err.Error())
}
