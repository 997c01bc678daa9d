// Package e2e tells stories of the people and devices that use the platform, through public addresses only: the user gateway's
// URLs, the MQTT gateways' ports, e-mail and webhooks. Every HTTP exchange is held against functions/openapi.yaml. The same
// stories run on the embedded store and on MongoDB; in each, the whole platform is real, in this process or as the built program.
package e2e
