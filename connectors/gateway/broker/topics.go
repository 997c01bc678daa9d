package broker

import (
	"strings"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/shared/device"
)

// Knock is the topic of devices that have nothing to show.
const Knock = "castor/provision/knock"

// Topics are those of the wire contract; nothing else may be touched. ref is the {device} of a topic on an operational
// gateway, the MQTT client id on a provisioning one.

// mayPublish tells whether the client may publish to topic. Who has shown nothing may knock only.
func mayPublish(p gateway.Phase, ref, topic string, anonymous bool) bool {
	if p == gateway.Provisioning {
		if anonymous {
			return topic == Knock
		}
		kind, ok := strings.CutPrefix(topic, "castor/provision/")
		kind, end := strings.CutSuffix(kind, "/request")
		return ok && end && device.TopicWord(kind) // a claim of another type is told so by who decides
	}
	rest, ok := strings.CutPrefix(topic, "castor/"+ref+"/")
	if !ok {
		return false
	}
	switch rest {
	case "telemetry", "state/reported", "event", "provision/confirm", "credential/renew", "credential/confirm":
		return true
	}
	if app, ok := strings.CutPrefix(rest, "log/"); ok {
		return device.TopicWord(app)
	}
	id, ok := strings.CutPrefix(rest, "command/")
	id, end := strings.CutSuffix(id, "/response")
	return ok && end && device.TopicWord(id)
}

// mayReceive tells whether the client may subscribe to, and receive, topic.
func mayReceive(p gateway.Phase, ref, topic string) bool {
	if p == gateway.Provisioning {
		rest, ok := strings.CutPrefix(topic, "castor/provision/"+ref+"/")
		return ok && (rest == "+" || device.TopicWord(rest))
	}
	rest, ok := strings.CutPrefix(topic, "castor/"+ref+"/")
	if !ok {
		return false
	}
	switch rest {
	case "ack", "state/delta", "command/+", "credential/renewed", "gateway":
		return true
	}
	id, ok := strings.CutPrefix(rest, "command/")
	return ok && device.TopicWord(id)
}
