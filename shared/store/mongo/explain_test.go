package mongo

import (
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// What servers say of their plans: alone, in a shard, and with a sort that no index gave.
func TestIndexesUsed(t *testing.T) {
	type d = bson.D
	scan := d{{Key: "stage", Value: "FETCH"}, {Key: "inputStage", Value: d{{Key: "stage", Value: "IXSCAN"}, {Key: "indexName", Value: "by-kind"}}}}
	for name, test := range map[string]struct {
		plan d
		want string
	}{
		"an index":                  {d{{Key: "winningPlan", Value: scan}}, "[by-kind]"},
		"an index, others rejected": {d{{Key: "winningPlan", Value: scan}, {Key: "rejectedPlans", Value: bson.A{d{{Key: "stage", Value: "COLLSCAN"}}}}}, "[by-kind]"},
		"of shards":                 {d{{Key: "winningPlan", Value: d{{Key: "stage", Value: "SHARD_MERGE"}, {Key: "shards", Value: bson.A{d{{Key: "winningPlan", Value: scan}}}}}}}, "[by-kind]"},
		"the collection":            {d{{Key: "winningPlan", Value: d{{Key: "stage", Value: "COLLSCAN"}}}}, "[COLLSCAN]"},
		"a sort":                    {d{{Key: "winningPlan", Value: d{{Key: "stage", Value: "SORT"}, {Key: "inputStage", Value: scan}}}}, "[SORT by-kind]"},
		"one document by id":        {d{{Key: "winningPlan", Value: d{{Key: "stage", Value: "IDHACK"}}}}, "[]"},
	} {
		raw, err := bson.Marshal(test.plan)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(indexesUsed(raw)); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
