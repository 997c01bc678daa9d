package users

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
)

func TestPasswordHash(t *testing.T) {
	h := newHasher(0)
	began := time.Now()
	a, err := h.hash(context.Background(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 5*time.Millisecond {
		t.Errorf("a hash takes %v: too cheap to hold off a thief of the store", took)
	}
	b, err := h.hash(context.Background(), "correct horse")
	if err != nil || a == b || strings.Contains(a, "correct") {
		t.Errorf("hashes %s and %s, %v", a, b, err)
	}
	if !verify(a, "correct horse") || !verify(b, "correct horse") || verify(a, "Correct horse") || verify(a, "") || verify(h.nobody, "") {
		t.Error("verify is wrong")
	}
	// Made with the parameters of another version of this code: RFC 9106's algorithm with 2 passes over 64 KiB.
	other := encodeHash([]byte("0123456789abcdef"), make([]byte, 32), 2, 64)
	if verify(other, "correct horse") {
		t.Error("a hash of nothing matches")
	}
	for _, bad := range []string{"", "$", "$argon2i$v=19$m=64,t=1,p=1$YQ$YQ", "$argon2id$v=16$m=64,t=1,p=1$YQ$YQ", "$argon2id$v=19$m=64,t=0,p=1$YQ$YQ",
		"$argon2id$v=19$m=64,t=1,p=0$YQ$YQ", "$argon2id$v=19$m=64,t=1,p=1$YQ$", "$argon2id$v=19$m=64,t=1,p=1$!$YQ", a + "$x"} {
		if verify(bad, "correct horse") {
			t.Errorf("%q matches", bad)
		}
	}
}

func TestHasherHasFewTurns(t *testing.T) {
	h := newHasher(0)
	for range cap(h.slots) {
		if _, err := h.turn(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := h.turn(ctx); err == nil || len(h.waiting) != cap(h.slots) {
		t.Errorf("a caller who went away: %v; %d wait", err, len(h.waiting))
	}
}

func TestPasswordRules(t *testing.T) {
	u := api.User{ID: "ada.lovelace", Name: "Ada Lovelace", Email: "ada@example.org"}
	for password, ok := range map[string]bool{
		"correct horse": true, "ééééééééééé": true, "          x": true, strings.Repeat("x", 1024): true,
		"": false, "ninechars": false, "éééééé": false, "Ada.Lovelace": false, "ada lovelace": false, "ADA@example.org": false,
		strings.Repeat("x", 1025): false, "bad utf-8 \xff\xfe": false,
	} {
		if err := checkPassword("password", password, u); (err == nil) != ok {
			t.Errorf("%.40q: %v", password, err)
		} else if err != nil && !strings.Contains(err.Error(), "password") {
			t.Errorf("the message does not name the field: %v", err)
		}
	}
}
