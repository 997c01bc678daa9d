package main

import (
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/castor-iot/castor/agent"
)

// knocks reads what the flags say about knocking; nil if they say nothing.
func knocks(at, ca, maker, claim string) (*agent.Knock, error) {
	switch {
	case at == "" && (ca != "" || maker != ""):
		return nil, errors.New("--ca and --maker are for --knock ADDRESS; a claim file has its CA")
	case at == "":
		return nil, nil
	case claim != "":
		return nil, errors.New("--knock is for a machine without a claim: give one of --knock and --claim")
	case ca == "":
		return nil, errors.New("--knock needs --ca FILE: the platform's CA, which it serves at /function/credentials/ca")
	}
	b, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	if block, _ := pem.Decode(b); block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("--ca: %s has no certificate in PEM", ca)
	}
	return &agent.Knock{Gateway: at, CA: string(b), Maker: maker}, nil
}
