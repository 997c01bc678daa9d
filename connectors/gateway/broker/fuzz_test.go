package broker

import (
	"strings"
	"testing"

	"github.com/castor-iot/castor/connectors/gateway"
)

// Whatever topic a client names, it may publish and receive what is its own and nothing else; nobody may do both on one topic.
func FuzzTopics(f *testing.F) {
	for _, topic := range []string{
		"castor/p-1/telemetry", "castor/p-2/telemetry", "castor/p-1/../p-2/telemetry", "castor/p-1/log/app", "castor/p-1/log/../x", "castor/p-1/command/c-1/response", "castor/p-1/command/+/response", "castor/p-1/command/+",
		"castor/p-1/#", "castor/+/ack", "castor/p-1/ack", "castor/provision/pump/request", "castor/provision//request", "castor/provision/a/b/request", "castor/provision/request", "castor/provision/p-1/+", "castor/provision/p-2/+",
		Knock, "$SYS/broker", "$share/g/castor/p-1/ack", "", "/", "castor/p-1/telemetry\x00", "castor/p-1/log/\xff", "castor/p-1/credential/renewed", "castor/p-1/gateway", strings.Repeat("castor/", 9000),
	} {
		f.Add(topic)
	}
	f.Fuzz(func(t *testing.T, topic string) {
		for _, p := range []gateway.Phase{gateway.Provisioning, gateway.Operational} {
			up, down := mayPublish(p, "p-1", topic, false), mayReceive(p, "p-1", topic)
			if up && down {
				t.Fatalf("%s: %q goes both ways", p, topic)
			}
			if (up || p == gateway.Operational && down) && strings.ContainsAny(strings.TrimSuffix(topic, "command/+"), "+#\x00") {
				t.Fatalf("%s: %q has a wildcard", p, topic)
			}
			own := "castor/p-1/"
			if p == gateway.Provisioning {
				own = "castor/provision/"
			}
			if (up || down) && (!strings.HasPrefix(topic, own) || strings.Count(topic, "/") > 4) {
				t.Fatalf("%s: %q is not the client's own", p, topic)
			}
			if down && p == gateway.Provisioning && !strings.HasPrefix(topic, own+"p-1/") {
				t.Fatalf("%q is another's", topic)
			}
			if mayPublish(p, "p-1", topic, true) && p == gateway.Provisioning && topic != Knock {
				t.Fatalf("who has shown nothing publishes to %q", topic)
			}
		}
	})
}
