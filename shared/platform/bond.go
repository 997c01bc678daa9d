package platform

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Bond is what the secret of a gateway that joins a running platform holds it to: its folder may get into anybody's hands. The zero
// Bond, of secrets from DerivePart, holds to nothing.
type Bond struct {
	Phase string    // of the gateway
	Made  time.Time // when the secret was made; one that is older than the gateway's deletion is over
}

// DeriveJoin is the secret of a connector that is bound, made from the secret SecretParts. The bond can be read in it and not changed.
func DeriveJoin(parts []byte, gateway string, b Bond) string {
	made := b.Made.UnixMilli()
	m := hmac.New(sha256.New, parts)
	fmt.Fprintf(m, "join\x00%s\x00%s\x00%d", gateway, b.Phase, made)
	return fmt.Sprintf("%s.%d.%s", b.Phase, made, base64.RawURLEncoding.EncodeToString(m.Sum(nil)))
}

// CheckPart tells whether a secret is that of a part, and what it binds it to.
func CheckPart(parts []byte, part, gateway, secret string) (b Bond, ok bool) {
	want := DerivePart(parts, part, gateway)
	if words := strings.Split(secret, "."); len(words) == 3 && part == "connector" && gateway != "" {
		made, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil || words[0] == "" {
			return Bond{}, false
		}
		b = Bond{Phase: words[0], Made: time.UnixMilli(made).UTC()}
		want = DeriveJoin(parts, gateway, b)
	}
	if subtle.ConstantTimeCompare([]byte(want), []byte(secret)) != 1 {
		return Bond{}, false
	}
	return b, true
}
