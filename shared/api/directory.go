package api

import (
	"context"
	"time"
)

// Advertisement is what a service, connector or twin says of itself in the service directory (paper 4.2.2).
type Advertisement struct {
	ID   string `json:"id" bson:"_id"`                      // "twin-ingest", "mqtt:<replica>:op-1"
	Kind string `json:"kind" bson:"kind"`                   // function, connector, gateway, twin; service: somebody else's
	Name string `json:"name" bson:"name"`                   // what it is one of: "twin-ingest"
	URL  string `json:"url,omitempty" bson:"url,omitempty"` // its entry point; for functions a path below the user gateway

	// Capabilities are what it can do: "ingest", "credentials.resolve", "sweep", "mqtt". Interfaces are how it is spoken to.
	Capabilities []string `json:"capabilities" bson:"capabilities"`
	Interfaces   []string `json:"interfaces,omitempty" bson:"interfaces,omitempty"`

	// Secret is what calls of a service are signed with (HeaderSignature). It is never answered.
	Secret string `json:"secret,omitempty" bson:"-"`

	Region  string    `json:"region,omitempty" bson:"region,omitempty"`
	TTL     int       `json:"ttl" bson:"ttl"` // seconds after which it is gone unless it is registered again; 0 = 60
	Expires time.Time `json:"expires" bson:"expires"`
	Updated time.Time `json:"updated" bson:"updated"`
}

// Register puts an advertisement into the directory, or renews it.
func (c *Client) Register(ctx context.Context, in Advertisement) (out Advertisement, err error) {
	return out, c.Call(ctx, "PUT", "directory", "/services/"+in.ID, in, &out)
}

// Deregister takes an advertisement out.
func (c *Client) Deregister(ctx context.Context, id string) error {
	return c.Call(ctx, "DELETE", "directory", "/services/"+id, nil, nil)
}

// ServiceQuery selects advertisements; empty fields select nothing out.
type ServiceQuery struct {
	Capability, Interface, Name, Kind string
	Cursor                            string
}

// ListServices pages through what is alive. Who is neither configurator nor maintainer sees functions only.
func (c *Client) ListServices(ctx context.Context, q ServiceQuery) (out Page[Advertisement], err error) {
	return out, c.Call(ctx, "GET", "directory", "/services"+query("capability", q.Capability, "interface", q.Interface,
		"name", q.Name, "kind", q.Kind, "cursor", q.Cursor), nil, &out)
}

// GetService returns an advertisement that is alive.
func (c *Client) GetService(ctx context.Context, id string) (out Advertisement, err error) {
	return out, c.Call(ctx, "GET", "directory", "/services/"+id, nil, &out)
}

// Discover lists what is alive and has the capability; "" = everything.
func (c *Client) Discover(ctx context.Context, capability string) (Page[Advertisement], error) {
	return c.ListServices(ctx, ServiceQuery{Capability: capability})
}

// RegisterMany puts up to 1,000 advertisements into the directory, or renews them, by one write.
func (c *Client) RegisterMany(ctx context.Context, in []Advertisement) error {
	return c.Call(ctx, "PUT", "directory", "/services", in, nil)
}

// FindTwins pages through the twins the caller may see that have a capability ("property:rpm") or an interface ("castor:pump"),
// as their types say.
func (c *Client) FindTwins(ctx context.Context, q ServiceQuery) (out Page[Advertisement], err error) {
	return out, c.Call(ctx, "GET", "directory", "/twins"+query("capability", q.Capability, "interface", q.Interface, "cursor", q.Cursor), nil, &out)
}

// ServiceSecret is what calls of a service are signed with.
type ServiceSecret struct {
	Secret string `json:"secret"`
}

// CapabilityObject is how grants name a capability of services: write on it lets a service account say that it has it.
func CapabilityObject(capability string) string { return "service:capability." + capability }

// GetServiceSecret returns what calls of a service are signed with.
func (c *Client) GetServiceSecret(ctx context.Context, id string) (out ServiceSecret, err error) {
	return out, c.Call(ctx, "GET", "directory", "/services/"+id+"/secret", nil, &out)
}
