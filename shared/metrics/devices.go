package metrics

// Of an IoT gateway, by its id. Filled by sources.
var (
	DeviceSessions = watched(Gauge, "castor_device_sessions",
		"Sessions of devices (of claimants, at a provisioning gateway).", "gateway", "protocol")
	DeviceAdmissions = watched(Gauge, "castor_device_admissions",
		"Devices and claims that the gateway would let in.", "gateway", "protocol")
	DeviceRefused = watched(Counter, "castor_device_refused_total",
		"What the gateway turned away, by reason: refused (connections that could not show who they are), throttled (connections, too many or too fast), topic (without the right to it), cut (sessions whose admission changed or ended), knock (unknown clients that knock too often).",
		"gateway", "protocol", "reason")
	DeviceMessages = watched(Counter, "castor_device_messages_total",
		"Messages of devices that were received and acknowledged, and messages to devices that were dropped because they were too slow or gone.",
		"gateway", "protocol", "outcome")
)
