package metrics

// Of an IoT gateway, by its id. Filled by sources.
var (
	DeviceSessions = watched(Gauge, "castor_device_sessions",
		"Sessions of devices (of claimants, at a provisioning gateway).", "gateway")
	DeviceConnections = watched(Gauge, "castor_device_connections",
		"Connections, those that are not authenticated yet among them.", "gateway")
	DeviceAdmissions = watched(Gauge, "castor_device_admissions",
		"Devices and claims that the gateway would let in.", "gateway")
	DeviceRefused = watched(Counter, "castor_device_refused_total",
		"Connections that were not let in: refused (who cannot show who they are), throttled (too many or too fast).", "gateway", "reason")
	DeviceMessages = watched(Counter, "castor_device_messages_total",
		"Messages by what the gateway did with them: received, sent, dropped.", "gateway", "outcome")
)
