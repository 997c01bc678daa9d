// Package monitor infers what is wrong with a twin from what its device reports (paper 5, 7.8: rule-based model): rules with
// duration and hysteresis, and the life of the alarms they raise. It is a pure state machine over twin.RuleState; package
// functions/twin-ingest runs it for every batch, functions/alerts tells people.
package monitor

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/twin"
)

// Severity is how bad an alarm is.
type Severity string

// The severities, mildest first.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// Rank orders severities; 0 is not a severity.
func (s Severity) Rank() int {
	switch s {
	case Info:
		return 1
	case Warning:
		return 2
	case Critical:
		return 3
	}
	return 0
}

// A Rule watches one property of one twin, or of every twin below a type or aggregate (paper 7.8).
type Rule struct {
	ID      string `json:"id" bson:"_id"`
	Version int64  `json:"version" bson:"version"`

	// Target is the twin, type or aggregate that the rule watches.
	Target twin.ID `json:"target" bson:"target"`

	Name      string    `json:"name,omitempty" bson:"name,omitempty"` // for people; "" stands for the condition
	Condition Condition `json:"condition" bson:"condition"`
	Severity  Severity  `json:"severity" bson:"severity"`
	Disabled  bool      `json:"disabled,omitempty" bson:"disabled,omitempty"`

	By      string    `json:"by" bson:"by"`
	Created time.Time `json:"created" bson:"created"`
	Updated time.Time `json:"updated" bson:"updated"`
}

// Title is the rule's name, or its condition if it has none.
func (r *Rule) Title() string {
	if r.Name != "" {
		return r.Name
	}
	return r.Condition.String()
}

// A Condition is a threshold with a duration and hysteresis: "cpu.percent > 80 for 1m clear < 70". In JSON it is that text.
type Condition struct {
	Property string  `bson:"property"`
	Op       string  `bson:"op"` // > >= < <= == !=
	Value    float64 `bson:"value"`

	// For is how long it must hold before the alarm is raised; 0 = at once.
	For twin.Duration `bson:"for"`

	// Clear is the value that must be passed the other way before the alarm ends; nil = Value itself.
	Clear *float64 `bson:"clear,omitempty"`
}

var conditionPattern = regexp.MustCompile(`^\s*([^\s<>=!]+)\s*(>=|<=|==|!=|>|<)\s*(\S+)(?:\s+for\s+(\S+))?(?:\s+clear\s*(>=|<=|>|<)?\s*(\S+))?\s*$`)

// ParseCondition reads the text form: PROPERTY OP NUMBER [for DURATION] [clear NUMBER]. It returns twin.ErrInvalid, saying
// what is wrong and giving an example.
func ParseCondition(s string) (Condition, error) {
	fail := func(format string, a ...any) (Condition, error) {
		return Condition{}, fmt.Errorf("%w: condition %.200q: %s (example: cpu.percent > 80 for 1m clear 70)", twin.ErrInvalid, s, fmt.Sprintf(format, a...))
	}
	m := conditionPattern.FindStringSubmatch(s)
	if m == nil {
		return fail("it must be PROPERTY OPERATOR NUMBER, then maybe \"for DURATION\" and \"clear NUMBER\"")
	}
	c := Condition{Property: m[1], Op: m[2]}
	var err error
	if c.Value, err = number(m[3]); err != nil {
		return fail("%q is not a number", m[3])
	}
	if m[4] != "" {
		if err := c.For.UnmarshalText([]byte(m[4])); err != nil {
			return fail("%q is not a duration like 30s or 5m", m[4])
		}
	}
	if m[6] != "" {
		v, err := number(m[6])
		if err != nil {
			return fail("%q is not a number", m[6])
		}
		c.Clear = &v
	}
	if len(c.Property) > 128 || !utf8.ValidString(c.Property) || strings.ContainsFunc(c.Property, unicode.IsControl) {
		return fail("the property must have at most 128 bytes and no control characters")
	}
	if c.For.D() > 30*24*time.Hour {
		return fail("the duration is longer than 30 days")
	}
	switch {
	case c.Clear == nil:
	case c.Op == "==" || c.Op == "!=":
		return fail("clear goes with > >= < <= only")
	case m[5] != "" && m[5][0] == c.Op[0]:
		return fail("the alarm clears the other way: write clear without an operator")
	case c.Op[0] == '>' && *c.Clear > c.Value:
		return fail("clear must be at or below %g, else the alarm could never stay", c.Value)
	case c.Op[0] == '<' && *c.Clear < c.Value:
		return fail("clear must be at or above %g, else the alarm could never stay", c.Value)
	}
	return c, nil
}

// number is strconv.ParseFloat without infinities and NaN.
func number(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err == nil && (v != v || v-v != 0) {
		return 0, strconv.ErrRange
	}
	return v, err
}

// String is the text form.
func (c Condition) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", c.Property, c.Op, strconv.FormatFloat(c.Value, 'g', -1, 64))
	if c.For > 0 {
		fmt.Fprintf(&b, " for %s", c.For)
	}
	if c.Clear != nil {
		fmt.Fprintf(&b, " clear %s", strconv.FormatFloat(*c.Clear, 'g', -1, 64))
	}
	return b.String()
}

// MarshalText writes the text form.
func (c Condition) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the text form.
func (c *Condition) UnmarshalText(b []byte) (err error) {
	*c, err = ParseCondition(string(b))
	return err
}

// Breached tells whether v fulfils the condition; active says that the alarm is raised, so that hysteresis counts.
func (c Condition) Breached(v float64, active bool) bool {
	limit := c.Value
	if active && c.Clear != nil {
		limit = *c.Clear
	}
	switch c.Op {
	case ">":
		return v > limit
	case ">=":
		return v >= limit
	case "<":
		return v < limit
	case "<=":
		return v <= limit
	case "==":
		return v == limit
	case "!=":
		return v != limit
	}
	return false
}
