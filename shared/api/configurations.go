package api

import (
	"context"
	"fmt"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// Template is a configuration with places to be filled in (Go's text/template), kept in the device configuration directory (paper 4.4.2).
type Template struct {
	Name    string `json:"name" bson:"_id"`
	Version int64  `json:"version" bson:"version"`
	Note    string `json:"note,omitempty" bson:"note,omitempty"`
	Format  string `json:"format" bson:"format"` // json, yaml or text: the rendered content is checked against it

	// Content is filled in with .Twin (id, name, type, owner, location), .Identity (serial, mac, model) and .Parameters.
	Content string `json:"content" bson:"content"`

	// Parameters are defaults; the type's and then the call's go above them.
	Parameters map[string]string `json:"parameters,omitempty" bson:"parameters,omitempty"`

	// Metadata is what it is found by: "model", "os" … (paper 7.4).
	Metadata map[string]string `json:"metadata,omitempty" bson:"metadata,omitempty"`

	Updated time.Time `json:"updated" bson:"updated"`
}

// Render asks for a template populated for one twin.
type Render struct {
	Twin       twin.ID           `json:"twin"`
	Parameters map[string]string `json:"parameters,omitempty"`
}

// PutTemplate makes or replaces a template.
func (c *Client) PutTemplate(ctx context.Context, in Template) (out Template, err error) {
	return out, c.Call(ctx, "PUT", "configurations", "/templates/"+in.Name, in, &out)
}

// GetTemplate returns a template.
func (c *Client) GetTemplate(ctx context.Context, name string) (out Template, err error) {
	return out, c.Call(ctx, "GET", "configurations", "/templates/"+name, nil, &out)
}

// GetTemplateVersion returns a template as it was in one version.
func (c *Client) GetTemplateVersion(ctx context.Context, name string, version int64) (out Template, err error) {
	return out, c.Call(ctx, "GET", "configurations", "/templates/"+name+query("version", fmt.Sprint(version)), nil, &out)
}

// ListTemplates pages through the templates.
func (c *Client) ListTemplates(ctx context.Context, cursor string) (out Page[Template], err error) {
	return c.FindTemplates(ctx, nil, cursor)
}

// FindTemplates pages through the templates that have all of the metadata.
func (c *Client) FindTemplates(ctx context.Context, metadata map[string]string, cursor string) (out Page[Template], err error) {
	pairs := []string{"cursor", cursor}
	for k, v := range metadata {
		pairs = append(pairs, "meta."+k, v)
	}
	return out, c.Call(ctx, "GET", "configurations", "/templates"+query(pairs...), nil, &out)
}

// RenderTemplate populates a template for a twin.
func (c *Client) RenderTemplate(ctx context.Context, name string, in Render) (out twin.Configuration, err error) {
	return out, c.Call(ctx, "POST", "configurations", "/templates/"+name+"/render", in, &out)
}
