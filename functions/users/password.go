package users

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/api"
	"golang.org/x/crypto/argon2"
)

// Cost of a password's hash: RFC 9106's three passes with 32 MiB, about 50 ms. A hash keeps its own numbers, so these can grow.
// platform.Base.PasswordMemory may be another memory.
const (
	hashTime   = 3
	hashMemory = 32 << 10 // KiB
	hashKey    = 32       // bytes
	hashSalt   = 16       // bytes
)

// Rules for passwords.
const (
	minPassword = 10   // characters
	maxPassword = 1024 // bytes
)

// maxWaiting is how many sign-ins may wait for their turn; more are told to come again.
const maxWaiting = 32

// A hasher hashes passwords, few at a time, so that a flood of sign-ins takes neither all memory nor all processors.
type hasher struct {
	slots   chan struct{}
	waiting chan struct{}
	memory  uint32 // KiB
	nobody  string // a hash that no password has: unknown users cost as much as known ones
}

// newHasher makes a hasher whose hashes take that much memory; 0 = hashMemory.
func newHasher(memory uint32) *hasher {
	n := max(1, runtime.GOMAXPROCS(0)/2)
	h := &hasher{slots: make(chan struct{}, n), waiting: make(chan struct{}, n+maxWaiting), memory: cmp.Or(memory, hashMemory)}
	h.nobody = encodeHash(random(hashSalt), random(hashKey), hashTime, h.memory)
	return h
}

// turn waits for a slot. It returns api.ErrTooMany at once when too many wait already.
func (h *hasher) turn(ctx context.Context) (done func(), err error) {
	select {
	case h.waiting <- struct{}{}:
	default:
		return nil, fmt.Errorf("%w: too many people sign in at this moment; try again in a few seconds", api.ErrTooMany)
	}
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots; <-h.waiting }, nil
	case <-ctx.Done():
		<-h.waiting
		return nil, ctx.Err()
	}
}

// hash makes the hash that is kept of a password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	done, err := h.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	salt := random(hashSalt)
	return encodeHash(salt, argon2.IDKey([]byte(password), salt, hashTime, h.memory, 1, hashKey), hashTime, h.memory), nil
}

// verify tells whether the password has the hash. The caller holds a turn. A hash that cannot be read matches nothing.
func verify(hash, password string) bool {
	var version int
	var memory, time uint32
	var threads uint8
	part := strings.Split(hash, "$") // "", "argon2id", "v=19", "m=…,t=…,p=…", salt, key
	if len(part) != 6 || part[1] != "argon2id" {
		return false
	}
	if _, err := fmt.Sscanf(part[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false
	}
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &memory, &time, &threads); err != nil || time < 1 || threads < 1 {
		return false
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(part[4])
	key, err2 := base64.RawStdEncoding.DecodeString(part[5])
	if err1 != nil || err2 != nil || len(key) == 0 {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, time, memory, threads, uint32(len(key)))
	return subtle.ConstantTimeCompare(got, key) == 1
}

// encodeHash writes a hash in the usual text form, its parameters with it.
func encodeHash(salt, key []byte, time, memory uint32) string {
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, memory, time, b.EncodeToString(salt), b.EncodeToString(key))
}

// checkPassword returns twin.ErrInvalid, naming field, if the password is not one for the user.
func checkPassword(field, password string, u api.User) error {
	switch {
	case !utf8.ValidString(password):
		return api.Invalid("%s must be UTF-8 text", field)
	case utf8.RuneCountInString(password) < minPassword:
		return api.Invalid("%s must have %d characters or more", field, minPassword)
	case len(password) > maxPassword:
		return api.Invalid("%s may have %d bytes", field, maxPassword)
	case strings.EqualFold(password, u.ID), strings.EqualFold(password, u.Name), strings.EqualFold(password, u.Email):
		return api.Invalid("%s must not be the user's own id, name or e-mail address", field)
	}
	return nil
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails since Go 1.24
	return b
}
