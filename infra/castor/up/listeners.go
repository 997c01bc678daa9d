package up

import (
	"github.com/castor-iot/castor/connectors/gateway"
)

// Off is the address of a gateway that is not wanted.
const Off = "off"

// A listener is the address of one gateway, and what it is called.
type listener struct {
	id, setting string
	phase       gateway.Phase
	protocol    protocol
	address     *string
	otherwise   string
}

// gateways are all that there may be, two per protocol: new devices cannot get in the way of those that work (paper 7.2).
func (c *Config) gateways() []listener {
	mqtt, grpc, http := protocols[0], protocols[1], protocols[2]
	return []listener{
		{ProvisioningGateway, "provisioning", gateway.Provisioning, mqtt, &c.Provisioning, "127.0.0.1:8884"},
		{OperationalGateway, "operational", gateway.Operational, mqtt, &c.Operational, "127.0.0.1:8883"},
		{"provisioning-grpc-1", "provisioning-grpc", gateway.Provisioning, grpc, &c.ProvisioningGRPC, "127.0.0.1:8885"},
		{"operational-grpc-1", "operational-grpc", gateway.Operational, grpc, &c.OperationalGRPC, "127.0.0.1:8886"},
		{"provisioning-http-1", "provisioning-http", gateway.Provisioning, http, &c.ProvisioningHTTP, "127.0.0.1:8887"},
		{"operational-http-1", "operational-http", gateway.Operational, http, &c.OperationalHTTP, "127.0.0.1:8888"},
	}
}

// completeGateways fills in what was not said of the gateways. Those for MQTT are always there: claims name them, and this
// machine comes in by them.
func (c *Config) completeGateways() error {
	for _, g := range c.gateways() {
		if *g.address == "" {
			*g.address = g.otherwise
		}
		if *g.address == Off && g.protocol.name != protocols[0].name {
			continue
		}
		if err := checkAddress(g.setting, *g.address); err != nil {
			return err
		}
	}
	return nil
}
