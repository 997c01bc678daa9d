package e2e

import (
	"fmt"
	"os"
	"testing"

	"github.com/castor-iot/castor/tests/cluster"
	"github.com/castor-iot/castor/tests/contract"
)

// TestMain says, when all stories were told, which operations of openapi.yaml none of them has used, and removes the programs.
func TestMain(m *testing.M) {
	code := m.Run()
	if doc, err := contract.Load(); err == nil && testing.Verbose() {
		fmt.Fprintln(os.Stderr, "operations that no story has used:", doc.Unseen())
	}
	cluster.Clean()
	os.Exit(code)
}
