package topic

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// maxName is how long a device's name in topics may be, in bytes.
const maxName = 128

// Carries returns nil if a bridge that speaks on topics of these patterns can name a device so: a topic with the name in it is
// understood as that device's. What is wrong with the name the error says in a sentence of its own.
func Carries(patterns []string, name string) error {
	var all []*Pattern
	for _, s := range patterns {
		p, err := Parse(s)
		if err != nil {
			return fmt.Errorf("it cannot be looked for in topic %q, which %w", s, err)
		}
		all = append(all, p)
	}
	switch {
	case len(name) > maxName:
		return fmt.Errorf("it is longer than the %d bytes that a name in topics may have", maxName)
	case strings.ContainsAny(name, "+#{}\x00"):
		return fmt.Errorf("a name in topics is without + # { }")
	}
	others, like := "", "" // whose the topic is taken for instead; how topics name devices
	for _, p := range all {
		if !names(p) {
			continue
		}
		like = cmp.Or(like, p.String())
		topic, err := p.Fill(func(part string) (string, bool) {
			if part == "device" {
				return name, true
			}
			return "x", true
		})
		if err != nil {
			continue
		}
		by, device := first(all, topic)
		if device == name {
			return nil
		}
		others = by
	}
	if others != "" {
		return fmt.Errorf("topics with it are taken for those of %s", others)
	}
	if like == "" {
		return errors.New("none of the topics names a device")
	}
	return fmt.Errorf("it fits into none of the topics, which are like %s", like)
}

// names tells whether the pattern has a place for a device's name.
func names(p *Pattern) bool {
	for _, n := range p.Names() {
		if n == "device" {
			return true
		}
	}
	return false
}

// first is the first pattern that a topic fits, as connectors look for it, and the device that it names.
func first(all []*Pattern, topic string) (pattern, device string) {
	for _, p := range all {
		device = ""
		if p.Match(topic, func(part, value string) {
			if part == "device" {
				device = value
			}
		}) {
			return p.String(), device
		}
	}
	return "", ""
}
