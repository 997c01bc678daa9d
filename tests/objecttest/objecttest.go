// Package objecttest starts a real object store for tests of what keeps objects. It is apart from functiontest so that only
// those tests are built with it.
package objecttest

import (
	"context"
	"testing"

	"github.com/castor-iot/castor/infra/local"
	"github.com/castor-iot/castor/shared/artifact"
)

// Start starts an object store, or joins the one of this process with a bucket of its own, and opens it. It ends with the test.
func Start(t testing.TB) *artifact.Store {
	t.Helper()
	o, err := local.StartObjects(local.ObjectsConfig{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	s, err := artifact.Open(context.Background(), o.Config())
	if err != nil {
		t.Fatal(err)
	}
	return s
}
