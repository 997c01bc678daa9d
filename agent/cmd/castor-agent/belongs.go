package main

import (
	"cmp"
	"context"
	"encoding/pem"
	"fmt"
	"path"
	"strings"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/shared/api"
)

// belongs refuses a serial or a claim that is for another device, or for another platform, than the directory is of: the agent
// would go on as the old device and say nothing. It returns the serial to go on with, "" if that is still to be found out. A claim
// file that is not there any more says nothing: it was needed the first time only.
func belongs(ctx context.Context, dir, serial, claimFile string, knock *agent.Knock) (string, error) {
	st, err := agent.ReadStatus(dir)
	if err != nil || !st.Provisioned {
		return serial, nil // what keeps a directory from being read, agent.New says
	}
	whose := fmt.Errorf("folder %s belongs to %s at %s: give another folder with --dir, or leave out --claim, --knock and --serial to go on as that device",
		dir, cmp.Or(st.Serial, string(st.Twin)), st.Gateway)
	if serial != "" && st.Serial != "" && serial != st.Serial {
		return "", whose
	}
	serial = cmp.Or(serial, st.Serial)
	if knock != nil && !sameCA(knock.CA, st.CA) {
		return "", whose
	}
	if claimFile == "" {
		return serial, nil
	}
	if _, ca, err := api.ParseClaimText(claimFile); err == nil { // what else it says, only the platform knows
		if block, _ := pem.Decode([]byte(st.CA)); block == nil || api.CAFingerprint(block.Bytes) != ca {
			return "", whose
		}
		return serial, nil
	}
	claim, err := agent.ClaimAt(claimFile)(ctx)
	if err != nil {
		return serial, nil
	}
	if claim.CA != "" && !sameCA(claim.CA, st.CA) {
		return "", whose
	}
	if pattern := claim.Claim.Serials; pattern != "" && serial != "" {
		if ok, err := path.Match(pattern, serial); err == nil && !ok {
			return "", whose
		}
	}
	return serial, nil
}

// sameCA tells whether one of two PEM texts has the other's certificates: there may be more around them.
func sameCA(a, b string) bool {
	return strings.Contains(a, strings.TrimSpace(b)) || strings.Contains(b, strings.TrimSpace(a))
}
