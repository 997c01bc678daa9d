package declarative

import "github.com/castor-iot/castor/shared/driver/topic"

// resolve refuses names that stand for nothing: what a field asks for must be read somewhere in the message, or be a part of its
// topic.
func (m *message) resolve(o *object) {
	known := map[string]bool{"port": true, "n": true}
	for _, f := range fieldsOf(m.steps) {
		known[f.name.text] = true
	}
	topics := func(all []*topic.Pattern) {
		for _, t := range all {
			for _, name := range t.Names() {
				known[name] = true
			}
		}
	}
	topics(m.topics)
	stars := 0
	eachCondition(m.when, m.steps, func(c *condition) { topics(c.topics) })
	eachStep(m.steps, func(s step) {
		if r, ok := s.(*repeat); ok && r.each != nil {
			stars = max(stars, r.each.wilds())
		}
	})
	need := func(name, who string) {
		if name != "" && !known[name] {
			o.bad("fields", "asks for %q in %s, which is neither a field of the message nor a part of its topic", name, who)
		}
	}
	eachCondition(m.when, m.steps, func(c *condition) { need(c.field, "when") })
	eachStep(m.steps, func(s step) {
		switch s := s.(type) {
		case *field:
			need(s.use, "use")
			need(s.sized, "length")
			most := stars
			if s.path != nil {
				most = max(most, s.path.wilds())
			}
			for i := 1; i < len(s.name.parts); i += 2 {
				part := s.name.parts[i]
				if isStar := len(part) == 1 && part >= "1" && part <= "9"; !isStar {
					need(part, "the name "+s.name.text)
				} else if int(part[0]-'0') > most {
					o.bad("fields", "has {%s} in the name %s, but no path with so many stars", part, s.name.text)
				}
			}
		case *repeat:
			need(s.field, "repeat")
			need(s.spacing, "step")
		case *choice:
			for _, name := range s.on {
				need(name, "switch")
			}
		case *tlv:
			for _, name := range s.on {
				need(name, "tlv")
			}
			need(s.length, "length")
		}
	})
}

// eachStep calls do with all steps, those within groups and the parts of numbers among them.
func eachStep(steps []step, do func(step)) {
	for _, s := range steps {
		do(s)
		switch s := s.(type) {
		case *field:
			for _, b := range s.bits {
				do(b.field)
			}
		case *group:
			eachStep(s.steps, do)
		case *repeat:
			eachStep(s.steps, do)
		case *choice:
			eachStep(s.all(), do)
		case *tlv:
			eachStep(s.header, do)
			eachStep(s.all(), do)
		}
	}
}

// all are the steps of all cases.
func (s *choice) all() (all []step) {
	for _, key := range s.keys {
		all = append(all, s.cases[key]...)
	}
	return append(all, s.other...)
}

// fieldsOf are the fields of steps, those of groups among them.
func fieldsOf(steps []step) (all []*field) {
	eachStep(steps, func(s step) {
		if f, ok := s.(*field); ok {
			all = append(all, f)
		}
	})
	return all
}

// repeatsOf are the steps that repeat others.
func repeatsOf(steps []step) (all []*repeat) {
	eachStep(steps, func(s step) {
		if r, ok := s.(*repeat); ok {
			all = append(all, r)
		}
	})
	return all
}

// eachCondition calls do with the message's own conditions and those of all its steps.
func eachCondition(own []condition, steps []step, do func(*condition)) {
	of := func(when []condition) {
		for i := range when {
			do(&when[i])
		}
	}
	of(own)
	eachStep(steps, func(s step) {
		switch s := s.(type) {
		case *field:
			of(s.when)
		case *group:
			of(s.when)
		case *repeat:
			of(s.when)
		case *choice:
			of(s.when)
		case *tlv:
			of(s.when)
		}
	})
}
