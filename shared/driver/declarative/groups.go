package declarative

import (
	"fmt"
	"strings"
	"time"
)

// A group is fields that count under one condition.
type group struct {
	when  []condition
	steps []step
}

func (g *group) read(c *cursor) error {
	if !c.fits(g.when) {
		return nil
	}
	return c.steps(g.steps)
}

// A repeat is fields that come several times: in bytes so often, in JSON once per element.
type repeat struct {
	when  []condition
	count int    // times; -1 = to the end
	field string // the field that has the number
	each  *path

	list    string // the property that becomes a list
	records bool   // each time is a record
	every   *int   // seconds from one record's time to the next
	spacing string // the field that has the seconds
	back    bool   // spacing goes into the past
	steps   []step
}

func (r *repeat) read(c *cursor) error {
	if !c.fits(r.when) {
		return nil
	}
	start := c.out.Time
	if start.IsZero() {
		start = c.call.Time
	}
	var elements []any
	turn := func(i int) error {
		vars := len(c.vars)
		defer func() { c.vars = c.vars[:vars] }()
		c.set("n", whole(int64(i+1)))
		switch {
		case r.records:
			at, err := r.time(c, start, i)
			if err != nil {
				return err
			}
			return c.separate(at, r.steps)
		case r.list != "":
			element := map[string]any{}
			data := c.out.Data
			c.out.Data = element
			err := c.steps(r.steps)
			c.out.Data = data
			elements = append(elements, element)
			return err
		}
		return c.steps(r.steps)
	}
	err := r.turns(c, turn)
	if r.list != "" && elements != nil {
		c.out.Data[r.list] = elements
	}
	return err
}

func (r *repeat) turns(c *cursor, turn func(int) error) error {
	if r.each != nil {
		i, here := 0, c.here
		defer func() { c.here = here }()
		return r.each.walk(c, func(v any, stars []string) error {
			vars := len(c.vars)
			for i, s := range stars {
				c.set(string(rune('1'+i)), s)
			}
			c.here = v
			i++
			err := turn(i - 1)
			c.vars = c.vars[:vars]
			return err
		})
	}
	count := r.count
	if r.field != "" {
		var err error
		if count, err = c.count(r.field); err != nil {
			return err
		}
	}
	for i := 0; i < count || count < 0 && c.pos < c.end; i++ {
		at := c.pos
		if err := turn(i); err != nil {
			return err
		}
		if c.pos == at {
			return fmt.Errorf("what is repeated takes nothing at %s, so it would never end", c.place())
		}
	}
	return nil
}

// time is that of record i.
func (r *repeat) time(c *cursor, start time.Time, i int) (time.Time, error) {
	seconds := 0
	switch {
	case r.every != nil:
		seconds = *r.every
	case r.spacing != "":
		n, err := c.count(r.spacing)
		if err != nil {
			return start, err
		}
		if seconds = n; r.back {
			seconds = -n
		}
	default:
		return c.out.Time, nil
	}
	at := start.Add(time.Duration(i) * time.Duration(seconds) * time.Second)
	if at.Before(earliest) || at.After(latest) {
		return at, fmt.Errorf("record %d would be of the year %d", i+1, at.Year())
	}
	return at, nil
}

// A choice is fields that depend on a value.
type choice struct {
	when  []condition
	on    []string
	cases map[string][]step
	keys  []string // of cases, in the document's order
	other []step
	total bool // other is there
}

func (s *choice) read(c *cursor) error {
	if !c.fits(s.when) {
		return nil
	}
	key := keysOf(c, s.on)
	steps, ok := s.cases[key]
	if !ok {
		if !s.total {
			return fmt.Errorf("%s is %.40q: nothing is told of that case", strings.Join(s.on, " "), key)
		}
		steps = s.other
	}
	return c.steps(steps)
}

// keysOf is the case: the values of the names, with a blank between.
func keysOf(c *cursor, names []string) string {
	var keys [4]string
	for i, name := range names {
		v, _ := c.get(name)
		keys[i] = keyOf(v)
	}
	return strings.Join(keys[:len(names)], " ")
}

// A tlv is a list to the end of the message of elements that each begin with what they are (type, length, value).
type tlv struct {
	choice
	header  []step
	length  string // the field of the header that has the bytes of the value; "" = the type tells
	records bool   // each element is a record
	fail    bool   // an element that is not known is an error
}

func (t *tlv) read(c *cursor) error {
	if !c.fits(t.when) {
		return nil
	}
	for i := 0; c.pos < c.end; i++ {
		vars, pos, at := len(c.vars), c.pos, c.place()
		c.set("n", whole(int64(i+1)))
		if err := c.steps(t.header); err != nil {
			return err
		}
		if err := t.element(c, at); err != nil {
			return err
		}
		if c.pos == pos {
			return fmt.Errorf("the element at %s takes nothing, so the list would never end", at)
		}
		c.vars = c.vars[:vars]
	}
	return nil
}

func (t *tlv) element(c *cursor, at string) error {
	key := keysOf(c, t.on)
	steps, ok := t.cases[key]
	if !ok && t.total {
		steps, ok = t.other, true
	}
	end, next := c.end, -1
	if t.length != "" {
		n, err := c.count(t.length)
		if err != nil {
			return err
		}
		if next = c.pos + n*8; next > c.end {
			return fmt.Errorf("%s: the element at %s has %d bytes, the message ends before", t.length, at, n)
		}
	}
	switch {
	case !ok && t.fail:
		return fmt.Errorf("the element at %s is of type %.40q, which is not known", at, key)
	case !ok && next >= 0:
		c.warn("the element at %s is of type %.40q, which is not known; it was left out", at, key)
		c.pos = next
		return nil
	case !ok:
		c.warn("the element at %s is of type %.40q, which is not known; what follows it was left out", at, key)
		c.pos = c.end
		return nil
	}
	if next >= 0 {
		c.end = next
	}
	var err error
	if t.records {
		err = c.separate(c.out.Time, steps)
	} else {
		err = c.steps(steps)
	}
	if c.end = end; next >= 0 && err == nil {
		c.pos = next
	}
	return err
}
