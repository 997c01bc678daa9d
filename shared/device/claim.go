package device

import (
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

// ErrClaim marks a claim that does not cover what a device asks for. Its text says why.
var ErrClaim = errors.New("claim refused")

// A Claim lets devices of one type ask to be provisioned. Its token is shown once, when the claim is made; the platform
// keeps the token's hash.
type Claim struct {
	ID string `json:"id" bson:"_id"`

	// Type is the type its devices are provisioned as, Owner the group they will belong to.
	Type  twin.TypeID `json:"type" bson:"type"`
	Owner string      `json:"owner" bson:"owner"`

	// Location is where its devices are, if known.
	Location *twin.Location `json:"location,omitempty" bson:"location,omitempty"`

	// Serials is a pattern that the serial must match, in the form of path.Match ("P-*"); "" = any.
	Serials string `json:"serials,omitempty" bson:"serials,omitempty"`

	// Listed is how many serials it was given by name; 0 = it goes by the pattern alone. The list is kept beside the claim.
	Listed int64 `json:"listed,omitempty" bson:"listed,omitempty"`

	// Batch is a label that claims made for one lot of devices share. Temporary tells that an installer made it for the day.
	Batch     string `json:"batch,omitempty" bson:"batch,omitempty"`
	Temporary bool   `json:"temporary,omitempty" bson:"temporary,omitempty"`
	Note      string `json:"note,omitempty" bson:"note,omitempty"` // for people

	// Expires is when it ends. MaxUses is how many devices it may bring in, Used how many it has.
	Expires time.Time `json:"expires" bson:"expires"`
	MaxUses int64     `json:"maxUses" bson:"maxUses"`
	Used    int64     `json:"used" bson:"used"`

	Revoked bool      `json:"revoked,omitempty" bson:"revoked,omitempty"`
	State   string    `json:"state,omitempty" bson:"-"` // open, used, expired or revoked, when it was asked for
	By      string    `json:"by" bson:"by"`
	Created time.Time `json:"created" bson:"created"`

	// Verifier is the SHA-256 of the token, in hexadecimal. The token has 256 random bits, so no slower hash is needed.
	Verifier string `json:"-" bson:"verifier"`
}

// The states of a claim.
const (
	ClaimOpen    = "open"
	ClaimUsed    = "used"
	ClaimExpired = "expired"
	ClaimRevoked = "revoked"
)

// ClaimStates lists them.
var ClaimStates = []string{ClaimOpen, ClaimUsed, ClaimExpired, ClaimRevoked}

// StateAt is the claim's state.
func (c *Claim) StateAt(now time.Time) string {
	switch {
	case c.Revoked:
		return ClaimRevoked
	case c.Used >= c.MaxUses:
		return ClaimUsed
	case !now.Before(c.Expires):
		return ClaimExpired
	}
	return ClaimOpen
}

// Covers returns ErrClaim, with the reason, if the claim does not let a device of type t with this serial in at now.
// Whether a use is left is counted where the claim is kept, atomically.
func (c *Claim) Covers(t twin.TypeID, serial string, now time.Time) error {
	switch {
	case c.Revoked:
		return fmt.Errorf("%w: claim %s was revoked", ErrClaim, c.ID)
	case !now.Before(c.Expires):
		return fmt.Errorf("%w: claim %s expired at %s", ErrClaim, c.ID, c.Expires.Format(time.RFC3339))
	case t != c.Type:
		return fmt.Errorf("%w: claim %s is for devices of type %s, not %s", ErrClaim, c.ID, c.Type, t)
	}
	if c.Serials != "" {
		if ok, err := path.Match(c.Serials, serial); err != nil || !ok {
			return fmt.Errorf("%w: claim %s is for serials like %s, not %.64q", ErrClaim, c.ID, c.Serials, serial)
		}
	}
	return nil
}
