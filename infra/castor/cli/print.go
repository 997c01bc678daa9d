package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// The forms of output.
const (
	asTable = "table"
	asWide  = "wide" // a table in which nothing is cut
	asJSON  = "json"
	asYAML  = "yaml"
	asCSV   = "csv"
)

// outputFlag lets a command print in one of the forms, the first by default.
func (a *app) outputFlag(c *cobra.Command, forms ...string) {
	c.Flags().StringVarP(&a.output, "output", "o", "", "form of the output: "+strings.Join(forms, ", ")+" (default "+forms[0]+")")
	check(c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(asCompletions(forms), cobra.ShellCompDirectiveNoFileComp)))
	was := c.PreRunE
	c.PreRunE = func(cmd *cobra.Command, args []string) error {
		if a.output == "" {
			a.output = forms[0]
		}
		for _, f := range forms {
			if a.output == f {
				if was != nil {
					return was(cmd, args)
				}
				return nil
			}
		}
		return fmt.Errorf("--output %q must be one of: %s", a.output, strings.Join(forms, ", "))
	}
}

// check panics on what only a mistake in this package can bring about.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

// A column of a table of Ts.
type column[T any] struct {
	name string
	of   func(T) string
}

// printAll prints a list in the form asked for.
func printAll[T any](a *app, w io.Writer, items []T, columns []column[T]) error {
	switch a.output {
	case asJSON, asYAML:
		if items == nil {
			items = []T{}
		}
		return printOne(a, w, items)
	case asCSV:
		out := csv.NewWriter(w)
		for _, row := range rows(items, columns, func(s string) string { return s }) {
			if err := out.Write(row); err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	}
	out := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for i, row := range rows(items, columns, plain) {
		for j := range row {
			switch {
			case i == 0:
				row[j] = strings.ToUpper(row[j])
			case j > 0 && a.output != asWide: // what is first is typed into other commands
				row[j] = cut(row[j], j == len(row)-1)
			}
		}
		fmt.Fprintln(out, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	return out.Flush()
}

func rows[T any](items []T, columns []column[T], cell func(string) string) [][]string {
	head := make([]string, len(columns))
	for i, c := range columns {
		head[i] = c.name
	}
	all := [][]string{head}
	for _, item := range items {
		row := make([]string, len(columns))
		for i, c := range columns {
			row[i] = cell(c.of(item))
		}
		all = append(all, row)
	}
	return all
}

// plain keeps text that devices and people chose from moving the cursor or breaking the table.
func plain(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '?'
		}
		return r
	}, s)
}

// Plain is text of several lines that devices, drivers and people may have had a part in, for a terminal: it is plain but for its own
// line breaks.
func Plain(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = plain(strings.ReplaceAll(line, "\t", "  "))
		}
	}
	return strings.Join(lines, "\n")
}

// escaped is JSON in which what could move a cursor or turn the direction of writing is escaped too: JSON itself leaves U+007F and above
// as they are.
func escaped(b []byte) []byte {
	var out bytes.Buffer
	for _, r := range string(b) {
		switch {
		case r == '\n' || !unicode.IsControl(r) && !unicode.Is(unicode.Cf, r):
			out.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		}
	}
	return out.Bytes()
}

// printOne prints one thing as JSON or YAML, with the field names of the API.
func printOne(a *app, w io.Writer, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if a.output == asJSON {
		_, err = fmt.Fprintf(w, "%s\n", escaped(b))
		return err
	}
	var n yaml.Node // JSON is YAML, and a node keeps the order of fields
	if err := yaml.Unmarshal(b, &n); err != nil {
		return err
	}
	block(&n)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&n); err != nil {
		return err
	}
	_, err = w.Write(out.Bytes())
	return err
}

// block writes collections one item a line, and quotes only what needs it: that is also what older YAML takes for a bool.
func block(n *yaml.Node) {
	n.Style = 0
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		switch strings.ToLower(n.Value) {
		case "y", "n", "yes", "no", "on", "off":
			n.Style = yaml.DoubleQuotedStyle
		}
		if strings.Contains(n.Value, "\n") {
			n.Style = yaml.LiteralStyle
		}
	}
	for _, c := range n.Content {
		block(c)
	}
}

// ago says a time as people do: "3s ago", "in 2h"; in CSV it is RFC 3339.
func (a *app) ago(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if a.output == asCSV {
		return t.UTC().Format(time.RFC3339Nano)
	}
	d := a.now().Sub(t)
	if d < 0 {
		return "in " + span(-d)
	}
	return span(d) + " ago"
}

func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + "s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + "m"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + "h"
	}
	return strconv.Itoa(int(d.Hours()/24)) + "d"
}

// value is a reading's value: numbers are written out, as far as that can be read.
func value(v any) string {
	if f, ok := v.(float64); ok {
		if abs := math.Abs(f); abs >= 1e15 || abs != 0 && abs < 1e-6 {
			return strconv.FormatFloat(f, 'g', -1, 64)
		}
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// quantity is a value with its unit (UCUM); bytes are written as people read them.
func quantity(v any, unit string) string {
	f, ok := v.(float64)
	prefix, rest, _ := strings.Cut(unit, "By")
	if !ok || prefix != "" || !strings.Contains(unit, "By") || math.Abs(f) < 1024 {
		return strings.TrimSpace(value(v) + " " + unit)
	}
	i := -1
	for ; math.Abs(f) >= 1024 && i < 4; i++ {
		f /= 1024
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + " " + string("KMGTP"[i]) + "iB" + rest
}

// short keeps what may be long from breaking a table; other forms have it whole.
func (a *app) short(s string) string {
	if r := []rune(s); a.output == asTable && len(r) > 60 {
		return string(r[:59]) + "…"
	}
	return s
}

// cut bounds a cell, so that a device with a serial of a thousand letters does not push the rest of its table out of sight. The last
// cell of a line pushes nothing.
func cut(s string, last bool) string {
	most := 48
	if last {
		most = 200
	}
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func join[T ~string](all []T) string {
	s := make([]string, len(all))
	for i, x := range all {
		s[i] = string(x)
	}
	return strings.Join(s, ", ")
}

func asCompletions(words []string) []cobra.Completion {
	return append([]cobra.Completion(nil), words...)
}
