package mongo_test

import (
	"testing"

	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/store/mongo"
	"github.com/castor-iot/castor/shared/store/storetest"
	mongotest "github.com/castor-iot/castor/tests/mongo"
)

func TestStore(t *testing.T) {
	t.Parallel()
	var lacking []storetest.Feature
	if mongotest.Find(t).StandIn {
		lacking = []storetest.Feature{storetest.Explain, storetest.CompoundUnique, storetest.NestedLists, storetest.EdgeNumbers}
	}
	storetest.Run(t, func(t *testing.T) *store.DB {
		db, err := mongo.Open(t.Context(), mongotest.Start(t))
		if err != nil {
			t.Fatal(err)
		}
		return db
	}, lacking...)
}
