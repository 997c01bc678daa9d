package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/api"
)

// A ClaimSource returns the claim to be provisioned with. It is asked only by a device that is not provisioned, so that a
// restart needs no claim.
type ClaimSource func(ctx context.Context) (api.ClaimFile, error)

// Claim is the claim given.
func Claim(c api.ClaimFile) ClaimSource {
	return func(context.Context) (api.ClaimFile, error) { return c, nil }
}

// ClaimAt reads the claim file at path.
func ClaimAt(path string) ClaimSource {
	return func(context.Context) (c api.ClaimFile, err error) {
		f, err := os.Open(path)
		if err != nil {
			return c, fmt.Errorf("claim file: %w", err)
		}
		defer f.Close()
		if err := json.NewDecoder(io.LimitReader(f, 1<<20)).Decode(&c); err != nil {
			return c, fmt.Errorf("claim file %s is damaged (%w); ask for a new one", path, err)
		}
		return c, nil
	}
}

// Speaking is a claim's source for a device that speaks a protocol, "mqtt" or "grpc": it takes the gateway that the claim names for it.
// "" takes the claim's first.
func Speaking(protocol string, claim ClaimSource) ClaimSource {
	if protocol == "" || claim == nil {
		return claim
	}
	return func(ctx context.Context) (api.ClaimFile, error) {
		c, err := claim(ctx)
		if err != nil {
			return c, err
		}
		scheme := map[string]string{"mqtt": "tls://", "grpc": "grpcs://"}[protocol]
		switch {
		case scheme == "":
			return c, api.Invalid("protocol %.40q must be mqtt or grpc", protocol)
		case c.Gateways[protocol] != "":
			c.Gateway = c.Gateways[protocol]
		case !strings.HasPrefix(c.Gateway, scheme):
			return c, fmt.Errorf("claim %s names no gateway for %s, only %s", c.Claim.ID, protocol, c.Gateway)
		}
		return c, nil
	}
}

// others are the gateways that a claim names beside its own, which speak the same.
func others(c *api.ClaimFile) (all []string) {
	scheme, _, _ := strings.Cut(c.Gateway, "://")
	for _, protocol := range slices.Sorted(maps.Keys(c.Alternatives)) {
		for _, g := range c.Alternatives[protocol] {
			if _, _, err := parseAddress(g); err == nil && strings.HasPrefix(g, scheme+"://") && g != c.Gateway && len(all) < maxGateways {
				all = append(all, g)
			}
		}
	}
	return all
}

// checkClaim names the field that keeps c from being used.
func checkClaim(c *api.ClaimFile) error {
	missing := ""
	switch {
	case c.Claim.ID == "":
		missing = "claim.id"
	case c.Token == "":
		missing = "token"
	case c.Gateway == "":
		missing = "gateway"
	case c.CA == "":
		missing = "ca"
	}
	if missing != "" {
		return api.Invalid("claim file has no %s; ask for a new one", missing)
	}
	if err := c.Claim.Type.Valid(); err != nil {
		return fmt.Errorf("claim file: claim.type: %w", err)
	}
	return reachable(c)
}
