package credentials_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/castor-iot/castor/shared/store"
)

// A claim's token is nowhere in the store, in whatever collection.
func TestNoTokenIsStored(t *testing.T) {
	w := start(t)
	f := w.claim(1)
	hash := 0
	for _, name := range []string{"claims", "claim-uses", "credentials", "admissions", "gateways", "assignments"} {
		table, err := w.Base.DB.Driver().Table(context.Background(), name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := table.Walk(context.Background(), store.Walk{Segments: []store.Segment{{}}}, func(h store.Hit) error {
			if bytes.Contains(h.Doc, []byte(f.Token)) {
				t.Errorf("the token is in collection %s", name)
			}
			if bytes.Contains(h.Doc, []byte(f.Claim.ID)) {
				hash++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if hash != 2 {
		t.Errorf("the claim is in %d documents, want those of claims and of admissions", hash)
	}
}
