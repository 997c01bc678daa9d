package rule

import "strings"

// slips are what people write who know other languages, at the place where the compiler stops, and what they mean.
var slips = []struct{ written, meant string }{{"=>", ">="}, {"=<", "<="}, {"=", "=="}, {"&", "&&"}, {"|", "||"}, {"and ", "&&"}, {"AND ", "&&"}, {"or ", "||"}, {"OR ", "||"}}

// hint guesses what was meant at a place where expr cannot be read, both from 1 on: "; did you mean ==?", or "".
func hint(expr string, line, column int) string {
	lines := strings.Split(expr, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	text := []rune(lines[line-1])
	at := min(max(column-1, 0), len(text))
	before, rest := strings.TrimRight(string(text[:at]), " "), string(text[at:])
	switch {
	case strings.HasSuffix(before, "<") && strings.HasPrefix(rest, ">"):
		return "; did you mean != in place of <>?"
	case before == "not" || strings.HasSuffix(before, " not") || strings.HasSuffix(before, "(not"):
		return "; did you mean ! in place of not?"
	}
	for _, s := range slips {
		if strings.HasPrefix(rest, s.written) {
			return "; did you mean " + s.meant + " in place of " + strings.TrimSpace(s.written) + "?"
		}
	}
	return ""
}
