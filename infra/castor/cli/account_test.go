package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/api"
)

// A service account is made with its secret in a file of its own, and the secret is good.
func TestServiceAccounts(t *testing.T) {
	p := newPerson(t)
	p.login("admin")
	file := filepath.Join(t.TempDir(), "erp.secret")
	out := p.does([]string{"account", "create", "erp", "--role", "viewer", "--file", file}, "", "account erp created")
	secret, err := os.ReadFile(file)
	if err != nil || len(strings.TrimSpace(string(secret))) < 20 || strings.Contains(out, strings.TrimSpace(string(secret))) {
		t.Fatalf("the secret is %d bytes, %v; told: %s", len(secret), err, out)
	}
	if f, err := os.Stat(file); err != nil || f.Mode().Perm() != 0o600 {
		t.Errorf("others may read the secret: %v, %v", f, err)
	}
	if _, err := (&api.Client{URL: p.URL}).Exchange(context.Background(), api.Exchange{Account: "erp", Audience: "*", Secret: strings.TrimSpace(string(secret))}); err != nil {
		t.Errorf("the secret in the file is not good: %v", err)
	}
	p.fails([]string{"account", "create", "other", "--file", file}, "exists")
	p.does(words("account create acme"), "", "its secret, shown this once: ")
	p.does(words("account list"), "", "acme", "erp", "viewer")
	p.does(words("account get erp"), "", "id: erp")
	p.does(words("account delete erp acme"), "", "account erp deleted", "account acme deleted")
	p.fails(words("account get erp"), "erp")
}

// Where devices are is said in degrees or words; a batch's claims end together, and only those of that batch.
func TestClaimsOfABatch(t *testing.T) {
	p := newPerson(t)
	p.login("admin")
	p.does(words("group create press"), "", "created")
	p.does(words("type create pump"), "", "created")
	for _, batch := range []string{"lot-7", "lot-7", "lot-8"} {
		p.does([]string{"claim", "create", "pump", "--owner", "press", "--batch", batch, "--at", "48.137,11.575", "--region", "eu", "-f", filepath.Join(t.TempDir(), "c")}, "", "created")
	}
	p.fails(words("claim create pump --owner press --at 48.137"), "--at", "latitude")
	p.fails(words("claim create pump --owner press --at 95,11"), "latitude")
	claims, err := p.Admin().ListClaims(context.Background(), api.ClaimQuery{})
	if err != nil || len(claims.Items) != 3 {
		t.Fatalf("claims: %v, %v", claims.Items, err)
	}
	if l := claims.Items[0].Location; l == nil || l.Latitude == nil || *l.Latitude != 48.137 || *l.Longitude != 11.575 || l.Region != "eu" {
		t.Errorf("the claim's devices are at %v", l)
	}
	p.does(words("claim list"), "", "any", "lot-8")
	p.fails(words("claim revoke"), "--batch")
	if out := p.does(words("claim revoke --batch lot-7"), ""); strings.Count(out, "revoked") != 2 {
		t.Errorf("of the batch's two claims were revoked:\n%s", out)
	}
	if out := p.does(words("claim list --state open"), ""); strings.Contains(out, "lot-7") || !strings.Contains(out, "lot-8") {
		t.Errorf("open claims are now:\n%s", out)
	}
	p.fails(words("claim revoke --batch lot-7"), "no claim of batch lot-7 is open")
}

// What a device chose does not push a table out of sight; -o wide has it whole.
func TestLongSerials(t *testing.T) {
	p := newPerson(t)
	p.login("admin")
	long := "P-" + strings.Repeat("7", 60)
	p.does([]string{"identity", "create", long, "--id", "p-7"}, "", "created")
	if out := p.does(words("identity list"), ""); strings.Contains(out, long) || !strings.Contains(out, "…") {
		t.Errorf("a long serial is not cut:\n%s", out)
	}
	p.does(words("identity list -o wide"), "", long)
	p.does(words("identity list -o json"), "", long)
}
