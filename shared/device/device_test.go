package device

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

func TestIdentitiesAreNormalised(t *testing.T) {
	for name, tt := range map[string]struct {
		in   Identity
		want Identity
		word string // in the error
	}{
		"serial alone":                     {Identity{Serial: " P/7 #2 "}, Identity{ID: "p-7--2", Serial: "P/7 #2"}, ""},
		"own id, MAC in caps":              {Identity{ID: "Pump-7", Serial: "7", MAC: "02-42-AC-11-00-02"}, Identity{ID: "Pump-7", Serial: "7", MAC: "02:42:ac:11:00:02"}, ""},
		"no serial":                        {Identity{}, Identity{}, "serial"},
		"a serial that begins with a dash": {Identity{Serial: "-x"}, Identity{}, "serial"},
		"a serial with a path":             {Identity{Serial: "..\x00"}, Identity{}, "serial"},
		"a serial that is a path":          {Identity{Serial: "P/../../P-8"}, Identity{}, "path"},
		"a serial with two slashes":        {Identity{Serial: "P//8"}, Identity{}, "path"},
		"a MAC that is none":               {Identity{Serial: "1", MAC: "hello"}, Identity{}, "mac"},
		"an id that is none":               {Identity{Serial: "1", ID: "a b"}, Identity{}, "id"},
		"a long model":                     {Identity{Serial: "1", Model: strings.Repeat("m", 257)}, Identity{}, "model"},
		"a date that is none":              {Identity{Serial: "1", Made: "yesterday"}, Identity{}, "made"},
		"a type that is none":              {Identity{Serial: "1", Type: "/"}, Identity{}, "type"},
	} {
		t.Run(name, func(t *testing.T) {
			got := tt.in
			err := got.Normalise()
			if tt.word == "" && (err != nil || !got.Same(&tt.want)) {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
			if tt.word != "" && (!errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), tt.word)) {
				t.Errorf("got %v, want an invalid %s", err, tt.word)
			}
		})
	}
}

func TestReferences(t *testing.T) {
	for ref, good := range map[Ref]bool{"pump-7_A": true, "": false, "a.b": false, "a/b": false, "+": false, Ref(strings.Repeat("x", 65)): false} {
		if err := ref.Valid(); (err == nil) != good {
			t.Errorf("%.70q: %v", ref, err)
		}
	}
}

func TestWhatAClaimCovers(t *testing.T) {
	now := time.Date(2026, 3, 21, 10, 0, 0, 0, time.UTC)
	c := Claim{ID: "c", Type: "pump", Serials: "P-*", Expires: now.Add(time.Hour)}
	revoked := c
	revoked.Revoked = true
	for name, tt := range map[string]struct {
		c      Claim
		of     twin.TypeID
		serial string
		at     time.Time
		word   string
	}{
		"its own":           {c, "pump", "P-7", now, ""},
		"any serial":        {Claim{Type: "pump", Expires: c.Expires}, "pump", "x/y", now, ""},
		"another type":      {c, "boat", "P-7", now, "type"},
		"another serial":    {c, "pump", "Q-7", now, "serials"},
		"the last instant":  {c, "pump", "P-7", c.Expires.Add(-time.Nanosecond), ""},
		"the instant after": {c, "pump", "P-7", c.Expires, "expired"},
		"revoked":           {revoked, "pump", "P-7", now, "revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.c.Covers(tt.of, tt.serial, tt.at)
			if tt.word == "" && err != nil || tt.word != "" && (!errors.Is(err, ErrClaim) || !strings.Contains(err.Error(), tt.word)) {
				t.Errorf("got %v, want %q", err, tt.word)
			}
		})
	}
}
