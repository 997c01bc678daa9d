package device

import (
	"fmt"
	"strings"

	"github.com/castor-iot/castor/shared/twin"
)

// Topics are where a device speaks and listens whose firmware uses topics of its own: patterns with {device} for its name, as its
// type's driver has them.
type Topics struct {
	Up   []string `json:"up" bson:"up"`
	Down []string `json:"down,omitempty" bson:"down,omitempty"`

	// Device is the name; "" = any: it is a bridge, and each name a device that it relays.
	Device string `json:"device,omitempty" bson:"device,omitempty"`
}

// Bounds on topics.
const (
	maxTopics     = 50
	maxTopic      = 256 // bytes
	maxTopicName  = 128 // bytes of a device's name in topics
	topicOfDevice = "{device}"
	topicOfBridge = "{device...}"
)

// Check returns twin.ErrInvalid, naming the field, if a device must not be let in with the topics: every pattern names its device, but
// those of a bridge that are its own; none reaches the platform's topics, and none those of other devices.
func (t *Topics) Check() error {
	if t == nil {
		return nil
	}
	if d := t.Device; len(d) > maxTopicName || strings.HasPrefix(d, "$") || strings.ContainsFunc(d, notInName) {
		return fmt.Errorf("%w: topics.device %.40q must be at most %d bytes of text without / + # { } and not begin with $", twin.ErrInvalid, d, maxTopicName)
	}
	if len(t.Up) == 0 || len(t.Up) > maxTopics || len(t.Down) > maxTopics {
		return fmt.Errorf("%w: topics.up must have 1 to %d patterns, topics.down at most %d", twin.ErrInvalid, maxTopics, maxTopics)
	}
	for _, list := range []struct {
		field string
		of    []string
	}{{"up", t.Up}, {"down", t.Down}} {
		for i, p := range list.of {
			if why := t.wrong(p); why != "" {
				return fmt.Errorf("%w: topics.%s[%d] %.80q %s", twin.ErrInvalid, list.field, i, p, why)
			}
		}
	}
	return nil
}

func notInName(r rune) bool {
	return r < ' ' || r == 0x7f || r == '\uFFFD' || strings.ContainsRune("/+#{}", r)
}

// wrong is what is wrong with a pattern; "" = nothing.
func (t *Topics) wrong(p string) string {
	if p == "" || len(p) > maxTopic || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }) {
		return fmt.Sprintf("must be 1 to %d bytes of text", maxTopic)
	}
	levels := strings.Split(p, "/")
	first := strings.ReplaceAll(levels[0], topicOfDevice, t.Device)
	switch {
	case first == "castor" || strings.HasPrefix(first, "$"):
		return "is among the platform's topics"
	case t.Device == "" && strings.ContainsAny(levels[0], "{+#"):
		return "must begin with a level of its own, for a bridge's devices have any names"
	}
	if t.Device == "" && !strings.Contains(p, "{device") {
		return "" // the bridge's own, like zigbee2mqtt/bridge/#
	}
	for _, l := range levels {
		switch {
		case strings.Contains(l, topicOfDevice), l == topicOfBridge:
			return ""
		case strings.ContainsAny(l, "{+#"):
			return "must have " + topicOfDevice + " before anything that stands for many topics"
		}
	}
	return "must have " + topicOfDevice + " for the device's name"
}
