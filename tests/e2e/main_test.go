package e2e

import (
	"fmt"
	"os"
	"testing"

	"github.com/castor-iot/castor/shared/driver/sandbox"
	"github.com/castor-iot/castor/tests/cluster"
	"github.com/castor-iot/castor/tests/contract"
)

// TestMain says, when all stories were told, which operations of openapi.yaml none of them has used, and removes the programs.
// As a worker for payload drivers, which this program starts itself to be, it does nothing else.
func TestMain(m *testing.M) {
	sandbox.Main()
	code := m.Run()
	if doc, err := contract.Load(); err == nil && testing.Verbose() {
		fmt.Fprintln(os.Stderr, "operations that no story has used:", doc.Unseen())
	}
	cluster.Clean()
	os.Exit(code)
}
