package embedded_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/store/embedded"
	"github.com/castor-iot/castor/shared/store/storetest"
)

// The suite runs in memory, because it waits for thousands of syncs otherwise. What is on disk after a crash, and what
// Pebble does with files, is shown by the other tests.
func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *store.DB {
		db, err := embedded.Open("data", embedded.WithFS(vfs.NewMem()))
		if err != nil {
			t.Fatal(err)
		}
		return db
	})
}
