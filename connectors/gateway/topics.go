package gateway

import (
	"fmt"
	"strings"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver/topic"
)

// Topics are those of a client whose firmware uses its own: where it speaks and where it listens. They never are the platform's.
type Topics struct {
	device   string
	up, down []*topic.Pattern
}

// Bounds of what an admission says of topics.
const (
	maxPatterns = 100
	maxName     = 128 // bytes of what a device is called in topics
)

// newTopics reads those of an admission.
func newTopics(a *api.Topics) (*Topics, error) {
	if len(a.Up) == 0 || len(a.Up) > maxPatterns || len(a.Down) > maxPatterns {
		return nil, fmt.Errorf("topics: a client speaks on 1 to %d and listens on at most %d", maxPatterns, maxPatterns)
	}
	if len(a.Device) > maxName || strings.ContainsAny(a.Device, "+#\x00") {
		return nil, fmt.Errorf("topics: the name %.80q must have at most %d bytes and no wildcard", a.Device, maxName)
	}
	t := &Topics{device: a.Device}
	for to, from := range map[*[]*topic.Pattern][]string{&t.up: a.Up, &t.down: a.Down} {
		for _, s := range from {
			p, err := topic.Parse(s)
			if err != nil {
				return nil, fmt.Errorf("topics: %.80q %w", s, err)
			}
			*to = append(*to, p)
		}
	}
	return t, nil
}

// Bridge tells whether the client speaks for others, each by a name of its own.
func (t *Topics) Bridge() bool { return t.device == "" }

// Device is what the client is called in its topics; "" = it is a bridge.
func (t *Topics) Device() string { return t.device }

// From tells whether the client may speak on the topic. device is whom it speaks for, by the first of its patterns that fits; "" = for
// itself, because the pattern names nobody.
func (t *Topics) From(name string) (device string, ok bool) { return find(t.up, name, t.device) }

// To tells whether the client may be sent something on the topic, and for whom; "" = itself, because the pattern names nobody.
func (t *Topics) To(name string) (device string, ok bool) {
	if strings.ContainsAny(name, "+#\x00") {
		return "", false
	}
	return find(t.down, name, t.device)
}

// Listens tells whether something that the client may be sent would come by the filter.
func (t *Topics) Listens(filter string) bool {
	for _, p := range t.down {
		if p.Meets(filter, t.device) {
			return true
		}
	}
	return false
}

// find returns whom a topic names by the first pattern that fits. Where the client has a name, patterns that name another do not fit.
func find(all []*topic.Pattern, name, own string) (device string, ok bool) {
	if strings.HasPrefix(name, "castor/") {
		return "", false
	}
	for _, p := range all {
		device = ""
		fits := p.Match(name, func(part, value string) {
			if part == "device" {
				device = value
			}
		})
		if fits && len(device) <= maxName && (own == "" || device == "" || device == own) {
			return device, true
		}
	}
	return "", false
}
