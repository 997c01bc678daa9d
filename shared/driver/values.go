package driver

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// text is a value as JSON, for people.
func text(v any) string {
	if v == nil {
		return "null"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%v", v)
	}
	return cut(string(b), 300)
}

// listed is a list as JSON, for people; one that is empty or not there is "none".
func listed[E any](list []E) string {
	if len(list) == 0 {
		return "none"
	}
	return text(list)
}

// hexadecimal is bytes as people write them in tests.
func hexadecimal(b []byte) string {
	if len(b) == 0 {
		return "nothing"
	}
	return cut(fmt.Sprintf("%x", b), 300)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}

// Notes brings what a driver says to a bounded number of short texts.
func Notes(said []string) []string {
	if len(said) > MaxNotes {
		said = append(said[:MaxNotes-1:MaxNotes-1], fmt.Sprintf("and %d more", len(said)-MaxNotes+1))
	}
	for i, s := range said {
		said[i] = cut(s, 500)
	}
	return said
}

func cut(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}
