package embedded_test

import (
	"testing"

	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/store/embedded"
	"github.com/castor-iot/castor/shared/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *store.DB {
		db, err := embedded.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return db
	})
}
