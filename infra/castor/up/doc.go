// Package up runs the whole platform in one process: embedded store (or MongoDB), NATS, object store, every function behind the
// user gateway, a provisioning and an operational MQTT gateway with their connectors, triggers, and the agent that makes this
// machine the first device. It only starts and stops what other packages are; nothing rests on their sharing a process.
package up
