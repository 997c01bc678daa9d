package mongo

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/castor-iot/castor/shared/store"
)

// Explain asks the server how it carries the walk out. It returns errors.ErrUnsupported when the server cannot tell.
func (t *table) Explain(ctx context.Context, w store.Walk) (store.Plan, error) {
	plan := store.Plan{Index: w.Index.Name}
	limit := w.Limit
	for _, p := range parts(w) {
		if w.Limit > 0 && limit <= 0 {
			break
		}
		find := bson.D{
			{Key: "find", Value: t.c.Name()}, {Key: "filter", Value: p.whole(w)}, {Key: "sort", Value: p.sort},
			{Key: "hint", Value: hint(w)}, {Key: "limit", Value: int64(max(limit, 0))},
		}
		answer, err := t.c.Database().RunCommand(ctx, bson.D{
			{Key: "explain", Value: find}, {Key: "verbosity", Value: "executionStats"},
		}).Raw()
		var server mongo.ServerError
		if errors.As(err, &server) && server.HasErrorCode(59) {
			return plan, fmt.Errorf("the server does not explain: %w", errors.ErrUnsupported)
		}
		if err != nil {
			return plan, storeError(err)
		}
		stats := store.Lookup(answer, "executionStats")
		examined, _ := store.Lookup(stats.Value, "totalDocsExamined").AsInt64OK()
		returned, _ := store.Lookup(stats.Value, "nReturned").AsInt64OK()
		plan.Examined += int(examined)
		limit -= int(returned)
		for _, index := range indexesUsed(store.Lookup(answer, "queryPlanner").Value) {
			if index != hint(w) {
				plan.Index = index
			}
		}
	}
	return plan, nil
}

// indexesUsed collects, wherever they are in the winning plan, the names of indexes; a scan of the whole collection counts
// as one named COLLSCAN, and a sort that no index gave as SORT.
func indexesUsed(plan bson.Raw) (names []string) {
	elements, err := plan.Elements()
	if err != nil {
		return nil
	}
	for _, e := range elements {
		v := e.Value()
		switch {
		case e.Key() == "rejectedPlans":
		case e.Key() == "indexName":
			names = append(names, v.StringValue())
		case e.Key() == "stage":
			if stage, _ := v.StringValueOK(); stage == "COLLSCAN" || stage == "SORT" {
				names = append(names, stage)
			}
		case v.Type == bson.TypeEmbeddedDocument || v.Type == bson.TypeArray:
			names = append(names, indexesUsed(v.Value)...)
		}
	}
	return names
}
