package http

import (
	"bytes"
	"context"
	_ "embed" // of the description
	"net/http"
)

//go:embed openapi.yaml
var description []byte

// Description is the contract that device makers read, in OpenAPI.
func Description() []byte { return bytes.Clone(description) }

// describe serves the contract that device makers read.
func (h *Connector) describe(_ context.Context, w http.ResponseWriter, _ *http.Request, _ call) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(description)
}
