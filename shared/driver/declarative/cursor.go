package declarative

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/topic"
	"github.com/castor-iot/castor/shared/telemetry"
)

// A cursor is where one is in a message, and what was read until there.
type cursor struct {
	call *driver.Call

	b        []byte // the message; binary
	pos, end int    // in bits
	root     any    // JSON, CBOR
	here     any
	row      []string       // CSV
	header   map[string]int // columns by heading, in lower case
	groups   []string       // text: what the expression found

	vars     []variable
	out      *driver.Record
	records  []driver.Record
	values   int // how many were put
	size     int // their bytes
	work     int // fields that were looked at
	warnings []string

	first   [16]variable // where vars begins, so that most messages need no more
	message driver.Record
}

// newCursor is at the begin of a message.
func newCursor(call *driver.Call, properties int) *cursor {
	c := &cursor{call: call}
	c.message.Data = make(map[string]any, properties)
	c.out, c.vars = &c.message, c.first[:0]
	return c
}

// A variable is something that was read and has a name.
type variable struct {
	name  string
	value any
}

// Bounds of one message.
const (
	maxValues  = 10_000
	maxRecords = 2_000
	maxWork    = 200_000 // fields that are looked at
	maxNested  = 15      // levels of an object that is taken as it is
	maxColumns = 1_000   // of a table with headings
	maxPattern = 4_096   // bytes of a text in which an expression is looked for
	lookups    = 32      // variables that are looked through cost as much as one field
	copied     = 64      // bytes that are copied cost as much as one field
)

var errLarge = errors.New("the message has more in it than a driver may give")

// A step reads a part of a message, or writes it.
type step interface {
	read(*cursor) error
	write(*writer) error
}

func (c *cursor) steps(steps []step) error {
	for _, s := range steps {
		if c.work++; c.work > maxWork {
			return fmt.Errorf("%w: %d fields", errLarge, maxWork)
		}
		if err := s.read(c); err != nil {
			return err
		}
	}
	return nil
}

func (c *cursor) set(name string, v any) {
	c.vars = append(c.vars, variable{name, v})
}

// get is the newest variable of a name.
func (c *cursor) get(name string) (any, bool) {
	for i := len(c.vars) - 1; i >= 0; i-- {
		if c.vars[i].name == name {
			c.work += (len(c.vars) - i) / lookups
			return c.vars[i].value, true
		}
	}
	c.work += len(c.vars) / lookups
	if name == "port" && c.call.Port != 0 {
		return whole(int64(c.call.Port)), true
	}
	return nil, false
}

// count is a variable as a number of things.
func (c *cursor) count(name string) (int, error) {
	v, ok := c.get(name)
	x, isNumber := asNumber(v)
	if !ok || !isNumber || !x.isWhole() || x.float() < 0 || x.float() > 1<<20 {
		return 0, fmt.Errorf("%s is %s, and must be a whole number from 0", name, short(v))
	}
	return int(x.float()), nil
}

func (c *cursor) warn(format string, args ...any) {
	if len(c.warnings) <= driver.MaxNotes { // one more, so that Notes sees that there are
		c.warnings = append(c.warnings, fmt.Sprintf(format, args...))
	}
}

// put gives a property its value.
func (c *cursor) put(name string, v any) error {
	if c.values++; c.values > maxValues {
		return fmt.Errorf("%w: %d values", errLarge, maxValues)
	}
	if c.size += len(name) + sizeOf(v); c.size > driver.MaxOutput {
		return fmt.Errorf("%w: %d bytes", errLarge, driver.MaxOutput)
	}
	if name == "" || len(name) > telemetry.MaxProperty || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }) {
		c.warn("%.128q cannot be the name of a property; its value was left out", name)
		return nil
	}
	if !isFlat(v, maxNested) {
		c.warn("%s: is nested deeper than %d levels; it was left out", name, maxNested)
		return nil
	}
	c.out.Data[name] = done(v)
	return nil
}

// separate reads steps into a record of their own, with variables that end with it.
func (c *cursor) separate(at time.Time, steps []step) error {
	if len(c.records) == maxRecords {
		return fmt.Errorf("%w: %d records", errLarge, maxRecords)
	}
	before, vars := c.out, len(c.vars)
	c.out = &driver.Record{Time: at, Data: map[string]any{}}
	err := c.steps(steps)
	if len(c.out.Data) > 0 {
		c.records = append(c.records, *c.out)
	}
	c.out, c.vars = before, c.vars[:vars]
	return err
}

// place tells where the cursor stands, for faults.
func (c *cursor) place() string {
	if c.pos%8 == 0 {
		return "byte " + strconv.Itoa(c.pos/8)
	}
	return fmt.Sprintf("byte %d, bit %d", c.pos/8, c.pos%8)
}

// A label is a name of a property with parts that are filled in: "temperature_{_channel}".
type label struct {
	text  string
	parts []string // every second one is a variable
}

func newLabel(s string) (label, error) {
	l := label{text: s}
	for rest := s; ; {
		before, more, open := strings.Cut(rest, "{")
		name, after, closed := strings.Cut(more, "}")
		l.parts = append(l.parts, before)
		if !open {
			break
		}
		if !closed || !topic.IsName(name) && (len(name) != 1 || name < "1" || name > "9") {
			return l, fmt.Errorf("must have names of fields in braces, like temperature_{_channel}, or {1} for what the first * stands for")
		}
		l.parts = append(l.parts, name)
		rest = after
	}
	if s == "" || len(s) > telemetry.MaxProperty {
		return l, fmt.Errorf("must be a name of 1 to %d bytes", telemetry.MaxProperty)
	}
	return l, nil
}

// fill is the label with its parts filled in.
func (l *label) fill(get func(string) (any, bool)) string {
	if len(l.parts) == 1 {
		return l.text
	}
	var b strings.Builder
	for i, p := range l.parts {
		if i%2 == 1 {
			v, _ := get(p)
			p = keyOf(v)
		}
		b.WriteString(p)
	}
	return b.String()
}

// hidden tells whether what has this name is for the document alone.
func (l *label) hidden() bool { return strings.HasPrefix(l.text, "_") }
