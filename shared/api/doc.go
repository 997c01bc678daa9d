// Package api is the platform's public contract in Go: the request and response types of every function and a Client that
// calls them. It is the Go SDK, and the only way functions call each other. The same contract, language-neutral, is
// functions/openapi.yaml; tests hold the two together. It decides nothing.
package api
