package faas

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
)

// HeaderConsole carries a random value of 256 bits, in base64url, that the console's page keeps where only pages of its own origin
// reach it. A page of another origin cannot send the header at all: a browser would ask first, by CORS, and nobody here says yes.
// Cookies know no port, so other servers on the same host get the console's and can set their own; the tokens in them are bound to
// the value, which those servers never see.
const HeaderConsole = "X-Castor-Console"

// Bound is what tokens and sessions say of the page's value that they are bound to: its SHA-256 in base64url. What is not such a
// value is an error.
func Bound(value string) (string, error) {
	if b, err := base64.RawURLEncoding.Strict().DecodeString(value); err != nil || len(b) != 32 || len(value) != 43 {
		return "", errors.New("it must be 32 random bytes in base64url, 43 characters")
	}
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// BoundTo tells whether a call comes from the page whose value bound is made of.
func BoundTo(h http.Header, bound string) bool {
	is, err := Bound(h.Get(HeaderConsole))
	return err == nil && subtle.ConstantTimeCompare([]byte(is), []byte(bound)) == 1
}

// CookieOf is the name of one of the page's cookies: two consoles on one host do not take each other's. A call without a good
// value has none.
func CookieOf(h http.Header, kind string) (name string, err error) {
	value := h.Get(HeaderConsole)
	if _, err := Bound(value); err != nil {
		return "", fmt.Errorf("the call must have the header %s: %w", HeaderConsole, err)
	}
	sum := sha256.Sum256([]byte(value))
	return kind + "-" + hex.EncodeToString(sum[:8]), nil
}
